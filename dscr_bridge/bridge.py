"""The flow, on one page.

    pull ──► decode ──► count ──► check ──► submit ──► receipt

`prepare` pulls the sources and counts and checks the returns: nothing leaves the building.  `send` sends one checked
return, section by section, and keeps its receipt.  `run_due` does whatever is due now and says when to ask again.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path

from dscr_bridge import closing, due, enforcement, freeze, log, mapping, privacy, receipt, sending
from dscr_bridge.assemble import assemble
from dscr_bridge.check import Freshness, NilEvidence, check, check_nil, restored
from dscr_bridge.choosing import surely_nothing_sent
from dscr_bridge.count import count
from dscr_bridge.due import UNDER_WAY, Act
from dscr_bridge.errors import AlreadyAccepted, BridgeError, ReturnHeld, SubmissionRefused, WindowClosed
from dscr_bridge.ledger import TAKEN, Decision, ObligationRow, ObligationState
from dscr_bridge.ledger.states import Happened
from dscr_bridge.mapping.nil import load_nil
from dscr_bridge.opening import SOFTWARE, Bridge
from dscr_bridge.reading import (
    Read,
    approved,
    counting_settings,
    decisions,
    declared_rows,
    entry,
    freshness,
    past_returns,
    previous_return,
    read_sources,
)
from dscr_bridge.returns import CheckedReturn, Kind, Level, Obligation, Problem, Return, State, figures_sha256, number
from dscr_bridge.submit import Channel, by_hand
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
    with assembled(bridge, wanted) as (waist, read, as_at):
        prepared = [figures_of(bridge, waist, one, read, as_at) for one in wanted]
    for one in prepared:
        bridge.remember(one)
    return prepared


@contextmanager
def assembled(bridge: Bridge, wanted: Sequence[Obligation]) -> Iterator[tuple[Waist, Read, datetime]]:
    """Read the sources of these obligations and join their records; with the block, all of a person is forgotten."""
    as_at = bridge.world.now()
    locations = list(dict.fromkeys(o.location for o in wanted))
    read = read_sources(bridge, locations, as_at)
    waist = assemble(read.records, [entry(bridge, one) for one in locations], {}, as_at)
    try:
        waist.add("operator_value", declared_rows(bridge, wanted, as_at))
        yield waist, read, as_at
    finally:
        waist.close()


def send(
    bridge: Bridge, prepared: Prepared, *, approved_by: str | None = None, late: bool = False, correct: bool = False
) -> sending.Outcome:  # fmt: skip
    """Send a prepared return, or hand it to a person where there is no channel, and keep the receipt.

    Raises ReturnHeld, IdentifierFound, and whatever `sending.send` raises; what was done by then is in the ledger.
    """
    if prepared.passed is None:
        _leave(bridge, prepared)
    checked = prepared.required()
    require_nothing_personal(prepared)
    if correct or bridge.ledger.obligation(prepared.obligation).state not in TAKEN:  # else nothing will be sent
        freeze.require_as_it_began(bridge, prepared.obligation)
    if correct and not prepared.window.is_open(bridge.world.now()):
        raise WindowClosed(prepared.obligation.id, "a correction is taken inside the window only.", "Nothing was sent.",
                           "Write down what was wrong, and tell the Capacity Tracker support centre.")  # fmt: skip
    if checked.checked.kind is not Kind.NIL and (stated := _nil_stated(bridge, prepared.obligation)) is not None:
        bridge.ledger.revoke(stated.chain, stated.kind, stated.key, by=approved_by or "dscr-bridge")
    if approved_by is not None:
        bridge.ledger.decide(prepared.obligation.location, "return_approved", prepared.obligation.id, by=approved_by,
                             detail={"figures_sha256": figures_sha256(prepared.figures)},
                             obligation=prepared.obligation)  # fmt: skip
    channel = bridge.channel_for(prepared.obligation)
    if channel is None or (checked.checked.kind is Kind.NIL and not channel.capabilities.nil):
        return _hand_out(bridge, prepared, checked, late, correct)
    return send_by(bridge, prepared, channel, late=late, correct=correct)


def send_by(
    bridge: Bridge, prepared: Prepared, channel: Channel, *, late: bool = False, correct: bool = False
) -> sending.Outcome:  # fmt: skip
    """Send a prepared return by one channel and keep the receipt; where a portal stops, a crib sheet is made."""
    checked = prepared.required()
    require_nothing_personal(prepared)
    try:
        outcome = sending.send(checked, bridge.ledger, channel, bridge.world, window=prepared.window,
                               owner=bridge.owner, software=SOFTWARE, late=late, correct=correct)  # fmt: skip
    except SubmissionRefused:
        if channel.name == "portal":
            write_crib_sheet(bridge, prepared, checked)
        raise
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
        bridge.tried.update(dict.fromkeys(acts[Act.PREPARE], now))
        bridge.world.each(lambda one: _settle(bridge, one), prepare(bridge, acts[Act.PREPARE]))
    bridge.rest()
    nearing = closing.act(bridge, _LENT, _of_this_window(bridge, now), now)
    again = due.next_moment(_questions(bridge, now), bridge.window(now), now)
    return again if nearing is None else min(again, nearing)


def as_nil(bridge: Bridge, fresh: Prepared, reason: str, by: str, looked_at: str) -> Prepared:
    """Turn freshly prepared figures into a nil return that a named person decided, if nothing speaks against it."""
    _, location = bridge.owing(fresh.obligation.location)
    unread = tuple(sorted(name for name in location.sources if name in fresh.failures))
    ret = replace(fresh.figures, kind=Kind.NIL, figures=(), context={}, diagnostics={}, nil_reason=reason)
    evidence = NilEvidence(by, looked_at, fresh.figures, bool(location.sources), unread)
    found = check_nil(ret, fresh.edition, evidence, load_nil())
    # The failure of a source is told by the nil rule: it is that rule which holds the return.
    return replace(fresh, figures=ret, problems=found.problems, passed=found.passed, holding=found.problems,
                   failures={})  # fmt: skip


def _as_decided(bridge: Bridge, prepared: Prepared) -> Prepared:
    """Give the nil return where a named person decided one for this window; else the figures as they are."""
    stated = _nil_stated(bridge, prepared.obligation)
    if stated is None:
        return prepared
    return as_nil(bridge, prepared, stated.note or "", stated.by, stated.detail.get("looked_at", ""))


def _nil_stated(bridge: Bridge, obligation: Obligation) -> Decision | None:
    found = bridge.ledger.decisions(obligation.location, "nil_stated")
    return next((d for d in found if d.key == obligation.id), None)


def _of_this_window(bridge: Bridge, now: datetime) -> Iterator[tuple[ObligationRow, Window]]:
    window = bridge.window(now)
    if window.is_open(now):
        paused = {d.chain for d in bridge.ledger.decided("paused")}
        wanted = (o for o in bridge.obligations(window) if o.location not in paused)
        yield from ((bridge.ledger.obligation(o), window) for o in wanted)


def _sheet(bridge: Bridge, prepared: Prepared) -> str:
    """Write the crib sheet of a return that is stuck: as it was stored where it is under way, else as it is now."""
    row = bridge.ledger.obligation(prepared.obligation)
    if row.sections and row.return_sha256:
        stored = restored(bridge.ledger.document(row.return_sha256))
        return write_crib_sheet(bridge, replace(prepared, figures=stored.checked), stored).name
    decided = _as_decided(bridge, prepared)
    draft = decided.passed or by_hand.draft(decided.figures, decided.edition)
    return write_crib_sheet(bridge, decided, draft, decided.holding).name


def keep_receipt(bridge: Bridge, obligation: Obligation, window: Window) -> receipt.Written:
    """Write the receipt of a return, as JSON and as a page, into the data folder."""
    provider, location = bridge.owing(obligation.location)
    edition = mapping.edition_for(window.opens_on)
    document = sending.receipt_of(obligation, bridge.ledger, window, software=SOFTWARE, provider=provider.name,
                                  name=location.name, wordings=_titles(edition))  # fmt: skip
    return receipt.write(bridge.config.data_folder / "receipts", document)


def figures_of(
    bridge: Bridge,
    waist: Waist,
    obligation: Obligation,
    read: Read,
    as_at: datetime,
    edition: mapping.Edition | None = None,
) -> Prepared:  # fmt: skip
    """Count and check one return; under another edition than the window's own only to rehearse it."""
    provider, location = bridge.owing(obligation.location)
    window = bridge.window_named(obligation.window)
    edition = edition or mapping.edition_for(window.opens_on)
    figures = count(
        waist, edition, obligation.location, obligation.care_type, obligation.window, as_at,
        in_window=window.is_open(as_at), settings=counting_settings(location), campaigns=bridge.campaigns,
        fingerprint=bridge.fingerprint(edition, location),
    )  # fmt: skip
    fresh, past = tuple(freshness(read, location)), past_returns(bridge, obligation)
    found = check(
        figures, edition, decisions=decisions(bridge, provider, obligation), now=bridge.world.now(),
        previous=next(iter(past), None), freshness=fresh, history=past,
    )  # fmt: skip
    failures = {name: read.failures[name] for name in location.sources if name in read.failures}
    holding = tuple(p for p in found.problems if p.level is Level.ERROR or p.rule in found.waiting)
    covered = waist.connection.execute("SELECT tbl, reading, source, rows FROM coverage WHERE loc_key = ?",
                                       (obligation.location,)).fetchall()  # fmt: skip
    return Prepared(obligation, window, edition, figures, found.problems, found.passed, failures, holding, fresh,
                    tuple(covered))  # fmt: skip


def _hand_out(
    bridge: Bridge, prepared: Prepared, checked: CheckedReturn, late: bool, correct: bool
) -> sending.Outcome:  # fmt: skip
    """Write the crib sheet from which a person enters the return; it then waits for `confirm`."""
    outcome = sending.hand_out(checked, bridge.ledger, bridge.world, window=prepared.window, late=late, correct=correct)
    write_crib_sheet(bridge, prepared, checked)
    return outcome


def write_crib_sheet(
    bridge: Bridge, prepared: Prepared, checked: CheckedReturn | by_hand.Draft, unsettled: Sequence[Problem] = ()
) -> Path:  # fmt: skip
    """Write the page from which a person types a return in, and give its path.  Raises OSError."""
    sheet = by_hand.crib_sheet(
        checked,
        by_hand.load_layout(mapping.folder() / "channels" / "crib-sheet.toml"),
        window=prepared.window,
        name=bridge.owing(prepared.obligation.location)[1].name,
        wordings=_titles(prepared.edition),
        previous=previous_return(bridge, prepared.obligation),
        simulated=bridge.simulated,
        contacts=enforcement.load_contacts(mapping.folder() / "contacts.toml"),
        unsettled=unsettled,
    )
    return by_hand.write(bridge.config.data_folder / "crib-sheets", checked, sheet)


def _titles(edition: mapping.Edition) -> dict[str, str]:
    return {item.id: item.title for item in edition.items}


def require_nothing_personal(prepared: Prepared) -> None:
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
            tried = bridge.tried.get(one)
            if tried is not None and row.changed_at is not None and tried > row.changed_at:
                row = replace(row, changed_at=tried)  # nothing new was written: do not ask every minute
            if w is window or row.changed_at is not None:
                yield due.Question(row, w, bridge.planned_at(w, one.location))


def _resume(bridge: Bridge, obligation: Obligation) -> None:
    row, channel = bridge.ledger.obligation(obligation), bridge.channel_for(obligation)
    its_turn = row.channel in (None, channel.name if channel else None)
    if not sending.under_way(row) or (not its_turn and surely_nothing_sent(row)):
        return _begin_anew(bridge, row)
    if channel is None:
        return
    window = bridge.window_named(obligation.window)
    with _recorded(obligation):
        sending.resume(obligation, bridge.ledger, channel, bridge.world, window=window, owner=bridge.owner)
        keep_receipt(bridge, obligation, window)


def _begin_anew(bridge: Bridge, row: ObligationRow) -> None:
    """Count again what surely was not sent, and send it by the way out whose turn it is.

    In review mode only figures that a person has approved go; others wait for that person again.
    """
    if bridge.world.now() >= bridge.window_named(row.obligation.window).closes_at:
        bridge.ledger.missed(row.obligation)
        return
    if row.state is ObligationState.RETRYING and not _answers(bridge, row):
        return
    (prepared,) = prepare(bridge, [row.obligation])
    stated = _nil_stated(bridge, row.obligation)
    if prepared.passed is None or bridge.config.mode != "review" or stated is not None:
        return _settle(bridge, prepared)
    if row.approved_by is None or row.figures_sha256 != figures_sha256(prepared.figures):
        bridge.ledger.record(row.obligation, Happened.HELD, {"reason": "figures_changed", "stops_sending": True})
        return
    with _recorded(row.obligation):
        send(bridge, prepared)


def _answers(bridge: Bridge, row: ObligationRow) -> bool:
    """Say whether there is anybody to send to: sources are not read again and again for a receiver that is down."""
    channel = bridge.channel_for(row.obligation)
    if channel is None or not channel.capabilities.read_back:
        return True
    window = bridge.window_named(row.obligation.window)
    return sending.knock(row.obligation, bridge.ledger, channel, bridge.world, window=window, owner=bridge.owner)


def _settle(bridge: Bridge, prepared: Prepared) -> None:
    """Send what may go by itself; leave the rest where a person finds it, with the reason."""
    obligation, prepared = prepared.obligation, _as_decided(bridge, prepared)
    channel = bridge.channel_for(obligation)
    changed = freeze.settle(bridge, obligation)
    if bridge.ledger.obligation(obligation).credited is not None:
        return  # a correction that got stuck: what was accepted stands, and only a person goes on with it
    if prepared.passed is None:
        _leave(bridge, prepared)
    elif changed:
        bridge.ledger.held(obligation, freeze.REASON, changed)
    elif prepared.figures.kind is Kind.NIL:
        stated = _nil_stated(bridge, obligation)
        with _recorded(obligation):
            send(bridge, prepared, approved_by=stated.by if stated else None)
    elif channel is not None and channel.name == "portal" and _refused(bridge, obligation):
        return  # a screen that differs, or a log-in that was refused, is not tried again without a person
    elif channel is not None and bridge.config.mode == "review":
        bridge.ledger.prepared(prepared.figures, sending.return_document(prepared.passed))
    elif channel is not None and not approved(bridge, obligation.location, prepared.figures.fingerprint):
        bridge.ledger.held(obligation, "edition_not_approved")
    else:
        with _recorded(obligation):
            send(bridge, prepared)


def _refused(bridge: Bridge, obligation: Obligation) -> bool:
    return bridge.ledger.obligation(obligation).state is ObligationState.REFUSED


def _leave(bridge: Bridge, prepared: Prepared) -> None:
    """Record why a return cannot go: a source is down and will be asked again, or a person must act."""
    if any(failure.temporary for failure in prepared.told):
        bridge.ledger.waiting(prepared.obligation, "source_down", bridge.world.now() + ASK_AGAIN)
    else:
        reason = "source_failed" if prepared.told else "check_failed"
        bridge.ledger.held(prepared.obligation, reason, sorted({p.rule for p in prepared.holding}))


_LENT = closing.Flow(prepare, send, _sheet)


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
