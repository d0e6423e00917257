"""The words of the pages: what a state means for people, the one next step, events and instants in plain English."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from dscr_bridge.ledger import Event, ObligationRow, ObligationState
from dscr_bridge.mapping.settings import Setting
from dscr_bridge.paper import in_words
from dscr_bridge.returns import CareType, Figure, State, number
from dscr_bridge.window import LONDON, Window

CARE_TYPE: Mapping[CareType, str] = {CareType.CARE_HOME: "Care home", CareType.HOME_CARE: "Home care"}

# state -> (words, tone, the one next step, who takes it)
STANDING: Mapping[ObligationState, tuple[str, str, str, str]] = {
    ObligationState.NOT_DUE: ("Not due yet", "grey", "Nothing to do before the window opens", ""),
    ObligationState.DUE: ("Due", "blue", "The bridge prepares it by itself", "bridge"),
    ObligationState.WAITING: ("Waiting for a source", "yellow", "A source does not answer; the bridge asks again",
                              "supplier"),
    ObligationState.READY: ("Ready", "yellow", "Look at the figures and approve them", "manager"),
    ObligationState.HELD: ("Held", "red", "Look at what stands in the way", "manager"),
    ObligationState.SENDING: ("Being sent", "blue", "Nothing: it is on its way", ""),
    ObligationState.RETRYING: ("Trying again", "yellow", "The receiver could not be reached; the bridge tries again",
                               "bridge"),
    ObligationState.UNKNOWN: ("Asking the receiver", "yellow", "The bridge asks before it sends anything again",
                              "bridge"),
    ObligationState.REFUSED: ("Refused", "red", "Read why the receiver refused it", "manager"),
    ObligationState.ACCEPTED: ("Accepted", "turquoise", "The bridge still reads it back", "bridge"),
    ObligationState.ON_RECORD: ("On record", "green", "Nothing: it is done", ""),
    ObligationState.ON_RECORD_LATE: ("On record, late", "orange", "Keep the receipt; write down why it was late",
                                     "manager"),
    ObligationState.CONFIRMED_BY_HAND: ("Entered by hand", "green", "Nothing: it is done", ""),
    ObligationState.MISSED: ("Missed", "red", "Keep the evidence, and supply the figures late", "manager"),
}  # fmt: skip

REASONS: Mapping[str, str] = {
    "awaiting_confirmation": "Enter it on the platform from the crib sheet, then confirm it here",
    "held_by_person": "A person holds it: approve it to go on",
    "check_failed": "A check stands in the way: see the fix list",
    "edition_not_approved": "A named person must approve the definitions",
    "in_shadow": "Runs in shadow mode: enter it by hand as before, and state it with shadow enter",
    "source_down": "A source does not answer; the bridge asks again",
    "source_failed": "A source refused or could not be read: ask its supplier",
    "window_closed": "The window closed without an accepted return",
    "not_running": "The bridge did not run while the window was open",
    "clocks_differ": "Set this computer's date, time and time zone: its clock and the receiver's are far apart",
    "edited_by_person": "Somebody changed it on the platform: compare the two",
}

HOW: Mapping[State, str] = {
    State.COUNTED: "Counted",
    State.DECLARED: "Stated by a person",
    State.NOT_ASKED: "Not asked this month",
    State.UNSUPPORTED: "No source holds it",
    State.UNKNOWN: "Not known",
    State.TEMP_UNKNOWN: "Its source is down; it may still come",
    State.NOT_PERMITTED: "Its source does not let us read it",
    State.ERROR: "Could not be read whole",
}

HAPPENED: Mapping[str, str] = {
    "prepared": "Figures counted and checked; ready",
    "waiting": "Waiting: a source did not answer",
    "held": "Held for a person",
    "intended": "The exact bytes were stored and sending began",
    "sends_again": "What had not arrived is sent again",
    "answered": "An answer of the receiver was stored",
    "section_accepted": "A section was accepted",
    "section_refused": "A section was refused",
    "not_begun": "Could not begin: nothing was sent",
    "not_sent": "Not sent: the receiver could not be reached",
    "unknown": "No answer: the outcome was unknown",
    "asked": "The receiver was asked what it holds",
    "read_back": "Read back",
    "read_back_failed": "Reading back failed",
    "recorded": "Read back: every figure stands as it was sent",
    "adopted": "The same figures stood there already",
    "handed_out": "A crib sheet was made to enter it by hand",
    "confirmed_by_hand": "Entered by hand and confirmed",
    "missed": "The window closed without an accepted return",
    "declared": "A figure was stated",
    "declaration_withdrawn": "A stated figure was withdrawn",
    "decided": "A decision",
    "decision_withdrawn": "A decision was withdrawn",
    "in_use": "The bridge asked about this location for the first time",
    "anchored": "The heads of the chains were noted",
}

DECIDED: Mapping[str, str] = {
    "edition_approved": "Definitions approved", "item_verified": "Question compared with the live notice",
    "item_left_out": "Question left out", "rule_accepted": "Warning accepted", "return_approved": "Return approved",
    "return_held": "Return held", "sent_late": "Sending after the close", "paused": "Everything paused",
    "nil_stated": "Nothing to report, stated",
    "unchanged_stated": "Nothing has changed, stated", "escalated": "Told one level higher",
    "rule_followed": "The rule for silence was followed", "by_hand_made": "The sheet for entry by hand was made",
    "window_began": "What the window is counted with was fixed",
    "window_override": "A change within the window allowed",
    "register_read": "CQC register read", "checklist_done": "A step for a new location done",
    "supply_owed": "Figures to supply after a notice",
    "drilled": "Drill run", "assured": "Assurance documents made",
    "clocks_differ": "This computer's clock and the receiver's name different days",
    "told": "People were told", "case": "Enforcement case noted", "contacts_confirmed": "Contacts confirmed",
    "signed_in": "Signed in",
}  # fmt: skip


@dataclass(frozen=True)
class Shown:
    """A return's state as people see it."""

    words: str
    tone: str
    next_step: str
    who: str


def shown(state: ObligationState, row: ObligationRow) -> Shown:
    """Say where a return stands and the one next step."""
    words, tone, step, who = STANDING[state]
    if state is ObligationState.READY and row.reason == "awaiting_confirmation":
        words = "To enter by hand"
    if state is ObligationState.RETRYING and row.reason == "clocks_differ":
        return Shown("Clocks differ", "red", REASONS[row.reason], "supplier")
    return Shown(words, tone, REASONS.get(row.reason or "", step) if state in _EXPLAINED else step, who)


_EXPLAINED = frozenset(
    {
        ObligationState.HELD,
        ObligationState.READY,
        ObligationState.WAITING,
        ObligationState.REFUSED,
        ObligationState.MISSED,
    }
)


def day(at: date | datetime | None) -> str:
    """Write a London date in words, for example `Monday 16 November 2026`."""
    if at is None:
        return ""
    there = at.astimezone(LONDON) if isinstance(at, datetime) else at
    return f"{there:%A} {there.day} {there:%B %Y}"


def short_day(at: date | datetime | None) -> str:
    """Write a London date shortly, for example `16 Nov 2026`."""
    if at is None:
        return ""
    there = at.astimezone(LONDON) if isinstance(at, datetime) else at
    return f"{there.day} {there:%b %Y}"


def last_day(end: datetime) -> str:
    """Write the last London day of something that ends at an instant: an end at midnight belongs to the day before."""
    return day(end - timedelta(microseconds=1))


def clock(at: datetime | None) -> str:
    """Write an instant as London time, for example `16 Nov 2026, 10:05`."""
    return f"{short_day(at)}, {at.astimezone(LONDON):%H:%M}" if at else ""


def month(window: str) -> str:
    """Write a month in words, for example `November 2026`."""
    return f"{date.fromisoformat(f'{window}-01'):%B %Y}"


def left(until: datetime, now: datetime) -> str:
    """Say how much time is left, in the unit that matters."""
    rest = max(until - now, timedelta(0))
    hours = rest.seconds // 3600
    if rest.days >= 2:
        return f"{rest.days} days and {hours} hours" if hours else f"{rest.days} days"
    whole = int(rest.total_seconds())
    if whole >= 3600:
        return f"{whole // 3600} hours and {whole % 3600 // 60} minutes"
    return f"{whole // 60} minutes"


def rule_of_close(window: Window) -> str:
    """Say in a sentence why a window closes when it does."""
    said = "A window opens at the start of the 8th and closes at the end of the 14th"
    if window.closes_on.day == 14:
        return f"{said}, which is a working day this month."
    fourteenth = window.opens_on.replace(day=14)
    return f"{said}; {day(fourteenth)} is not a working day, so it closes at the end of the next one."


def value(figure: Figure) -> str:
    """Write a figure's value, or a dash: never a zero that is not one."""
    if figure.value is None:
        return "\N{EN DASH}"
    return in_words(figure.value) if isinstance(figure.value, str) else f"{number(figure.value):,}"


def how(figure: Figure) -> str:
    """Say how a figure was obtained, and what is doubtful about it."""
    said = f"Stated as a total by {figure.source}" if figure.reason == "file_total" else HOW[figure.state]
    if figure.state is State.COUNTED and figure.source and figure.reason != "file_total":
        said += f" from {figure.source}"
    if figure.value is None and figure.reason and figure.state is not State.NOT_ASKED:
        said += f" ({figure.reason.replace('_', ' ')})"
    if figure.counted_value is not None:
        said += f"; the records say {number(figure.counted_value):,}"
    return said if figure.complete else f"{said}; not complete"


def happened(event: Event) -> str:
    """Say what an event of the ledger was, without any figure."""
    body: Mapping[str, Any] = event.body
    if event.kind == "decided":
        said = DECIDED.get(body["kind"], in_words(body["kind"]))
        about = str(body["key"]).rpartition("/")[2]
        if body["kind"] in ("item_verified", "item_left_out", "rule_accepted"):
            said += f": {about.replace('_', ' ')}"
        return said
    said = HAPPENED.get(event.kind, in_words(event.kind))
    if event.kind == "declared":
        said += f": {in_words(body['item'])}"
    if body.get("section"):
        said += f": {str(body['section']).replace('_', ' ')}"
    if body.get("reason"):
        said += f" ({str(body['reason']).replace('_', ' ')})"
    return said


def who(event: Event) -> str:
    """Say who did what an event tells: a named person, or the bridge."""
    by = str(event.body.get("by") or "")
    return "the bridge" if by in ("", "dscr-bridge") else by


def setting(value: object) -> str:
    """Say what an edge rule is set to: a flag as yes or no, codes as words."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (list, tuple, frozenset)):
        return ", ".join(in_words(str(v)).lower() for v in value) or "none"
    return in_words(value).lower() if isinstance(value, str) else str(value)


def setting_range(one: Setting) -> str:
    """Say what an edge rule can be set to."""
    if one.type == "flag":
        return "yes or no"
    if one.choices:
        return f"can be {', '.join(in_words(c).lower() for c in one.choices)}"
    return one.range
