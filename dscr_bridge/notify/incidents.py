"""What is worth telling now: one thread for each return, a step for each change, rungs that near the close.

Pure but for reading the ledger.  No figure and no count of people is ever in a notice.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta

from dscr_bridge.config import Location, Provider
from dscr_bridge.ledger import SETTLED, ObligationRow, ObligationState
from dscr_bridge.notify.causes import Cause, cause_of, contact
from dscr_bridge.notify.ladder import Rungs, left
from dscr_bridge.notify.ladder import rung as rung_of
from dscr_bridge.notify.notice import GROUP, MANAGER, SUPPLIER, Notice, Told
from dscr_bridge.notify.statutory import statutory
from dscr_bridge.notify.upkeep import before_window, certificates, clock, holidays
from dscr_bridge.opening import Bridge
from dscr_bridge.returns import CareType, Obligation
from dscr_bridge.window import LONDON, Window

FLAPPING = timedelta(hours=2)
_S = ObligationState
_CARE = {CareType.CARE_HOME: "care home", CareType.HOME_CARE: "home care"}

_GRAVE = frozenset({"24 hours", "4 hours", "last call"})


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
            found += _of_return(bridge, location, obligation, row, w, told, now)
        found += _of_provider(bridge, provider, its, w, told, now)
    for upkeep in (clock, holidays, certificates, statutory):
        found += upkeep(bridge, provider, told, now)
    return found


def _of_return(
    bridge: Bridge,
    location: Location,
    obligation: Obligation,
    row: ObligationRow,
    window: Window,
    told: Mapping[str, Told],
    now: datetime,
) -> Iterator[Notice]:
    last, by = told.get(obligation.id), Rungs(bridge.config.alerts, bridge.calendar)
    name = f"{location.name}, {_CARE[obligation.care_type]}, {window.opens_on:%B %Y}"
    if row.state in SETTLED and row.state is not _S.ON_RECORD_LATE:
        if last is None and row.state is _S.ON_RECORD and now < window.closes_at:
            yield _notice(obligation, "done", "receipt", frozenset({MANAGER}), False, name, "Nothing is left to do.",
                          "It was sent, accepted and read back: it is on record.")  # fmt: skip
        if last is not None and last.step != "done":
            yield _notice(obligation, "done", "recovered", frozenset({MANAGER, SUPPLIER}), False, name,
                          "It is done: nothing is left to do.", "The receipt is in the pages.")  # fmt: skip
        return
    cause = cause_of(row)
    if cause is None:
        if last is None or last.step == "done" or now < window.opens_at or now >= window.closes_at:
            return
        cause = Cause("due", "It goes on by itself.", "Nothing to do now.", frozenset({SUPPLIER}))
    rung = rung_of(window, by, now) if cause.word not in ("missed", "late") else ""
    if not rung and cause.word in ("due",):
        return
    step = f"{cause.word}@{rung}" if rung else cause.word
    if last is not None and (last.step == step or _flaps(last, step, now)):
        return
    grave = rung.split(" #")[0] in _GRAVE or cause.word in ("missed", "late", "refused")
    roles = cause.roles | ({MANAGER, GROUP} if grave else frozenset()) | ({MANAGER} if rung else frozenset())
    rest = f" Left until the close: {left(window, by, now)}." if now < window.closes_at else ""
    yield _notice(obligation, step, cause.word, roles, grave, name, cause.step, f"{cause.says}{rest}", cause.ask)


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
        yield from before_window(provider, window, told, now)


def _digest(
    bridge: Bridge, provider: Provider, its: list[tuple[Location, Obligation, ObligationRow]], window: Window,
    told: Mapping[str, Told], now: datetime,
) -> Iterator[Notice]:  # fmt: skip
    key, there = f"{provider.id}/{window.month}/digest", now.astimezone(LONDON)
    by = Rungs(bridge.config.alerts, bridge.calendar)
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
                 f"Left until the close: {left(window, by, now)}.", ())  # fmt: skip


def _notice(
    obligation: Obligation, step: str, kind: str, roles: frozenset[str], urgent: bool, subject: str, next_step: str,
    says: str, ask: str = "",
) -> Notice:  # fmt: skip
    whom = contact(ask)
    text = f"{says}\n\nNext step: {next_step}" + (f"\n\nWhom to ask: {whom}" if whom else "")
    return Notice(obligation.id, step, kind, roles, urgent, subject, next_step, text, (obligation.id,))


def _owed(location: Location, window: Window) -> Iterator[Obligation]:
    for care_type in location.care_types:
        yield Obligation(location.location_id, care_type, window.month)


def _flaps(last: Told, step: str, now: datetime) -> bool:
    """Say whether this is the to and fro of a source or receiver that comes and goes, at the same rung."""
    soft = ("waiting", "retrying", "due", "approve", "enter")
    same_rung = last.step.partition("@")[2] == step.partition("@")[2]
    return same_rung and step.startswith(soft) and last.step.startswith(soft) and now - last.at < FLAPPING
