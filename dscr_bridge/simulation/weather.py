"""What goes wrong in one window, drawn from the seed: with the receiver, the network, the sources, the machines."""

import random
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from dscr_bridge.window import Window

# kind -> what a person would call it.  Receiver and network: how a request can go while the episode lasts.
NETWORK: Mapping[str, str] = {
    "offline": "the network is down: the request surely did not leave",
    "lost-request": "a request is lost; the sender waits in vain",
    "lost-answer": "the receiver commits, then the connection drops",
    "late-arrival": "a request arrives minutes or hours after the sender gave up",
    "twice": "the network delivers a request twice",
    "slow": "answers take half a minute, some longer than the sender waits",
}
RECEIVER: Mapping[str, str] = {
    "maintenance": "503 with Retry-After",
    "too-many": "a storm of 429 with Retry-After",
    "failed": "500",
    "html": "a maintenance page with status 200; nothing is stored",
    "html-after": "stored, and a maintenance page with status 200",
    "garbled": "stored, and half a receipt",
    "empty": "stored, and an empty answer",
    "wrong-sha": "stored, and a receipt for other bytes",
    "wrong-submission": "stored, and a receipt for another submission",
    "alter": "stored otherwise than sent",
    "forget": "a receipt for what is not stored",
    "unauthorised": "tokens are no longer valid",
    "token-refused": "the login is refused",
    "refuse": "the figures are refused",
    "redirect": "a redirect to another address",
    "schema": "the answers change their shape",
}
SOURCE: Mapping[str, str] = {
    "folder-gone": "the folder of the reports is not there",
    "file-missing": "a required report is missing",
    "cut-short": "a report breaks off in the middle of a row",
    "not-text": "a report is a file of another kind",
    "headings-only": "a report has its headings and not one row",
    "nothing-in-it": "a report is empty, without even headings",
}
MACHINE: Mapping[str, str] = {
    "crash-before-commit": "the process dies just before a commit",
    "crash-after-commit": "the process dies just after a commit",
    "crash-in-request": "the process dies while it waits for the receiver",
    "asleep": "the computer sleeps",
    "clock-ahead": "its clock runs ahead",
    "clock-behind": "its clock is behind",
    "disk-full": "the disk is full",
}
RECEIVER_CLOCK = {"receiver-clock": "the receiver's clock is off"}
PERSON: Mapping[str, str] = {
    "edit-before": "a person changed a figure on the platform before the bridge counted",
    "edit-amid": "a person changes a figure of one section while the bridge sends another",
    "edit-after": "a person changes a figure on the platform after the bridge counted, before or after it sent",
}
KINDS: Mapping[str, str] = {**NETWORK, **RECEIVER, **RECEIVER_CLOCK, **SOURCE, **MACHINE, **PERSON}
# Drawn apart from the others: while it lasts nothing else can strike.
OFF = {"off-throughout": "every computer is off for the whole window"}

# Where a person carries the figures there is no request that could go wrong; what can is the person and the page.
HANDS: Mapping[str, str] = {
    "person-away": "nobody is there to type in what waits",
    "platform-down": "the platform's pages do not open for the person",
    "forgets": "a person types it in and forgets to confirm until the next look",
}
BY_HAND: Mapping[str, str] = {**SOURCE, **MACHINE, **HANDS}

# Where the bridge types into a platform's screens: what the screens, the session and the platform do.
SCREENS: Mapping[str, str] = {
    "moved-field": "a field has moved on its screen",
    "renamed-label": "a field is called otherwise",
    "swapped-labels": "two fields have exchanged their labels",
    "new-question": "a new question must be answered",
    "news": "a page of news comes in place of the list of locations",
    "mfa": "the platform asks for a code at log-in",
    "session-ends": "the session ends",
    "maintenance-page": "a maintenance page",
    "keeps-old": "a save shows success and keeps the old values",
    "refused-by-page": "the platform does not accept a section",
}
EDIT_IN_BETWEEN = {"edit-in-between": "a person changes a section while the bridge is filling it"}
_WIRE = ("offline", "lost-request", "lost-answer", "slow")
PORTAL: Mapping[str, str] = {
    **{kind: NETWORK[kind] for kind in _WIRE}, **SCREENS, **EDIT_IN_BETWEEN, **SOURCE, **MACHINE, **PERSON,
    "person-away": HANDS["person-away"],
}  # fmt: skip

ASLEEP = ("asleep", *OFF)

WISHES = (5, 60, 900, 3600, 86_400)  # Retry-After, in seconds


@dataclass(frozen=True)
class Episode:
    """Something that goes wrong for a while."""

    kind: str
    start: datetime
    end: datetime
    machine: int = 0  # which machine, where it is about one
    chance: float = 1.0  # how many of the requests it strikes
    value: float = 0.0  # what the kind needs: seconds, a number of commits
    place: str = ""  # which report, which section

    def on(self, at: datetime) -> bool:
        """Say whether it lasts at an instant."""
        return self.start <= at < self.end


def of_window(
    chance: random.Random, window: Window, planned: datetime, machines: int, kinds_of_it: Mapping[str, str] = KINDS
) -> list[Episode]:
    """Draw what goes wrong around one window; a fifth of all windows are calm.

    In a seventh of them every computer is off until the last hours, so that whatever else happens, happens then.
    """
    if chance.random() < 0.2:
        return []
    kinds = chance.choices(list(kinds_of_it), k=chance.choice((1, 1, 1, 2, 2, 3, 5)))
    if chance.random() > 1 / 7:
        return [_episode(chance, kind, window, planned, machines) for kind in kinds]
    awake = window.closes_at - timedelta(minutes=chance.choice((15, 25, 45, 120, 360)) * chance.uniform(0.7, 1.3))
    off = [Episode("asleep", planned - timedelta(hours=3), awake, machine) for machine in range(machines)]
    return off + [_episode(chance, kind, window, awake, machines) for kind in kinds]


def off_for_all_of_it(chance: random.Random, window: Window, machines: int) -> list[Episode]:
    """Let every computer be off from before a window opens until hours after it has closed."""
    start = window.opens_at - timedelta(days=1)
    ends = (window.closes_at + timedelta(hours=chance.uniform(1, 60)) for _ in range(machines))
    return [Episode("off-throughout", start, end, machine) for machine, end in enumerate(ends)]


def _episode(chance: random.Random, kind: str, window: Window, begun: datetime, machines: int) -> Episode:
    """Draw one episode around the moment at which the work begins."""
    start = _start(chance, window, begun)
    end = start + _length(chance, kind, window.closes_at - start)
    machine = chance.randrange(machines)
    if kind in ("edit-amid", *EDIT_IN_BETWEEN):  # strike with the first section that arrives, or is opened
        return Episode(kind, begun - timedelta(hours=2), window.closes_at)
    if kind in PERSON:
        start = begun - timedelta(hours=chance.uniform(1, 30)) if kind == "edit-before" else begun + timedelta(
            seconds=chance.choice((chance.uniform(0, 2400), chance.uniform(0, 60), chance.uniform(0, 86_400 * 4))))
        start = min(max(start, window.opens_at + timedelta(seconds=1)), window.closes_at - timedelta(seconds=1))
        return Episode(kind, start, start, place=chance.choice(("beds", "workforce", "absence")))
    if kind in HANDS:
        away = chance.choice((0.3, 1, 3, 9)) * chance.uniform(0.5, 1)
        return Episode(kind, begun - timedelta(hours=1), begun + timedelta(days=away))
    if kind.startswith("crash"):
        return Episode(kind, begun - timedelta(hours=2), window.closes_at, machine, value=chance.randrange(1, 12))
    return Episode(kind, start, min(end, window.closes_at + timedelta(hours=6)), machine,
                   chance.choice((1.0, 1.0, 0.5, 0.2)), _value(chance, kind),
                   chance.choice(("beds", "workforce", "absence")))  # fmt: skip


def _start(chance: random.Random, window: Window, begun: datetime) -> datetime:
    """Begin where it hurts: around the moment at which the work begins, around the close, or anywhere in the window."""
    where = chance.random()
    if where < 0.75:
        return begun + timedelta(seconds=chance.uniform(-600, 1800))
    if where < 0.9:
        return window.closes_at - timedelta(seconds=chance.uniform(60, 14_000))
    return window.opens_at + (window.closes_at - window.opens_at) * chance.random()


def _length(chance: random.Random, kind: str, left: timedelta) -> timedelta:
    """Last seconds, minutes or hours; now and then until shortly before the close."""
    longest = chance.choice((60, 1200, 1800, 3600, 7200))
    if kind == "disk-full":  # everything is read anew each time, and cannot be written down
        return timedelta(seconds=chance.uniform(60, min(longest, 1800)))
    # A receiver that is down for days, or records that are broken for days, are asked again and again, which takes
    # long to simulate; a computer that is off does not.
    cheap = kind == "asleep" or left < timedelta(hours=6) or chance.random() < 0.03
    if timedelta(minutes=41) < left and cheap and chance.random() < 0.5:
        return left - timedelta(minutes=chance.uniform(2, 40))
    return timedelta(seconds=chance.uniform(longest / 10, longest))


def _value(chance: random.Random, kind: str) -> float:
    if kind in ("maintenance", "too-many"):
        return float(chance.choice(WISHES))
    if kind in ("clock-ahead", "clock-behind", "receiver-clock"):
        ahead = kind == "clock-ahead" or (kind == "receiver-clock" and chance.random() < 0.5)
        longest = (
            chance.choice((30, 300, 3600))
            if kind == "receiver-clock"
            else chance.choice((60, 3600, 86_400, 86_400 * 9))
        )
        return (1 if ahead else -1) * chance.uniform(1, longest)
    return 0.0
