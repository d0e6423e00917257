"""What people do with a web platform's screens: permit it, look whether they still match, fill, assist, record."""

from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from dscr_bridge import bridge as flow
from dscr_bridge import mapping, paper, sending
from dscr_bridge.config import Receiver
from dscr_bridge.deciding import named
from dscr_bridge.errors import BridgeError, ConfigError
from dscr_bridge.ledger import Decision
from dscr_bridge.opening import SOFTWARE, Bridge, portal_channel
from dscr_bridge.preparing import require_nothing_personal
from dscr_bridge.returns import Obligation, payloads

if TYPE_CHECKING:
    from dscr_bridge.submit.portal import Comparison, Person

_MOST_WORDS = 300


def permit(bridge: Bridge, *, reference: str, by: str, provider: str | None = None) -> list[Decision]:
    """Record that the platform's operator allows automated use, in writing, for a provider's account.

    Raises ConfigError without a name or a reference to that writing.
    """
    tidy = " ".join(reference.split())
    if not 5 <= len(tidy) <= _MOST_WORDS:
        raise ConfigError("portal permit", "the reference to the operator's written permission is missing.",
                          "Nothing was recorded.",
                          "Say who allowed it, in which letter or e-mail, of which day.")  # fmt: skip
    return [
        bridge.ledger.decide(f"provider:{one.id}", "portal_permitted", "portal", by=named(by), note=tidy)
        for one in bridge.config.provider if provider is None or one.id == provider.strip().upper()
    ]  # fmt: skip


def forbid(bridge: Bridge, *, by: str) -> None:
    """Record that the portal may not be used any more."""
    for one in bridge.config.provider:
        bridge.ledger.revoke(f"provider:{one.id}", "portal_permitted", "portal", by=named(by))


def check(bridge: Bridge, obligation: Obligation) -> list[tuple[str, BridgeError | None]]:
    """Open every screen of a return and say which match the script; nothing is filled or saved.

    Raises SubmissionRefused, ReceiverUnavailable or DefinitionError.
    """
    receiver = configured(bridge)
    with closing(portal_channel(bridge.config, receiver, bridge.world, bridge.ledger, mode="automatic")) as portal:
        return list(portal.look_at(obligation))


def fill(bridge: Bridge, obligation: Obligation, person: "Person | None", *, headed: bool) -> "list[Comparison]":
    """Fill every screen of a checked return, compare, show it to the person, and leave it unsaved."""
    (prepared,) = flow.prepare(bridge, [obligation])
    checked = prepared.required()
    require_nothing_personal(prepared)
    bodies = payloads(checked, ":".join((*obligation.id.split("/"), "0")), SOFTWARE)
    with closing(portal_channel(bridge.config, configured(bridge), bridge.world, bridge.ledger, mode="fill",
                                person=person, headed=headed)) as portal:  # fmt: skip
        return list(portal.fill(obligation, bodies))


def assist(bridge: Bridge, obligation: Obligation, person: "Person", *, headed: bool) -> sending.Outcome:
    """Fill screen after screen for a person who logs in and presses Save, and read back what stands there.

    Raises as `bridge.send` does.
    """
    (prepared,) = flow.prepare(bridge, [obligation])
    with closing(portal_channel(bridge.config, configured(bridge), bridge.world, bridge.ledger, mode="assisted",
                                person=person, headed=headed)) as portal:  # fmt: skip
        return flow.send_by(bridge, prepared, portal)


def record(
    bridge: Bridge, url: str, location: str, path: Path, ask: Callable[[str], bool], *, headed: bool, title: str,
    hosts: Sequence[str] = (),
) -> int:  # fmt: skip
    """Walk a person through the screens and write the proposed script; give the number of items that have a field.

    `hosts` are other hosts that its pages need, for example for logging in; nothing else is loaded.
    Raises ConfigError where a file is there already or there is no browser, ReceiverUnavailable where the platform
    does not answer or the window is closed.
    """
    from dscr_bridge.submit.portal import proposed, recorder
    from dscr_bridge.submit.portal.browser import Browser, NoAnswer
    from dscr_bridge.submit.portal.visit import no_answer

    if path.exists():
        raise ConfigError(str(path), "there is a file of that name already.", "Nothing was recorded.", "Give another.")
    found = bridge.config.location(location)[1]
    edition = mapping.edition_for(bridge.window().opens_on)
    with closing(Browser(url, bridge.world, hosts=hosts, headed=headed, pause_seconds=0.0)) as browser:
        recording = recorder.Recording(found.id, found.name, tuple(hosts))
        try:
            browser.run(lambda: browser.open("/"))
            browser.run(lambda: recorder.walk(browser, recording, found.care_types,
                                              lambda what: browser.meanwhile(lambda: ask(what))))  # fmt: skip
        except NoAnswer:
            raise no_answer("portal record") from None
    text = proposed.script_text(recording, edition, path.stem, title, bridge.world.now().date())
    paper.write_whole(path, text.encode())
    return text.count("[[screen.field]]")


def configured(bridge: Bridge) -> Receiver:
    """Give the configured portal.  Raises ConfigError where there is none."""
    for one in bridge.config.receivers():
        if one.channel == "portal":
            return one
    raise ConfigError("The portal", "the configuration has no way out of that kind.", "Nothing was opened.",
                      'Add channel = "portal" with url, portal and auth to receiver or a fallback.')  # fmt: skip
