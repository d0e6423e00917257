"""The flow, on one page.

    pull ──► decode ──► count ──► check ──► submit ──► receipt

`prepare` pulls the sources and counts and checks the returns: nothing leaves the building.  `send` sends one checked
return, section by section, and keeps its receipt.  `run_due` does whatever is due now and says when to ask again.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from itertools import zip_longest

from dscr_bridge import agenda, closing, due, edited, freeze, going_live, sending
from dscr_bridge.due import Act
from dscr_bridge.errors import SubmissionRefused, WindowClosed
from dscr_bridge.handing import keep_receipt, sheet_when_stuck, write_crib_sheet
from dscr_bridge.late import Late
from dscr_bridge.late import record as record_late
from dscr_bridge.ledger import TAKEN, ObligationState
from dscr_bridge.ledger.states import Happened
from dscr_bridge.opening import SOFTWARE, Bridge
from dscr_bridge.portions import RETURNS, portions
from dscr_bridge.preparing import (
    Prepared,
    as_decided,
    assembled_in_parts,
    figures_of,
    nil_stated,
    require_nothing_personal,
)
from dscr_bridge.reading import approved
from dscr_bridge.receipting import catch_up
from dscr_bridge.returns import CheckedReturn, Kind, Obligation, figures_sha256
from dscr_bridge.submit import Channel
from dscr_bridge.under_way import miss, name_what_was_missed, recorded, resume

# How soon a source that was down is asked again.
ASK_AGAIN = timedelta(minutes=10)
# Thousands of returns keep nobody waiting: after so long it is looked again what has become due meanwhile, which takes
# seconds where there are as many.
LOOK_AGAIN = timedelta(minutes=2)


def prepare(bridge: Bridge, wanted: Iterable[Obligation]) -> list[Prepared]:
    """Pull what these obligations need, count it and check it; each source is read once, however many need it.

    The keys that stand for people die with this call.  A source that fails takes down only the figures that need it:
    they get a state, never a zero.
    """
    wanted = list(wanted)
    counted = {one: figures_of(bridge, waist, one, read, as_at)
               for waist, read, as_at, these in assembled_in_parts(bridge, wanted) for one in these}  # fmt: skip
    prepared = [counted[one] for one in wanted]
    for one in prepared:
        bridge.remember(one)
    return prepared


def send(
    bridge: Bridge, prepared: Prepared, *, approved_by: str | None = None, late: Late | None = None,
    correct: bool = False,
) -> sending.Outcome:  # fmt: skip
    """Send a prepared return, or hand it to a person where there is no channel, and keep the receipt.

    `late` allows it after the close; who wants that, and why, is recorded before anything goes.
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
    require_left(bridge, prepared, late=late is not None, correct=correct)
    if late is not None and bridge.ledger.obligation(prepared.obligation).state not in TAKEN:
        record_late(bridge, prepared.obligation, late)
    if checked.checked.kind is not Kind.NIL and (stated := nil_stated(bridge, prepared.obligation)) is not None:
        bridge.ledger.revoke(stated.chain, stated.kind, stated.key, by=approved_by or "dscr-bridge")
    if approved_by is not None:
        bridge.ledger.decide(prepared.obligation.location, "return_approved", prepared.obligation.id, by=approved_by,
                             detail={"figures_sha256": figures_sha256(prepared.figures)},
                             obligation=prepared.obligation)  # fmt: skip
    channel = _way_of(bridge, prepared)
    if channel is None:
        return _hand_out(bridge, prepared, checked, late is not None, correct)
    return send_by(bridge, prepared, channel, late=late is not None, correct=correct)


def require_left(bridge: Bridge, prepared: Prepared, *, late: bool = False, correct: bool = False) -> None:
    """Raise WindowClosed or AlreadyAccepted where the ledger alone says that nothing may go; nothing is recorded.

    A refused sending thus leaves no approval behind.  Raises what stands in the way of a return that is held, too.
    """
    checked, channel = prepared.required(), _way_of(bridge, prepared)
    if channel is None:
        sending.require_to_hand_out(checked, bridge.ledger, bridge.world, window=prepared.window, late=late,
                                    correct=correct)  # fmt: skip
    else:
        sending.require_left(checked, bridge.ledger, channel, bridge.world, window=prepared.window, late=late,
                             correct=correct)  # fmt: skip


def _way_of(bridge: Bridge, prepared: Prepared) -> Channel | None:
    """Give the way out whose turn it is; none where a person carries it."""
    channel = bridge.channel_for(prepared.obligation)
    nil = prepared.figures.kind is Kind.NIL
    return None if channel is not None and nil and not channel.capabilities.nil else channel


def send_by(
    bridge: Bridge, prepared: Prepared, channel: Channel, *, late: bool = False, correct: bool = False
) -> sending.Outcome:  # fmt: skip
    """Send a prepared return by one channel and keep the receipt; where a portal stops, a crib sheet is made."""
    checked = prepared.required()
    require_nothing_personal(prepared)
    going_live.require_live(bridge, prepared.obligation)
    try:
        outcome = sending.send(checked, bridge.ledger, channel, bridge.world, window=prepared.window,
                               owner=bridge.owner, software=SOFTWARE, late=late, correct=correct)  # fmt: skip
    except SubmissionRefused:
        if channel.name == "portal":
            write_crib_sheet(bridge, prepared, checked)
        raise
    keep_receipt(bridge, prepared.obligation, prepared.window)
    return outcome


def run_due(bridge: Bridge, portion: int = RETURNS) -> datetime:
    """Do what is due now, each obligation by itself, and say the next moment worth asking: at once while more is due.

    So many are prepared at a time (see `portions`).
    Asking twice, late or from two processes does no harm: the ledger decides what was done already.
    """
    now, seen = bridge.world.now(), bridge.ledger.latest()
    name_what_was_missed(bridge, now)
    questions = list(agenda.questions(bridge, now))
    acts = due.acts(questions, now)
    for one in acts[Act.MISS]:
        miss(bridge, one)
    since = {q.row.obligation: due.waiting_since(q) for q in questions}
    under_way, not_begun = (portions(bridge, acts[act], since, portion) for act in (Act.RESUME, Act.PREPARE))
    left = _work_through(bridge, under_way, not_begun, now)
    bridge.rest()
    # What has not had its turn yet is not stuck: nothing is done about it before.
    had = (its for its in agenda.of_this_window(bridge, now) if its[0].changed_at or its[0].obligation not in left)
    nearing = closing.act(bridge, _LENT, had, now)
    if left:
        return bridge.world.now()
    if acts[Act.PREPARE] or bridge.ledger.latest() != seen:
        questions = list(agenda.questions(bridge, now))
    catch_up(bridge, ((q.row, q.window) for q in questions))
    again = due.next_moment(questions, bridge.window(now), now)
    return again if nearing is None else min(again, nearing)


def _work_through(
    bridge: Bridge, under_way: Iterable[list[Obligation]], not_begun: Iterable[list[Obligation]], now: datetime
) -> set[Obligation]:
    """Finish and begin portion by portion until it is time to look again, and give what has not had its turn.

    What is under way and what is not begun take turns: however many there are of one, the other goes on.
    """
    until, left = bridge.world.now() + LOOK_AGAIN, set[Obligation]()
    for to_finish, to_begin in zip_longest(under_way, not_begun):
        if left or bridge.world.now() >= until:
            left.update(to_finish or (), to_begin or ())
            continue
        if to_finish:
            _finish(bridge, to_finish)
        if to_begin:
            bridge.tried.update(dict.fromkeys(to_begin, now))
            bridge.world.each(lambda one: _settle(bridge, one), prepare(bridge, to_begin))
    return left


def _finish(bridge: Bridge, those: Iterable[Obligation]) -> None:
    """Finish what is under way; what of it has to be counted anew is read together."""
    if anew := [one for one in bridge.world.each(lambda one: resume(bridge, one), those) if one]:
        bridge.world.each(lambda one: _settle_anew(bridge, one), prepare(bridge, anew))


def run_one(bridge: Bridge, obligation: Obligation) -> datetime | None:
    """Do what is due now for one obligation alone, and say when it is worth asking again; None: not any more."""
    now = bridge.world.now()
    question = agenda.question(bridge, obligation, now)
    if question is None:
        return None
    act = due.turn(question.row, question.window, question.planned, now).act
    if act is Act.MISS:
        miss(bridge, obligation)
    elif act is Act.RESUME:
        _finish(bridge, [obligation])
    elif act is Act.PREPARE:
        bridge.tried[obligation] = now
        for prepared in prepare(bridge, [obligation]):
            _settle(bridge, prepared)
    bridge.rest()
    stands = [(bridge.ledger.obligation(obligation), question.window)]
    catch_up(bridge, stands)
    nearing = closing.act(bridge, _LENT, stands, now)
    left = agenda.question(bridge, obligation, now)
    if left is None or due.is_over(left, now):
        return None
    again = due.next_moment([left], left.window, now)
    return again if nearing is None else min(again, nearing)


def _hand_out(
    bridge: Bridge, prepared: Prepared, checked: CheckedReturn, late: bool, correct: bool
) -> sending.Outcome:  # fmt: skip
    """Write the crib sheet from which a person enters the return; it then waits for `confirm`."""
    outcome = sending.hand_out(checked, bridge.ledger, bridge.world, window=prepared.window, late=late, correct=correct)
    write_crib_sheet(bridge, prepared, checked)
    return outcome


def _settle_anew(bridge: Bridge, prepared: Prepared) -> None:
    """Send what was counted again: in review mode only figures that a person has approved; others wait for it again."""
    obligation = prepared.obligation
    if prepared.passed is None or bridge.config.mode != "review" or nil_stated(bridge, obligation) is not None:
        return _settle(bridge, prepared)
    row = bridge.ledger.obligation(obligation)
    if row.approved_by is None or row.figures_sha256 != figures_sha256(prepared.figures):
        bridge.ledger.record(obligation, Happened.HELD, {"reason": "figures_changed", "stops_sending": True})
        return
    with recorded(bridge, obligation):
        send(bridge, prepared)


def _settle(bridge: Bridge, prepared: Prepared) -> None:
    """Send what may go by itself; leave the rest where a person finds it, with the reason."""
    obligation, prepared = prepared.obligation, as_decided(bridge, prepared)
    channel = bridge.channel_for(obligation)
    changed = freeze.settle(bridge, obligation)
    if bridge.ledger.obligation(obligation).credited is not None:
        return  # a correction that got stuck: what was accepted stands, and only a person goes on with it
    if edited.stands_against(bridge, prepared.figures):
        return  # only a person says whose figure is right: by submitting, or by correcting the records
    if prepared.passed is None:
        _leave(bridge, prepared)
    elif changed:
        bridge.ledger.held(obligation, freeze.REASON, changed)
    elif prepared.figures.kind is Kind.NIL:
        stated = nil_stated(bridge, obligation)
        with recorded(bridge, obligation):
            send(bridge, prepared, approved_by=stated.by if stated else None)
    elif channel is not None and channel.name == "portal" and _refused(bridge, obligation):
        return  # a screen that differs, or a log-in that was refused, is not tried again without a person
    elif channel is not None and going_live.in_shadow(bridge, obligation.location):
        bridge.ledger.held(obligation, going_live.REASON)
    elif channel is not None and bridge.config.mode == "review":
        bridge.ledger.prepared(prepared.figures, sending.return_document(prepared.passed))
    elif channel is not None and not approved(bridge, obligation.location, prepared.figures.fingerprint):
        bridge.ledger.held(obligation, "edition_not_approved")
    else:
        with recorded(bridge, obligation):
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


_LENT = closing.Flow(prepare, send, sheet_when_stuck)
