"""Supply the figures after a notice: a duty of its own with a receipt of its own, outside any window.

Even after a Final Notice a provider can supply the data and have it revoked (DHSC, questions and answers, 2022).  It
never mends the missed window, which stays missed.  A person enters it: no other way in outside a window is published.
"""

from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

from dscr_bridge import bridge as flow
from dscr_bridge import cases, mapping, receipt, sending
from dscr_bridge import check as checking
from dscr_bridge.cases import Entry
from dscr_bridge.config import Provider
from dscr_bridge.deciding import named, refused
from dscr_bridge.enforcement import deadline
from dscr_bridge.handing import write_receipt
from dscr_bridge.ledger import ObligationRow, ObligationState
from dscr_bridge.mapping.contacts import load_contacts
from dscr_bridge.opening import SOFTWARE, Bridge
from dscr_bridge.preparing import require_nothing_personal
from dscr_bridge.reading import previous_return
from dscr_bridge.returns import CareType, CheckedReturn, LocationId, Obligation
from dscr_bridge.submit import by_hand, crib_layout
from dscr_bridge.window import Window

_MARK = "N"  # of the word that stands where a window's month would: N and the day of the notice, as N261203


@dataclass(frozen=True)
class Supply:
    """Figures that are owed after a notice."""

    duty: Obligation  # its window is the word of the notice's day, never a month
    notice: Entry
    due: date
    row: ObligationRow

    @property
    def is_done(self) -> bool:
        """Say whether a person confirmed that the figures were supplied."""
        return self.row.state is ObligationState.CONFIRMED_BY_HAND


def hand_out(
    bridge: Bridge, provider: Provider, notice: int, location: LocationId, care_type: CareType, *, by: str
) -> tuple[Supply, Path]:
    """Count the figures as of now, check them, and write the sheet from which a person supplies them.

    Raises ConfigError where that entry is no notice or the location is not the provider's; ReturnHeld; AlreadyAccepted.
    """
    who, entry = named(by), _notice(bridge, provider, notice)
    if not any(one.location_id == location and care_type in one.care_types for one in provider.location):
        raise refused("that location does not owe such a return for this provider.", "Give one of its own locations.")
    (prepared,) = flow.prepare(bridge, [Obligation(location, care_type, bridge.window().month)])
    require_nothing_personal(prepared)
    supply = _supply(bridge, entry, location, care_type)
    checked = checking.in_the_name_of(prepared.required(), supply.duty)
    bridge.ledger.decide(
        f"provider:{provider.id}",
        "supply_owed",
        supply.duty.id,
        by=who,
        detail={"case": entry.n, "notice": entry.kind, "due": supply.due.isoformat()},
    )
    sending.hand_out(checked, bridge.ledger, bridge.world, window=_time(supply), late=True)
    return _supply(bridge, entry, location, care_type), _sheet(bridge, supply, checked, provider)


def confirm(
    bridge: Bridge,
    provider: Provider,
    notice: int,
    location: LocationId,
    care_type: CareType,
    *,
    by: str,
    reference: str,
    entered_at: datetime,
    note: str = "",
) -> receipt.Written:
    """Record that a person supplied the figures, note it in the case file, and write the receipt.

    Raises ConfigError where nothing was handed out for that notice; whatever `sending.confirm` raises.
    """
    supply = _supply(bridge, _notice(bridge, provider, notice), location, care_type)
    if supply.row.return_sha256 is None:
        raise refused("nothing was handed out to be supplied after that notice.", "First: dscr-bridge cases supply")
    with bridge.ledger.together():
        sending.confirm(
            supply.duty,
            bridge.ledger,
            bridge.world,
            reference=reference,
            entered_at=entered_at,
            by=named(by),
            window=_time(supply),
            note=note or None,
            any_time=True,
        )
        cases.note(
            bridge,
            provider,
            "supplied",
            entered_at.date(),
            note or f"Reference: {reference}",
            by=by,
            reply_to=notice,
            about=(supply.duty,),
        )
    return _receipt(bridge, supply, provider)


def supplies(bridge: Bridge, provider: Provider) -> list[Supply]:
    """List what is, or was, owed after a notice."""
    entries = {e.n: e for e in cases.case_file(bridge, provider).entries}
    found = []
    for one in bridge.ledger.decisions(f"provider:{provider.id}", "supply_owed"):
        location, care_type, _ = one.key.split("/")
        found.append(_supply(bridge, entries[one.detail["case"]], LocationId(location), CareType(care_type)))
    return found


def is_supply(window: str) -> bool:
    """Say whether the word that stands for a window is that of a notice."""
    return window.startswith(_MARK)


def _notice(bridge: Bridge, provider: Provider, number: int) -> Entry:
    entries = {e.n: e for e in cases.case_file(bridge, provider).entries}
    if number not in entries or entries[number].kind not in cases.NOTICES:
        raise refused("that entry is no notice.", "Give the number of a Notice of Intent or a Final Notice: cases show")
    return entries[number]


def _supply(bridge: Bridge, entry: Entry, location: LocationId, care_type: CareType) -> Supply:
    duty = Obligation(location, care_type, f"{_MARK}{entry.on:%y%m%d}")
    due = deadline(entry.kind, entry.on, cases.times())
    return Supply(duty, entry, due[0] if due else entry.on, bridge.ledger.obligation(duty))


def _time(supply: Supply) -> Window:
    """Give the time from the notice to its deadline, in the form of a window; it is none."""
    return Window(supply.duty.window, supply.notice.on, supply.due, True)


def _about(supply: Supply) -> str:
    on = supply.notice.on
    return f"figures to supply after the {supply.notice.title} of {on.day} {on:%B %Y}"


def _sheet(bridge: Bridge, supply: Supply, checked: CheckedReturn, provider: Provider) -> Path:
    location = bridge.owing(supply.duty.location)[1]
    edition = mapping.edition_for(bridge.window().opens_on)
    sheet = by_hand.crib_sheet(
        checked,
        crib_layout.load_layout(mapping.folder() / "channels" / "crib-sheet.toml"),
        window=_time(supply),
        name=location.name,
        wordings={i.id: i.title for i in edition.items},
        previous=previous_return(bridge, supply.duty),
        simulated=bridge.simulated,
        contacts=load_contacts(),
        about=_about(supply),
        confirm_with=f"dscr-bridge cases supplied {provider.id} {supply.notice.n} {supply.duty.location}",
    )
    return by_hand.write(bridge.config.data_folder / "crib-sheets", checked, sheet)


def _receipt(bridge: Bridge, supply: Supply, provider: Provider) -> receipt.Written:
    location = bridge.owing(supply.duty.location)[1]
    edition = mapping.edition_for(bridge.window().opens_on)
    document = sending.receipt_of(
        supply.duty,
        bridge.ledger,
        _time(supply),
        software=SOFTWARE,
        provider=provider.name,
        name=location.name,
        wordings={i.id: i.title for i in edition.items},
    )
    return write_receipt(bridge, document | {"about": _about(supply)})
