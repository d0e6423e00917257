"""Find the events of one return without reading its whole chain, and write the projection anew."""

from alembic import op

from dscr_bridge.ledger.verify import rebuild

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add an index, and bring the stored states to what today's rules make of the same events."""
    op.create_index("event_by_window", "event", ["chain", "window"])
    rebuild(op.get_bind())
