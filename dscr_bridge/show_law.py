"""What people see of the statutory side in a terminal: obligations, drifts, checklists, standings and case files."""

from collections.abc import Iterator, Sequence
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from dscr_bridge import cases, standings, tending
from dscr_bridge.cases import CaseFile
from dscr_bridge.enforcement import Penalty, Risk
from dscr_bridge.ledger import Decision
from dscr_bridge.mapping.penalties import load_thresholds
from dscr_bridge.obligations import Drift, Duty, Step, who_owes
from dscr_bridge.opening import Bridge
from dscr_bridge.register import Extract
from dscr_bridge.returns import CareType, Obligation
from dscr_bridge.standings import ProviderStanding, Standing
from dscr_bridge.window import LONDON, Window

if TYPE_CHECKING:
    from dscr_bridge.supplying import Supply

CARE_TYPE = {CareType.CARE_HOME: "care home", CareType.HOME_CARE: "home care"}
RISK: dict[Risk, tuple[str, str]] = {
    Risk.NONE: ("none", "green"),
    Risk.MISSED: ("something was missed", "yellow"),
    Risk.NEXT: ("one more miss may bring a notice", "red"),
    Risk.EXPOSED: ("a Notice of Intent may come", "red"),
}


def duties(bridge: Bridge, window: Window, those: Sequence[Duty]) -> RenderableType:
    """Show what is owed in a window, what is not and why; then what is out of scope, and who owes what in a sale."""
    table = _plain("Location", "Care type", "Owed", "Until the end of", "Why")
    for d in those:
        name = bridge.owing(d.obligation.location)[1].name
        owed = Text("yes", "green") if d.owed else Text("no", "dim")
        table.add_row(
            f"{name} ({d.obligation.location})",
            CARE_TYPE[d.obligation.care_type],
            owed,
            _day(d.last_day) if d.owed else "",
            d.says,
        )
    lines: list[RenderableType] = [Text(f"Reporting window {window.month}", "bold"), table]
    for provider in bridge.config.provider:
        lines += [
            Text(
                f"Out of scope: {o.name} ({o.regulator}{f', {o.reference}' if o.reference else ''}) is not registered "
                "with CQC and owes nothing here.",
                "dim",
            )
            for o in provider.outside
        ]
        for location in provider.location:
            lines += [Text(says, "yellow") for says in who_owes(provider, location, window)]
    return Group(*lines)


def risks(bridge: Bridge) -> Iterator[Text]:
    """Say in lines what threatens this window or the provider beside the states of its returns."""
    window = bridge.window()
    owed: dict[str, list[Obligation]] = {}
    for one in bridge.obligations(window):
        owed.setdefault(one.location, []).append(one)
    for paused in bridge.ledger.decided("paused"):
        if paused.chain in owed:
            name, since = bridge.owing(owed[paused.chain][0].location)[1].name, _moment(paused.at)
            yield Text(
                f"! {name} is paused by {paused.by} since {since}: unless somebody acts, its window closes on "
                f"{_day(window.closes_on)} and counts as missed. Go on: dscr-bridge resume",
                "red",
            )
    for provider in bridge.config.provider:
        found = standings.of_provider(bridge, provider, penalties=False)
        words, colour = RISK[found.worse.exposure.risk]
        if found.worse.exposure.in_a_year:
            yield Text(
                f"! {provider.name}: {words}; a notice may come from window {found.worse.first_month} on, if every one "
                "is missed. More: dscr-bridge enforcement",
                colour,
            )
        for due in cases.case_file(bridge, provider).deadlines:
            yield Text(f"! {provider.name}: by {_day(due.by)}, {due.what}. More: dscr-bridge cases show", "red")
    for d in tending.drifts(bridge):
        where = f"{d.name} ({d.location}): " if d.location else ""
        yield Text(
            f"! CQC register: {where}{d.says} More: dscr-bridge register check --kept",
            "yellow",
        )
    for one_id in tending.new_locations(bridge):
        yield Text(f"! {bridge.config.location(one_id)[1].name} is new: dscr-bridge checklist {one_id}", "yellow")


def drifts(found: Sequence[Drift], extract: Extract | None) -> RenderableType:
    """Show each drift with its owner and the act that ends it."""
    if extract is None:
        head = Text("No extract of the CQC register was read yet.", "yellow")
    else:
        head = Text(
            f"CQC register as read on {_moment(extract.read_at)}: {len(extract.entries)} locations of yours in it."
        )
    if not found:
        return Group(head, Text("✓ It says what the configuration says.", "green"))
    lines: list[RenderableType] = [head]
    for d in found:
        where = f"{d.name or d.location} ({d.location}): " if d.location else ""
        lines += [Text(f"! {where}{d.says}", "yellow"), Text(f"  For the {d.owner} to mend. {d.act}", "dim")]
    return Group(*lines)


def checklist(steps: Sequence[tuple[Step, Decision | None]], now: datetime) -> RenderableType:
    """Show the steps of a new location with their days, and who ticked which off."""
    today = now.astimezone(LONDON).date()
    table = _plain("", "By", "Step", "For", "What")
    for step, done in steps:
        mark = Text("✓", "green") if done else Text("!", "red") if step.by < today else Text("·", "dim")
        table.add_row(mark, _day(step.by), step.id, step.owner, step.says + (f" Done: {done.by}." if done else ""))
    return table


def standing(bridge: Bridge, found: ProviderStanding) -> RenderableType:
    """Show a provider's standing: each return, all together, and the worse of them."""
    thresholds = load_thresholds()
    table = _plain(
        "Return", "Risk", "In a row", "In twelve months", "Still headroom", "Risk from window", "One penalty"
    )
    for (location, care_type), its in found.returns.items():
        name = f"{bridge.owing(location)[1].name} · {CARE_TYPE[care_type]}"
        table.add_row(name, *_standing(its), found.penalties[location, care_type].text)
    table.add_row("All returns together", *_standing(found.together), "")
    words, colour = RISK[found.worse.exposure.risk]
    head = Text(f"{found.provider.name} ({found.provider.id}): {words}", colour)
    foot = Text(
        f"A Notice of Intent may follow {thresholds.in_a_row} missed windows in a row, or any {thresholds.in_a_year} "
        f"of {thresholds.year_months}; whether they are counted by location or by provider is not settled, so the "
        "worse counts here.",
        "dim",
    )
    return Group(head, table, foot)


def standing_lines(found: ProviderStanding) -> Iterator[dict[str, Any]]:
    """Give a provider's standing for tools, one line a return and one for all together."""
    rows: list[tuple[str | None, str | None, Standing, Penalty | None]] = [
        (location, kind.value, its, found.penalties[location, kind]) for (location, kind), its in found.returns.items()
    ]
    for location, care_type, its, penalty in [*rows, (None, None, found.together, None)]:
        yield {
            "provider": found.provider.id,
            "location": location,
            "care_type": care_type,
            "risk": its.exposure.risk.value,
            "in_a_row": its.exposure.in_a_row,
            "in_a_year": its.exposure.in_a_year,
            "headroom": its.exposure.headroom,
            "first_month_of_risk": its.first_month,
            "worse": its is found.worse,
            "penalty": None
            if penalty is None
            else {
                "least": _number(penalty.least),
                "most": _number(penalty.most),
                "complete": penalty.complete,
                "verification": penalty.verification,
                "public_body": penalty.public_body,
            },
        }


def case(found: CaseFile, supplies: "Sequence[Supply]", now: datetime) -> RenderableType:
    """Show a case file, what is due next, and what is to be supplied."""
    if not found.entries:
        return Text("Nothing was noted.", "dim")
    today = now.astimezone(LONDON).date()
    table = _plain("No.", "On", "What", "Note", "Noted by")
    for e in found.entries:
        reply = f" (answers no. {e.reply_to})" if e.reply_to else ""
        table.add_row(str(e.n), _day(e.on), e.title + reply, e.note, e.by)
    lines: list[RenderableType] = [table]
    for d in found.deadlines:
        left = (d.by - today).days
        lines.append(
            Text(
                f"By {_day(d.by)} ({left} days left): {d.what}, after no. {d.entry.n}. Times are {d.verification}: the "
                "notice's own words win.",
                "red" if left < 4 else "yellow",
            )
        )
    for s in supplies:
        state = "supplied" if s.is_done else f"to be supplied by {_day(s.due)}"
        lines.append(
            Text(
                f"Figures of {s.duty.location}, {CARE_TYPE[s.duty.care_type]}, after no. {s.notice.n}: {state}",
                "green" if s.is_done else "yellow",
            )
        )
    return Group(*lines)


def _standing(its: Standing) -> tuple[Text, str, str, str, str]:
    words, colour = RISK[its.exposure.risk]
    spare = max(its.exposure.headroom - 1, 0)
    return (
        Text(words, colour),
        str(its.exposure.in_a_row),
        str(its.exposure.in_a_year),
        f"{spare} month{'' if spare == 1 else 's'}",
        its.first_month,
    )


def _number(amount: Any) -> float | None:
    return None if amount is None else float(amount)


def _moment(at: datetime) -> str:
    there = at.astimezone(LONDON)
    return f"{there.day} {there:%B %Y}"


def _day(day: date) -> str:
    return f"{day:%a} {day.day} {day:%b %Y}"


def _plain(*columns: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        table.add_column(column)
    return table
