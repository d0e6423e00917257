"""Record a platform's screens: a person opens each of them once, and the words on it are kept for a script.

It reads names, never values: nothing that stands in a field is kept.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace

from dscr_bridge.returns import CareType
from dscr_bridge.submit.portal.browser import Browser, NoAnswer
from dscr_bridge.submit.portal.seen import Seen


class StillThere(Exception):
    """The page is the one of the step before."""


@dataclass
class Recording:
    """The pages that a person showed."""

    location: str
    name: str
    hosts: tuple[str, ...] = ()      # other hosts that its pages needed
    login: Seen | None = None
    code: Seen | None = None
    home: Seen | None = None
    sections: dict[CareType, Seen] = field(default_factory=dict)
    screens: list[tuple[CareType, Seen]] = field(default_factory=list)
    held: dict[CareType, Seen] = field(default_factory=dict)
    saved: Seen | None = None


def walk(
    browser: Browser, recording: Recording, care_types: Sequence[CareType], ask: Callable[[str], bool],
    patience_seconds: float = 10.0,
) -> Recording:  # fmt: skip
    """Lead a person through the screens; `ask` says what to open next, and gives False for "there is no such page".

    A page counts when it has arrived whole, is at rest, and is another than the one before, all within the patience;
    else the person is asked again.  Raises NoAnswer where the browser is gone.
    """
    last: Seen | None = None

    def shown(what: str) -> Seen | None:
        nonlocal last
        asked = what
        while ask(asked):
            with suppress(StillThere):
                last = _next_page(browser, recording, last, patience_seconds)
                return last
            asked = f"{what} (the window still shows the page before)"
        return None

    recording.login = shown("the log-in page, before you log in")
    recording.code = shown("the page that asks for a second proof of who you are, such as a code")
    recording.home = shown("the list of your locations, after you have logged in")
    for care_type in care_types:
        called = care_type.replace("_", " ")
        if (sections := shown(f"the {called} return of {recording.name}: the list of its sections")) is not None:
            recording.sections[care_type] = sections
        while (screen := shown(f"the next section's screen of the {called} return")) is not None:
            recording.screens.append((care_type, screen))
        if (held := shown(f"the page that shows everything that is held for the {called} return")) is not None:
            recording.held[care_type] = held
    saved = shown("any screen that you have just saved and that says so")
    recording.saved = saved
    return recording


def _next_page(browser: Browser, recording: Recording, last: Seen | None, seconds: float) -> Seen:
    """Wait for a page that is another than the last: whoever shows it may be quicker than the platform."""
    try:
        seen = browser.at_rest(lambda s: _named_only(s, recording) != last, seconds)
    except NoAnswer:
        browser.look()  # NoAnswer where the window is gone
        raise StillThere from None
    return _named_only(seen, recording)


def _named_only(seen: Seen, recording: Recording) -> Seen:
    """Keep names only, of facts the ones about time; a title that names the location stands for every location."""
    controls = tuple(replace(c, value="") for c in seen.controls)
    facts = tuple((r, n, v if "updated" in n.lower() else "") for r, n, v in seen.facts)
    return replace(seen, title=_any_location(seen.title, recording), heading=_any_location(seen.heading, recording),
                   controls=controls, facts=facts)  # fmt: skip


def _any_location(text: str, recording: Recording) -> str:
    for told in filter(None, (recording.location, recording.name)):
        text = text.replace(told, "*")
    return text
