"""What is worth telling now: one thread for each return, a step for each change, rungs that near the close.

Pure but for reading the ledger.  No figure and no count of people is ever in a notice.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, time, timedelta

from dscr_bridge import enforcement, mapping
from dscr_bridge.config import Alerts, Location, Provider
from dscr_bridge.ledger import SETTLED, ObligationRow, ObligationState
from dscr_bridge.mapping import published_to
from dscr_bridge.notify.notice import GROUP, MANAGER, SUPPLIER, Notice, Told
from dscr_bridge.notify.statutory import statutory
from dscr_bridge.opening import Bridge
from dscr_bridge.returns import CareType, Obligation
from dscr_bridge.window import LONDON, Window

LAST_CALL = time(14, 0)  # an hour that leaves the platform's support centre (8 to 5 on working days) time to help
FLAPPING = timedelta(hours=2)
HOLIDAYS_SOON = timedelta(days=90)
_MONDAY, _FRIDAY_BEFORE = 0, timedelta(days=3)
_S = ObligationState
_CARE = {CareType.CARE_HOME: "care home", CareType.HOME_CARE: "home care"}

# The platform's own reminder comes 48 hours before the close; ours comes first.
_RUNGS = (("5 days", timedelta(days=5)), ("3 days", timedelta(days=3)), ("52 hours", timedelta(hours=52)),
          ("24 hours", timedelta(hours=24)), ("4 hours", timedelta(hours=4)))  # fmt: skip
_GRAVE = frozenset({"24 hours", "4 hours", "last call"})


@dataclass(frozen=True)
class _Cause:
    """Why a return is not done: in words, with the one next step, who takes it, and whom to ask."""

    word: str
    says: str
    step: str
    roles: frozenset[str]
    ask: str = "platform"


def notices(bridge: Bridge, provider: Provider, told: Mapping[str, Told], now: datetime) -> list[Notice]:
    """List what is new for one provider since it was told last."""
    window = bridge.window(now)
    rows = {r.obligation: r for w in (bridge.window_before(window), window) for r in bridge.ledger.obligations(w.month)}
    found: list[Notice] = []
    for w in (bridge.window_before(window), window):
        owed = set(bridge.obligations(w))
        its = [
            (one, o, rows.get(o) or ObligationRow(o)) for one in provider.location for o in _owed(one, w) if o in owed
        ]
        for location, obligation, row in its:
            found += _of_return(bridge.config.alerts, location, obligation, row, w, told, now)
        found += _of_provider(bridge, provider, its, w, told, now)
    return found + list(statutory(bridge, provider, told, now))


def quiet(alerts: Alerts, now: datetime) -> bool:
    """Say whether people are left in peace at this moment (London time)."""
    at = now.astimezone(LONDON).time()
    if alerts.quiet_from <= alerts.quiet_to:
        return alerts.quiet_from <= at < alerts.quiet_to
    return at >= alerts.quiet_from or at < alerts.quiet_to


def rungs(window: Window, alerts: Alerts) -> list[tuple[datetime, str]]:
    """Give the moments at which an unfinished return is told again, in order.

    One that falls into the quiet hours comes an hour before they begin: a rung that waited for the morning could come
    after the platform's own reminder.
    """
    found = [(_before_quiet(window.closes_at - before, alerts), name) for name, before in _RUNGS]
    days = [window.closes_on] + ([window.closes_on - _FRIDAY_BEFORE] if window.closes_on.weekday() == _MONDAY else [])
    found += [(datetime.combine(day, LAST_CALL, tzinfo=LONDON), "last call") for day in days]
    return sorted(at for at in found if at[0] > window.opens_at)


def _before_quiet(at: datetime, alerts: Alerts) -> datetime:
    if not quiet(alerts, at):
        return at
    there = at.astimezone(LONDON)
    day = there.date() if there.time() >= alerts.quiet_from else there.date() - timedelta(days=1)
    return datetime.combine(day, alerts.quiet_from, tzinfo=LONDON) - timedelta(hours=1)


def _of_return(
    alerts: Alerts,
    location: Location,
    obligation: Obligation,
    row: ObligationRow,
    window: Window,
    told: Mapping[str, Told],
    now: datetime,
) -> Iterator[Notice]:
    last = told.get(obligation.id)
    name = f"{location.name}, {_CARE[obligation.care_type]}, {window.opens_on:%B %Y}"
    if row.state in SETTLED and row.state is not _S.ON_RECORD_LATE:
        if last is not None and last.step != "done":
            yield _notice(obligation, "done", "recovered", frozenset({MANAGER, SUPPLIER}), False, name,
                          "It is done: nothing is left to do.", "The receipt is in the pages.")  # fmt: skip
        return
    cause = _cause(row)
    if cause is None:
        if last is None or last.step == "done" or now < window.opens_at or now >= window.closes_at:
            return
        cause = _Cause("due", "It goes on by itself.", "Nothing to do now.", frozenset({SUPPLIER}))
    rung = _rung(window, alerts, now) if cause.word not in ("missed", "late") else ""
    if not rung and cause.word in ("due",):
        return
    step = f"{cause.word}@{rung}" if rung else cause.word
    if last is not None and (last.step == step or _flaps(last, step, now)):
        return
    grave = rung.split(" #")[0] in _GRAVE or cause.word in ("missed", "late", "refused")
    roles = cause.roles | ({MANAGER, GROUP} if grave else frozenset()) | ({MANAGER} if rung else frozenset())
    left = f" Left until the close: {_left(window, now)}." if now < window.closes_at else ""
    yield _notice(obligation, step, cause.word, roles, grave, name, cause.step, f"{cause.says}{left}", cause.ask)


def _cause(row: ObligationRow) -> _Cause | None:
    state, both = row.state, frozenset({MANAGER, SUPPLIER})
    manager, supplier = frozenset({MANAGER}), frozenset({SUPPLIER})
    if state is _S.READY and row.reason == "awaiting_confirmation":
        return _Cause("enter", "The figures are ready to be entered by hand.",
                      "Type them in from the crib sheet, save, then confirm it in the pages.", manager)  # fmt: skip
    if state is _S.READY:
        return _Cause("approve", "The figures are counted and checked.", "Look at them and approve them.", manager)
    if state is _S.HELD and row.reason == "source_failed":
        return _Cause(
            "source", "A source refused, or cannot be read.", "Ask the supplier of that source.", supplier, "supplier"
        )
    if state is _S.HELD:
        rules = ", ".join(r.replace("_", " ") for r in row.rules) or (row.reason or "").replace("_", " ")
        return _Cause(
            "held",
            f"Something stands in the way: {rules}.",
            "Open the fix list, mend it or accept it with a note.",
            manager,
            "wording",
        )
    if state is _S.WAITING:
        return _Cause("waiting", "A source does not answer; the bridge asks again by itself.",
                      "Find out why the source is down.", supplier, "supplier")  # fmt: skip
    if state is _S.REFUSED:
        return _Cause("refused", "The receiver refused the return.", "Read why on its page; a person must act.", both)
    if state in (_S.RETRYING, _S.UNKNOWN):
        return _Cause("retrying", "The receiver does not answer; the bridge tries again by itself.",
                      "Look whether the receiver is down for everybody.", supplier)  # fmt: skip
    if state is _S.MISSED:
        return _Cause(
            "missed",
            "The window closed without an accepted return.",
            "Supply the figures late, write down the cause, and keep the evidence pack.",
            both,
            "enforcement",
        )
    if state is _S.ON_RECORD_LATE:
        return _Cause("late", "It is on record, but after the window closed.",
                      "Write down the cause, and keep the evidence pack.", manager, "enforcement")  # fmt: skip
    return None if state is not _S.DUE else _Cause("due", "It is not done yet.", "See why on its page.", supplier)


def _of_provider(
    bridge: Bridge, provider: Provider, its: list[tuple[Location, Obligation, ObligationRow]], window: Window,
    told: Mapping[str, Told], now: datetime,
) -> Iterator[Notice]:  # fmt: skip
    ids, everybody = tuple(o.id for _, o, _ in its), frozenset({MANAGER, GROUP, SUPPLIER})
    closes = f"{window.closes_on:%A} {window.closes_on.day} {window.closes_on:%B}"
    month, known = f"{window.opens_on:%B %Y}", f"{provider.id}/{window.month}"
    done = [o for _, o, r in its if r.state in SETTLED]
    if window.is_open(now) and f"{known}/open" not in told:
        yield Notice(
            f"{known}/open",
            "open",
            "window_open",
            everybody,
            False,
            f"{provider.name}: the {month} window is open",
            "The bridge begins by itself; answer this month's questions.",
            f"It closes at the end of {closes}. {len(its)} returns are owed.",
            ids,
        )
    if (
        len(done) == len(its)
        and its
        and f"{known}/certificate" not in told
        and now >= window.opens_at
        and f"{known}/open" in told
    ):
        yield Notice(
            f"{known}/certificate",
            "done",
            "certificate",
            frozenset({MANAGER, GROUP}),
            False,
            f"{provider.name}: every {month} return is done",
            "Nothing is left to do.",
            f"{len(done)} of {len(its)} returns are on record or confirmed by hand. Their receipts are in the pages "
            "and in the data folder.",
            ids,
        )
    if window.is_open(now):
        yield from _digest(bridge, provider, its, window, told, now)
    if not window.is_open(now) and now < window.opens_at:
        yield from _before(provider, window, told, now, ids)


def _digest(
    bridge: Bridge, provider: Provider, its: list[tuple[Location, Obligation, ObligationRow]], window: Window,
    told: Mapping[str, Told], now: datetime,
) -> Iterator[Notice]:  # fmt: skip
    key, there = f"{provider.id}/{window.month}/digest", now.astimezone(LONDON)
    last = told.get(key)
    open_ones = [r for _, _, r in its if r.state not in SETTLED]
    today = there.date().isoformat()
    opened_today = there.date() == window.opens_on
    if not open_ones or opened_today or there.time() < bridge.config.alerts.digest_at or (last and last.step == today):
        return
    tally = Counter(r.state.value.replace("_", " ") for r in open_ones)
    lines = "\n".join(f"* {state}: {n}" for state, n in tally.most_common())
    yield Notice(key, today, "digest", frozenset({GROUP}), False,
                 f"{provider.name}: {len(open_ones)} of {len(its)} {window.opens_on:%B} returns are not done",
                 "See the wall in the pages.", f"Returns that are not done, by state:\n{lines}\n"
                 f"Left until the close: {_left(window, now)}.", ())  # fmt: skip


def _before(
    provider: Provider, window: Window, told: Mapping[str, Told], now: datetime, ids: tuple[str, ...]
) -> Iterator[Notice]:
    there = now.astimezone(LONDON).date()
    key = f"{provider.id}/{window.month}/contacts"
    if there.month == window.opens_on.month and key not in told:
        yield Notice(
            key,
            "asked",
            "contacts",
            frozenset({MANAGER, GROUP}),
            False,
            f"{provider.name}: are the contacts still right?",
            "Check the contacts here, and that at least two people can sign in to the platform. Run the drill.",
            f"The window opens on {window.opens_on:%A} {window.opens_on.day} {window.opens_on:%B}.",
            (),
        )
    end = published_to()
    key = f"{provider.id}/holidays/{end.isoformat()}"
    if end - there < HOLIDAYS_SOON and key not in told:
        yield Notice(
            key,
            "soon",
            "holidays",
            frozenset({SUPPLIER}),
            False,
            "The table of bank holidays is near its end",
            "Compare it with GOV.UK, or install a newer version.",
            f"Bank holidays are known as published until {end.day} {end:%B %Y}; later windows are computed.",
            (),
        )


def _notice(
    obligation: Obligation, step: str, kind: str, roles: frozenset[str], urgent: bool, subject: str, next_step: str,
    says: str, ask: str = "",
) -> Notice:  # fmt: skip
    whom = _contact(ask)
    text = f"{says}\n\nNext step: {next_step}" + (f"\n\nWhom to ask: {whom}" if whom else "")
    return Notice(obligation.id, step, kind, roles, urgent, subject, next_step, text, (obligation.id,))


def _contact(cause: str) -> str:
    if cause == "supplier":
        return "the supplier of the source; its name is on the page Sources and drill."
    for one in enforcement.load_contacts(mapping.folder() / "contacts.toml"):
        if one["cause"] == cause:
            return f"{one['name']}, {one['how']} ({one['when']})."
    return ""


def _owed(location: Location, window: Window) -> Iterator[Obligation]:
    for care_type in location.care_types:
        yield Obligation(location.location_id, care_type, window.month)


def _rung(window: Window, alerts: Alerts, now: datetime) -> str:
    """Give the latest rung that has been reached, numbered so that two of one name are two."""
    if not window.is_open(now):
        return ""
    reached = [name for at, name in rungs(window, alerts) if at <= now]
    return f"{reached[-1]} #{len(reached)}" if reached else ""


def _flaps(last: Told, step: str, now: datetime) -> bool:
    """Say whether this is the to and fro of a source or receiver that comes and goes, at the same rung."""
    soft = ("waiting", "retrying", "due", "approve", "enter")
    same_rung = last.step.partition("@")[2] == step.partition("@")[2]
    return same_rung and step.startswith(soft) and last.step.startswith(soft) and now - last.at < FLAPPING


def _left(window: Window, now: datetime) -> str:
    rest = window.closes_at - now
    hours = int(rest.total_seconds()) // 3600
    return f"{hours // 24} days {hours % 24} hours" if hours >= 48 else f"{hours} hours"
