"""The first shape of the ledger; it was made whole, so there is nothing to change."""

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Change nothing."""
