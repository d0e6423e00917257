"""The flow, on one page.

    pull ──► decode ──► count ──► check ──► submit ──► receipt

`prepare` pulls the sources and counts and checks the returns: nothing leaves the building.  `send` sends one checked
return, section by section, and keeps its receipt.  `run_due` does whatever is due now and says when to ask again.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from dscr_bridge import due, log, mapping, privacy, receipt, sending
from dscr_bridge.assemble import assemble
from dscr_bridge.check import Freshness, check
from dscr_bridge.count import count
from dscr_bridge.due import UNDER_WAY, Act
from dscr_bridge.errors import AlreadyAccepted, BridgeError, ReturnHeld
from dscr_bridge.opening import SOFTWARE, Bridge
from dscr_bridge.reading import (
    Read,
    approved,
    counting_settings,
    decisions,
    declared_rows,
    entry,
    freshness,
    previous_return,
    read_sources,
)
from dscr_bridge.returns import CheckedReturn, Level, Obligation, Problem, Return, State, figures_sha256, number
from dscr_bridge.submit import by_hand
from dscr_bridge.tables import BED_TYPES, Waist
from dscr_bridge.window import Window

_log = log.room("bridge")

# How soon a source that was down is asked again.
ASK_AGAIN = timedelta(minutes=10)


@dataclass(frozen=True)
class Prepared:
    """The figures of one obligation, counted and checked, and what stood in the way."""

    obligation: Obligation
    window: Window
    edition: mapping.Edition
    figures: Return
    problems: tuple[Problem, ...]
    passed: CheckedReturn | None
    failures: Mapping[str, Sequence[BridgeError]] = field(default_factory=dict)  # of its sources, by name
    holding: tuple[Problem, ...] = ()  # the problems that keep it from being sent
    freshness: tuple[Freshness, ...] = ()  # when its sources were read, and the newest change they stated
    coverage: tuple[tuple[str, str, str, int], ...] = ()  # table, how it was read, source, rows at this location

    @property
    def told(self) -> tuple[BridgeError, ...]:
        """What a person has to be told about its sources: of whole ones, and of files or types that were refused."""
        return tuple(failure for failures in self.failures.values() for failure in failures)

    def required(self) -> CheckedReturn:
        """Give the checked return.

        Where there is none it raises the failure of a source, which is the cause, else ReturnHeld with every reason.
        """
        if self.passed is not None:
            return self.passed
        for cause in self.told:
            raise cause
        reasons = "".join(f"\n  {p.message}" for p in self.holding)
        raise ReturnHeld(
            self.obligation.id,
            f"the return is held.{reasons}",
            "Nothing was sent.",
            "Mend the records or declare the missing figures, then prepare it again.",
        )


def prepare(bridge: Bridge, wanted: Iterable[Obligation]) -> list[Prepared]:
    """Pull what these obligations need, count it and check it; each source is read once, however many need it.

    The keys that stand for people die with this call.  A source that fails takes down only the figures that need it:
    they get a state, never a zero.
    """
    wanted = list(wanted)
    as_at = bridge.world.now()
    locations = list(dict.fromkeys(o.location for o in wanted))
    read = read_sources(bridge, locations, as_at)
    waist = assemble(read.records, [entry(bridge, one) for one in locations], {}, as_at)
    try:
        waist.add("operator_value", declared_rows(bridge, wanted, as_at))
        prepared = [_figures(bridge, waist, one, read, as_at) for one in wanted]
    finally:
        waist.close()
    for one in prepared:
        bridge.remember(one)
    return prepared


def send(
    bridge: Bridge, prepared: Prepared, *, approved_by: str | None = None, late: bool = False, correct: bool = False
) -> sending.Outcome:  # fmt: skip
    """Send a prepared return, or hand it to a person where there is no channel, and keep the receipt.

    Raises ReturnHeld, IdentifierFound, and whatever `sending.send` raises; what was done by then is in the ledger.
    """
    if prepared.passed is None:
        _leave(bridge, prepared)
    checked = prepared.required()
    _nothing_personal(prepared)
    if approved_by is not None:
        bridge.ledger.decide(prepared.obligation.location, "return_approved", prepared.obligation.id, by=approved_by,
                             detail={"figures_sha256": figures_sha256(prepared.figures)})  # fmt: skip
    if bridge.channel is None:
        return _hand_out(bridge, prepared, checked, late)
    outcome = sending.send(checked, bridge.ledger, bridge.channel, bridge.world, window=prepared.window,
                           owner=bridge.owner, software=SOFTWARE, late=late, correct=correct)  # fmt: skip
    keep_receipt(bridge, prepared.obligation, prepared.window)
    return outcome


def run_due(bridge: Bridge) -> datetime:
    """Do everything that is due now, each obligation by itself, and say the next moment worth asking.

    Asking twice, late or from two processes does no harm: the ledger decides what was done already.
    """
    now = bridge.world.now()
    acts = due.acts(_questions(bridge, now), now)
    for one in acts[Act.MISS]:
        bridge.ledger.missed(one)
    bridge.world.each(lambda one: _resume(bridge, one), acts[Act.RESUME])
    if acts[Act.PREPARE]:
        bridge.world.each(lambda one: _settle(bridge, one), prepare(bridge, acts[Act.PREPARE]))
    return due.next_moment(_questions(bridge, now), bridge.window(now), now)


def keep_receipt(bridge: Bridge, obligation: Obligation, window: Window) -> receipt.Written:
    """Write the receipt of a return, as JSON and as a page, into the data folder."""
    provider, location = bridge.owing(obligation.location)
    edition = mapping.edition_for(window.opens_on)
    document = sending.receipt_of(obligation, bridge.ledger, window, software=SOFTWARE, provider=provider.name,
                                  name=location.name, wordings=_titles(edition))  # fmt: skip
    return receipt.write(bridge.config.data_folder / "receipts", document)


def _figures(bridge: Bridge, waist: Waist, obligation: Obligation, read: Read, as_at: datetime) -> Prepared:
    provider, location = bridge.owing(obligation.location)
    window = bridge.window_named(obligation.window)
    edition = mapping.edition_for(window.opens_on)
    figures = count(
        waist, edition, obligation.location, obligation.care_type, obligation.window, as_at,
        in_window=window.is_open(as_at), settings=counting_settings(location), campaigns=bridge.campaigns,
        fingerprint=bridge.fingerprint(edition, location),
    )  # fmt: skip
    fresh = tuple(freshness(read, location))
    found = check(
        figures, edition, decisions=decisions(bridge, provider, obligation), now=bridge.world.now(),
        previous=previous_return(bridge, obligation), freshness=fresh,
    )  # fmt: skip
    failures = {name: read.failures[name] for name in location.sources if name in read.failures}
    holding = tuple(p for p in found.problems if p.level is Level.ERROR or p.rule in found.waiting)
    covered = waist.connection.execute("SELECT tbl, reading, source, rows FROM coverage WHERE loc_key = ?",
                                       (obligation.location,)).fetchall()  # fmt: skip
    return Prepared(obligation, window, edition, figures, found.problems, found.passed, failures, holding, fresh,
                    tuple(covered))  # fmt: skip


def _hand_out(bridge: Bridge, prepared: Prepared, checked: CheckedReturn, late: bool) -> sending.Outcome:
    """Write the crib sheet from which a person enters the return; it then waits for `confirm`."""
    outcome = sending.hand_out(checked, bridge.ledger, bridge.world, window=prepared.window, late=late)
    sheet = by_hand.crib_sheet(
        checked,
        by_hand.load_layout(mapping.folder() / "channels" / "crib-sheet.toml"),
        window=prepared.window,
        name=bridge.owing(prepared.obligation.location)[1].name,
        wordings=_titles(prepared.edition),
        previous=previous_return(bridge, prepared.obligation),
        simulated=bridge.simulated,
    )
    by_hand.write(bridge.config.data_folder / "crib-sheets", checked, sheet)
    return outcome


def _titles(edition: mapping.Edition) -> dict[str, str]:
    return {item.id: item.title for item in edition.items}


def _nothing_personal(prepared: Prepared) -> None:
    """Put the second lock on: only item ids, closed codes and numbers may leave."""
    words = {w for item in prepared.edition.items for w in (item.id, *item.options)} | {*State, *BED_TYPES}
    figures = {f.item: [f.state, number(f.value), dict(f.by or {})] for f in prepared.figures.figures}
    privacy.scan(figures, words, prepared.obligation.id)


def _questions(bridge: Bridge, now: datetime) -> Iterator[due.Question]:
    """Go through what may be due: everything owed now, and what was left open when the last window closed."""
    window = bridge.window(now)
    paused = {d.chain for d in bridge.ledger.decided("paused")}
    for w in (bridge.window_before(window), window):
        for one in bridge.obligations(w):
            row = bridge.ledger.obligation(one)
            if one.location in paused and now < w.closes_at and row.state not in UNDER_WAY:
                continue  # a named person stopped it; when the window closes on it, it is missed all the same
            if w is window or row.changed_at is not None:
                yield due.Question(row, w, bridge.planned_at(w, one.location))


def _resume(bridge: Bridge, obligation: Obligation) -> None:
    if bridge.channel is None:
        return
    window = bridge.window_named(obligation.window)
    with _recorded(obligation):
        sending.resume(obligation, bridge.ledger, bridge.channel, bridge.world, window=window, owner=bridge.owner)
        keep_receipt(bridge, obligation, window)


def _settle(bridge: Bridge, prepared: Prepared) -> None:
    """Send what may go by itself; leave the rest where a person finds it, with the reason."""
    obligation = prepared.obligation
    if prepared.passed is None:
        _leave(bridge, prepared)
    elif bridge.channel is not None and bridge.config.mode == "review":
        bridge.ledger.prepared(prepared.figures, sending.return_document(prepared.passed))
    elif bridge.channel is not None and not approved(bridge, obligation.location, prepared.figures.fingerprint):
        bridge.ledger.held(obligation, "edition_not_approved")
    else:
        with _recorded(obligation):
            send(bridge, prepared)


def _leave(bridge: Bridge, prepared: Prepared) -> None:
    """Record why a return cannot go: a source is down and will be asked again, or a person must act."""
    if any(failure.temporary for failure in prepared.told):
        bridge.ledger.waiting(prepared.obligation, "source_down", bridge.world.now() + ASK_AGAIN)
    else:
        reason = "source_failed" if prepared.told else "check_failed"
        bridge.ledger.held(prepared.obligation, reason, sorted({p.rule for p in prepared.holding}))


@contextmanager
def _recorded(obligation: Obligation) -> Iterator[None]:
    """Let one obligation fail without the others: what happened and when to try again is in the ledger."""
    try:
        yield
    except AlreadyAccepted:
        pass
    except BridgeError as failure:
        _log.error("sending_failed", location=obligation.location, care_type=obligation.care_type,
                   window=obligation.window, error=type(failure).__name__, exit_code=failure.exit_code)  # fmt: skip
