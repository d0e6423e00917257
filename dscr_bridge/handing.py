"""What people keep and carry: the receipt of a return, and the crib sheet from which a person types it in."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from dscr_bridge import mapping, receipt, sending, signing
from dscr_bridge.check import restored
from dscr_bridge.mapping.contacts import load_contacts
from dscr_bridge.opening import SOFTWARE, Bridge
from dscr_bridge.preparing import Prepared, as_decided
from dscr_bridge.reading import previous_return
from dscr_bridge.returns import CheckedReturn, Obligation, Problem
from dscr_bridge.submit import by_hand, crib_layout
from dscr_bridge.window import Window


def keep_receipt(bridge: Bridge, obligation: Obligation, window: Window) -> receipt.Written:
    """Write the receipt of a return, as JSON and as a page, into the data folder.  Raises OSError."""
    provider, location = bridge.owing(obligation.location)
    edition = mapping.edition_for(window.opens_on)
    document = sending.receipt_of(obligation, bridge.ledger, window, software=SOFTWARE, provider=provider.name,
                                  name=location.name, wordings=_titles(edition))  # fmt: skip
    return write_receipt(bridge, document)


def write_receipt(bridge: Bridge, document: Mapping[str, Any]) -> receipt.Written:
    """Write a receipt, signed where the provider has a key for it.  Raises OSError."""
    kept = document if bridge.receipt_key is None else signing.signed(document, bridge.receipt_key)
    return receipt.write(bridge.config.data_folder / "receipts", kept)


def write_crib_sheet(
    bridge: Bridge, prepared: Prepared, checked: CheckedReturn | by_hand.Draft, unsettled: Sequence[Problem] = ()
) -> Path:  # fmt: skip
    """Write the page from which a person types a return in, and give its path.  Raises OSError."""
    sheet = by_hand.crib_sheet(
        checked,
        crib_layout.load_layout(mapping.folder() / "channels" / "crib-sheet.toml"),
        window=prepared.window,
        name=bridge.owing(prepared.obligation.location)[1].name,
        wordings=_titles(prepared.edition),
        previous=previous_return(bridge, prepared.obligation),
        simulated=bridge.simulated,
        contacts=load_contacts(),
        unsettled=unsettled,
    )
    return by_hand.write(bridge.config.data_folder / "crib-sheets", checked, sheet)


def sheet_when_stuck(bridge: Bridge, prepared: Prepared) -> str:
    """Write the crib sheet of a return that is stuck: as it was stored where it is under way, else as it is now."""
    row = bridge.ledger.obligation(prepared.obligation)
    if row.sections and row.return_sha256:
        stored = restored(bridge.ledger.document(row.return_sha256))
        return write_crib_sheet(bridge, replace(prepared, figures=stored.checked), stored).name
    decided = as_decided(bridge, prepared)
    draft = decided.passed or by_hand.draft(decided.figures, decided.edition)
    return write_crib_sheet(bridge, decided, draft, decided.holding).name


def _titles(edition: mapping.Edition) -> dict[str, str]:
    return {item.id: item.title for item in edition.items}
