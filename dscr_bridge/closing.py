"""Act on what comes due as the close nears: tell one level higher, follow the rule for silence, make the crib sheet.

Each act is done once for a return and its window, and is an event in the location's chain; the alerts read it there.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from dscr_bridge import log, mapping, nearing
from dscr_bridge.errors import BridgeError
from dscr_bridge.ledger import ObligationRow
from dscr_bridge.nearing import Step
from dscr_bridge.opening import Bridge
from dscr_bridge.reading import approved
from dscr_bridge.returns import CareType, CheckedReturn, Obligation
from dscr_bridge.submit import bulk_file
from dscr_bridge.window import Window

_log = log.room("closing")
_BY = "dscr-bridge"
# After a failure on this machine (a full disk) it is tried again soon, and never given up before the close.
_AGAIN = timedelta(minutes=5)


@dataclass(frozen=True)
class Flow:
    """What the flow lends to this room: it lies above, so it is given, not imported."""

    prepare: Callable[[Bridge, Iterable[Obligation]], Sequence[Any]]  # of preparing.Prepared
    send: Callable[[Bridge, Any], Any]
    sheet: Callable[[Bridge, Any], str]  # writes the crib sheet and gives its file name


def act(bridge: Bridge, flow: Flow, rows: Iterable[tuple[ObligationRow, Window]], now: datetime) -> datetime | None:
    """Do the steps that are due for these returns, and say when the next one is."""
    rows = list(rows)
    by_step: dict[Step, list[ObligationRow]] = defaultdict(list)
    coming: list[datetime] = []
    done: Mapping[str, set[str]] | None = None
    rules = bridge.config.before_close
    longest = timedelta(hours=max(rules.escalate_hours, rules.silence_hours, rules.by_hand_hours))
    for row, window in rows:
        if not window.is_open(now):
            continue
        if now < window.closes_at - longest:
            coming.append(window.closes_at - longest)
            continue
        if nearing.is_done(row):
            continue
        if done is None:
            done = _done(bridge, rows)
        found = nearing.steps(
            row,
            window,
            now,
            rules,
            done.get(row.obligation.id, ()),
            review=bridge.config.mode == "review",
        )
        coming += [found.next_at] if found.next_at else []
        for step in found.due:
            by_step[step].append(row)
    for row in by_step[Step.ESCALATE]:
        _note(bridge, Step.ESCALATE, row, {"reason": row.reason})
    coming += [now + _AGAIN for row in by_step[Step.FOLLOW_RULE] if not _follow(bridge, flow, row)]
    coming += [now + _AGAIN] if by_step[Step.BY_HAND] and not _by_hand(bridge, flow, by_step[Step.BY_HAND]) else []
    return min(coming, default=None)


def _follow(bridge: Bridge, flow: Flow, row: ObligationRow) -> bool:
    """Follow the rule that the provider chose in advance for a return that nobody approved."""
    rule, one = bridge.config.before_close.silence, row.obligation
    if rule == "stop":
        _note(bridge, Step.FOLLOW_RULE, row, {"rule": rule, "outcome": "stopped"})
        return True
    (prepared,) = flow.prepare(bridge, [one])
    if prepared.passed is None:
        outcome = "held"
    elif not approved(bridge, one.location, prepared.figures.fingerprint):
        outcome = "edition_not_approved"
    else:
        sent = {item for items in prepared.passed.sections.values() for item in items}
        outcome = "sent" if nearing.may_go_unseen(prepared.figures, sent, prepared.problems) else "not_wholly_counted"
    # Recorded before it is sent: a crash in between leaves the return to the ladder, never sent by a rule twice.
    _note(bridge, Step.FOLLOW_RULE, row, {"rule": rule, "outcome": outcome})
    if outcome == "sent":
        try:
            flow.send(bridge, prepared)
        except BridgeError as failure:
            _log.error(
                "rule_not_carried_out",
                location=one.location,
                care_type=one.care_type,
                window=one.window,
                error=type(failure).__name__,
            )
    return True


def _by_hand(bridge: Bridge, flow: Flow, rows: Sequence[ObligationRow]) -> bool:
    """Make the crib sheet of each return and the bulk files of all, and note it; False when the disk refused."""
    prepared = flow.prepare(bridge, [row.obligation for row in rows])
    try:
        files = _bulk_files(bridge, [p.passed for p in prepared if p.passed is not None and p.figures.figures])
        for row, one in zip(rows, prepared, strict=True):
            name = flow.sheet(bridge, one)
            detail = {
                "crib_sheet": name,
                "bulk_files": files.get(row.obligation.care_type, []),
                "state": row.state.value,
                "checked": one.passed is not None,
            }
            _note(bridge, Step.BY_HAND, row, detail)
    except (OSError, BridgeError) as failure:
        _log.error("crib_sheet_failed", error=type(failure).__name__)
        return False
    return True


def _bulk_files(bridge: Bridge, passed: Sequence[CheckedReturn]) -> dict[CareType, list[str]]:
    """Write every shipped layout of the monthly return; the ledger is not touched: the returns stay where they are."""
    made: dict[CareType, list[str]] = {}
    for path in sorted((mapping.folder() / "channels").glob("bulk-*.toml")):
        layout = bulk_file.load_layout(path.stem)
        rows = [
            bulk_file.Row(c, bridge.owing(c.checked.obligation.location)[1].name)
            for c in passed
            if c.checked.obligation.care_type is layout.care_type
        ]
        if layout.is_return and rows:
            bundle = bulk_file.write(
                bridge.config.data_folder / "bulk", layout, rows, bridge.world.now(), simulated=bridge.simulated
            )
            made.setdefault(layout.care_type, []).extend(one.path.name for one in bundle.files)
    return made


def _done(bridge: Bridge, rows: Sequence[tuple[ObligationRow, Window]]) -> Mapping[str, set[str]]:
    """Say what was done already, by obligation id: of one location alone, or of all at once."""
    done: dict[str, set[str]] = defaultdict(set)
    only = rows[0][0].obligation.location if len(rows) == 1 else None
    for step in Step:
        for one in bridge.ledger.decisions(only, step.value) if only else bridge.ledger.decided(step.value):
            done[one.key].add(step.value)
    return done


def _note(bridge: Bridge, step: Step, row: ObligationRow, detail: Mapping[str, Any]) -> None:
    one = row.obligation
    # In words too: the evidence pack prints the note.
    said = f"chosen in advance: {detail['rule']}; {detail['outcome']}" if step is Step.FOLLOW_RULE else None
    bridge.ledger.decide(one.location, step.value, one.id, by=_BY, note=said, detail=detail)
    _log.warning(step.value, location=one.location, care_type=one.care_type, window=one.window, state=row.state.value)
