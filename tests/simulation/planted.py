"""Bugs planted on purpose, each of a kind that would cost a provider its standing; run as a process of its own.

    python planted.py BUG SEED YEARS [FIRST [CHANNEL [MONTHS]]]

prints one JSON object: how many years were lived until the simulation caught it, and what it said.  `none` plants
nothing.  Nothing is planted in the product's own files: each function here puts one altered piece in its place.
"""

import json
import sys
from dataclasses import replace
from datetime import UTC, timedelta
from typing import Any


def none() -> None:
    """Plant nothing."""


def send_twice() -> None:
    """Nobody asks what became of a section: what may have arrived is simply sent again."""
    from dscr_bridge.ledger.states import SectionState
    from dscr_bridge.sending import rounds

    def _resolve(job: Any) -> Any:
        job.fresh = False
        row = job.ledger.obligation(job.obligation)
        unsent = tuple(s if s.state in rounds.DONE else replace(s, state=SectionState.NOT_SENT) for s in row.sections)
        return replace(row, sections=unsent)

    rounds._resolve = _resolve
    _press_save_whatever_stands()


def _press_save_whatever_stands() -> None:
    from dscr_bridge.submit.portal.sitting import Sitting

    Sitting._stands = lambda *_: False


def lost_receipt() -> None:
    """A receipt is understood and forgotten: it is not written down."""
    from dscr_bridge.ledger.states import Happened
    from dscr_bridge.sending import rounds

    noted = rounds._accepted

    def _accepted(receipt: Any) -> Any:
        kind, body, document = noted(receipt)
        return (Happened.READ_BACK, {"status": 200}, document) if receipt.section == "workforce" else (kind, body, document)

    rounds._accepted = _accepted


def missed_catch_up() -> None:
    """A computer that was off at the planned moment waits for the next month, as a scheduler with a grace time does."""
    from dscr_bridge import due

    turn = due.turn

    def _turn(row: Any, window: Any, planned: Any, now: Any) -> Any:
        if row.changed_at is None and planned + timedelta(minutes=15) < now < window.closes_at:
            return due.Turn(due.Act.NOTHING, window.closes_at)
        return turn(row, window, planned, now)

    due.turn = _turn


def time_zone_slip() -> None:
    """The bridge reads the calendar in UTC: all summer its windows open and close an hour late."""
    from dscr_bridge import due, opening
    from dscr_bridge.window import Window

    class Slipped(Window):
        @property
        def opens_at(self) -> Any:
            return super().opens_at.replace(tzinfo=UTC)

        @property
        def closes_at(self) -> Any:
            return super().closes_at.replace(tzinfo=UTC)

    def slipped(make: Any) -> Any:
        return lambda *given: Slipped(**vars(make(*given)))

    due.LONDON = UTC
    opening.named_window, opening.window_at = slipped(opening.named_window), slipped(opening.window_at)


def nil_from_an_empty_pull() -> None:
    """Where nothing could be read, or nothing was found, there is taken to be nobody."""
    from dscr_bridge import bridge
    from dscr_bridge.returns import Kind, seal

    decided = bridge.as_decided

    def as_decided(here: Any, prepared: Any) -> Any:
        prepared = decided(here, prepared)
        if prepared.passed is not None:
            return prepared
        nil = replace(prepared.figures, kind=Kind.NIL, figures=(), context={}, diagnostics={}, nil_reason="no_service_users")
        sections = dict.fromkeys(prepared.edition.sections[prepared.obligation.care_type], ())
        return replace(prepared, figures=nil, problems=(), passed=seal(nil, sections, (), ()), holding=(), failures={})

    bridge.as_decided = as_decided


def overwrite_a_person_s_edit() -> None:
    """Nobody looks whether a person has changed a figure on the platform, and no receiver is asked to mind it."""
    from dscr_bridge.sending import compare
    from dscr_bridge.submit.receiver_api import ReceiverApi

    compare.edited_since = lambda *_: []
    compare.edited_after_another = lambda *_: []
    made = ReceiverApi.__init__

    def __init__(self: Any, *given: Any, **named: Any) -> None:
        made(self, *given, **named)

        class Nothing(dict):  # type: ignore[type-arg]
            def __setitem__(self, *_: Any) -> None:
                pass

        self._seen = Nothing()

    ReceiverApi.__init__ = __init__
    _look_at_no_screen_again()


def _look_at_no_screen_again() -> None:
    from dscr_bridge.submit.portal.sitting import Sitting

    Sitting._require_unedited = Sitting._require_alone = lambda *_: None


def believe_any_clock() -> None:
    """Nobody compares our clock with the receiver's: what a clock that is days off counts is sent."""
    from dscr_bridge.sending import drive

    drive.require_same_day = lambda *_: None


def believe_the_page() -> None:
    """What a page says after Save is believed: nobody looks what stands there."""
    from dscr_bridge.returns import canonical
    from dscr_bridge.sending import compare
    from dscr_bridge.submit import Answer
    from dscr_bridge.submit.portal import plan
    from dscr_bridge.submit.portal.sitting import Sitting

    def _proved(self: Any, obligation: Any, section: Any, submission_id: Any, screen: Any, taken: Any, where: Any) -> Any:
        receipt = self.receipt(section, submission_id, self.world.now().replace(second=0, microsecond=0), taken)
        return Answer(200, canonical(receipt), self.world.now(), self.browser.clock)

    Sitting._proved, plan.same, compare.differences = _proved, lambda *_: True, lambda *_: []



def count_again_over_an_edit() -> None:
    """Figures that are counted again an hour after a person's change take its place: they are the newer ones."""
    from dscr_bridge import edited

    edited.stands_against = lambda *_: False


def overwrite_what_was_changed_after_another() -> None:
    """A bridge with a ledger of its own, which counts after a person's change, does not see that it followed a sending."""
    from dscr_bridge.sending import compare

    compare.edited_after_another = lambda *_: []


def forget_a_window() -> None:
    """What fell due while the computer was off is not looked for when it runs again."""
    from dscr_bridge import agenda

    agenda.never_asked = lambda *_: iter(())


BUGS = (send_twice, lost_receipt, missed_catch_up, time_zone_slip, nil_from_an_empty_pull, overwrite_a_person_s_edit,
        count_again_over_an_edit, overwrite_what_was_changed_after_another, forget_a_window,
        believe_the_page, believe_any_clock)  # fmt: skip


def main(
    bug: str, seed: str, years: int, first: int = 0, channel: str = "receiver-api", months: str = "12"
) -> None:  # fmt: skip
    """Plant a bug and live the years from `first` to the one before `years`, until it is caught."""
    {plant.__name__: plant for plant in (none, *BUGS)}[bug]()
    from dscr_bridge.simulation import live_a_year

    for number in range(first, years):
        ended = live_a_year(f"{seed}/{number}", channel=channel, months=int(months))
        if ended.violations:
            sys.stdout.write(json.dumps({"bug": bug, "caught": True, "years": number + 1, "said": ended.violations[0]}) + "\n")
            return
    sys.stdout.write(json.dumps({"bug": bug, "caught": False, "years": years, "said": ""}) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:3], *map(int, sys.argv[3:5]), *sys.argv[5:])
