"""A receiver that refuses, is away, hangs up or lies: one whole message, its exit code, and nothing is sent twice or lost."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import canaries
import pytest
from stage import CLOCK, Place, Ran, Simulator, everything_in, rose_cottage_at

from dscr_bridge.sandbox import processes
from dscr_bridge.sandbox.expected import Expected

# A machine that is busy with other things takes its time over so many processes.
pytestmark = pytest.mark.timeout(400)

ASKS_FIRST = ("The bridge asks the receiver before it sends anything again. Do nothing for now; if it stays like this for an hour, look "
              "at the return on the platform.")
NOT_KNOWN = "so it is not known whether the figures arrived."
NOT_TAKEN = "Nothing was accepted, and the bridge does not try by itself."
LATER = ("the receiver asked us to come back later.\nIt took nothing; a running bridge tries again by itself. Do nothing for now; if it goes "
         "on near the close, enter the figures by hand.")
RETURN = "{location}/care_home/2026-11"
REFUSED, WAITS, UNKNOWN = ("refused", "submission_refused"), ("retrying", "asked_to_wait"), ("unknown", "submission_unknown")


@dataclass(frozen=True)
class Case:
    """How the receiver misbehaves, what the person is told, and where the return stands."""

    levers: list[dict[str, Any]]
    code: int
    said: str
    state: tuple[str, str]
    arrived: tuple[str, ...] = ()


CASES = {
    "it refuses figures": Case(
        [{"kind": "refuse", "section": "beds", "value": "ch_beds_occupied"}], 42,
        f"{RETURN}, section beds: the receiver did not accept the figures of ch_beds_occupied.\nNothing of this section was accepted. "
        "Look at these figures with `dscr-bridge preview`, mend them in the record, and send again.", REFUSED, ("invalid-figures",)),
    "it refuses with words that are no item": Case(
        [{"kind": "refuse", "section": "beds", "value": "Canary00001Zq 9991234578"}], 42,
        f"{RETURN}, section beds: the receiver did not accept the figures of the section.\nNothing of this section was accepted. "
        "Look at these figures with `dscr-bridge preview`, mend them in the record, and send again.", REFUSED, ("invalid-figures",)),
    "the account may not": Case(
        [{"kind": "not-permitted"}], 42,
        f"{RETURN}: this account may not report for this location.\n{NOT_TAKEN} Ask the receiver's support to give the account the "
        "location.", REFUSED),
    "the token is refused": Case(
        [{"kind": "unauthorised"}], 42,
        f"{RETURN}: the receiver refused our login.\n{NOT_TAKEN} Ask the receiver's support whether the account is still good.", REFUSED),
    "the window is closed there": Case(
        [{"kind": "closed", "section": "beds"}], 43,
        f"{RETURN}, section beds: the receiver says that the reporting window is not open.\nNothing was accepted. Compare this computer's "
        "clock and the window (`dscr-bridge windows`) with the receiver's.", ("refused", "window_closed"), ("window-closed",)),
    "maintenance, with Retry-After": Case(
        [{"kind": "maintenance", "seconds": 1800}], 40, f"{RETURN}: {LATER}", WAITS),
    "maintenance in the middle": Case(
        [{"kind": "maintenance", "seconds": 1800, "section": "workforce"}], 40, f"{RETURN}, section workforce: {LATER}", WAITS,
        ("accepted", "maintenance")),
    "too many questions": Case(
        [{"kind": "too-many", "seconds": 900, "value": "date"}], 40, f"{RETURN}: {LATER}", WAITS),
    "it hangs up before it stores": Case(
        [{"kind": "time-out-before", "section": "beds"}], 41,
        f"{RETURN}, section beds: the answer did not come whole, {NOT_KNOWN}\n{ASKS_FIRST}", UNKNOWN),
    "it hangs up after it stored, and cannot be asked": Case(
        [{"kind": "time-out-after", "section": "beds", "times": 1}, {"kind": "maintenance", "seconds": 1800, "on": "submission"}], 41,
        f"{RETURN}: it is not known whether the figures arrived, and the receiver cannot be asked at the moment.\nNothing is sent again "
        "before it has answered; the bridge asks by itself. Do nothing for now; if it stays like this near the close, look at the return "
        "on the platform.", ("unknown", "asked_to_wait"), ("accepted",)),
    "a web page instead of a receipt": Case(
        [{"kind": "html", "section": "beds"}], 41,
        "{location}:care_home:2026-11:1, section beds: the answer is not a receipt, " + f"{NOT_KNOWN}\n{ASKS_FIRST}", UNKNOWN),
    "it fails": Case(
        [{"kind": "failed", "section": "beds"}], 41,
        f"{RETURN}, section beds: the receiver failed (500), {NOT_KNOWN}\n{ASKS_FIRST}", UNKNOWN, ("receiver-failed",) * 3),
    "it sends us elsewhere": Case(
        [{"kind": "redirect", "section": "beds", "value": "http://127.0.0.1:1/Canary00001Zq"}], 41,
        f"{RETURN}, section beds: the answer (307) is not one of the receiver's own, {NOT_KNOWN}\n{ASKS_FIRST}", UNKNOWN),
    "what stands there cannot be read": Case(
        [{"kind": "garbled", "on": "read"}], 40,
        f"{RETURN}: the receiver answered with something that cannot be read.\nNothing was sent; a running bridge tries again by itself. If this "
        "goes on, the receiver may be under maintenance: ask its support.", ("retrying", "receiver_unavailable")),
    "it stores something else than it was sent": Case(
        [{"kind": "alter", "section": "beds"}], 30,
        f"{RETURN}: what stands at the receiver is not what was sent.\nThe return is held: the bridge sends no more of it by itself. "
        "Compare the platform with `dscr-bridge preview`, mend the side that is wrong, and submit again.",
        ("held", "differs_on_record"), ("accepted", "accepted")),
}  # fmt: skip


# The slow one stores what it was sent after we have given up waiting, beside what we sent again under the same key.
SURVIVED: dict[str, dict[str, Any]] = {
    kind: {"kind": kind, "section": "beds"} for kind in ("garbled", "html-after", "wrong-sha", "time-out-after")
} | {"slow": {"kind": "slow", "section": "beds", "times": 1, "seconds": 5}}


@dataclass(frozen=True)
class Happened:
    """One place, told to submit while the receiver misbehaved, and once more when it behaved again."""

    place: Place
    first: Ran
    arrived: list[str]
    state: tuple[str, str | None] | None
    again: Ran | None = None


@pytest.fixture(scope="module")
def happened(
    tmp_path_factory: pytest.TempPathFactory, expected: Expected, receiver: Simulator
) -> Iterator[dict[str, Happened]]:
    """Let every place meet its misfortune at the same time: most of it is waiting."""
    levers = {name: case.levers for name, case in CASES.items()} | {
        kind: [lever] for kind, lever in SURVIVED.items()
    }
    places = {name: rose_cottage_at(tmp_path_factory.mktemp("place"), expected, receiver) for name in levers}
    places["slow"].configured(('channel = "receiver-api"', 'channel = "receiver-api"\ntimeout_seconds = 2'))
    receiver.pull(*({"location": places[name].location, **lever} for name in levers for lever in levers[name]))
    with ThreadPoolExecutor(4) as pool:
        first = dict(zip(places, pool.map(lambda place: place.run("submit", "--yes"), places.values()), strict=True))
        receiver.pull()
        found = {n: Happened(p, first[n], p.arrived(), p.state()) for n, p in places.items()}
        again = pool.map(lambda name: places[name].run("submit", "--yes"), CASES)
        found |= {name: replace(found[name], again=ran) for name, ran in zip(CASES, again, strict=True)}
    yield found
    left = everything_in([*(p.folder for p in places.values()), receiver.folder], [r for p in places.values() for r in p.said])
    assert not canaries.found_in(left, expected.canaries)


@pytest.mark.parametrize("name", CASES)
def test_what_a_receiver_does_wrong_is_told_whole_and_mended_later_without_sending_twice(
    happened: dict[str, Happened], name: str
) -> None:
    case, it = CASES[name], happened[name]
    assert it.first.message == case.said.format(location=it.place.location)
    assert (it.first.code, tuple(it.arrived), it.state) == (case.code, case.arrived, case.state)
    assert it.first.says_who_tries_again == (case.code in (40, 41))

    assert it.again is not None
    assert (it.again.code, it.again.message, it.place.state()) == (0, "", ("on_record", None))
    resent = 2 if case.code == 30 else 0  # a person submitted anew, as a second revision
    assert it.place.arrived().count("accepted") == 2 + resent


@pytest.mark.parametrize("kind", SURVIVED)
def test_a_receipt_that_cannot_be_believed_is_asked_for_again_and_nothing_is_sent_twice(
    happened: dict[str, Happened], kind: str
) -> None:
    it = happened[kind]
    assert (it.first.code, it.first.message) == (0, "")
    assert ([a for a in it.arrived if a != "repeated"], it.state) == (["accepted", "accepted"], ("on_record", None))


def test_a_login_that_the_receiver_refuses_is_told(rose_cottage: Callable[..., Place], receiver: Simulator) -> None:
    place = rose_cottage()
    receiver.pull({"kind": "token-refused"})
    ran, drill = place.run("submit", "--yes"), place.run("validate", "--connect")
    receiver.pull()
    said = ("The receiver's login: it refused our account (401).\nNothing was sent. Ask the receiver's support for a new client secret, "
            "and put it where the configuration says.")  # fmt: skip
    assert [(ran.code, ran.message), (drill.code, drill.message)] == [(42, said), (42, said)]
    assert (place.arrived(), place.state()) == ([], REFUSED)


def test_a_receiver_that_is_not_there_is_told_and_tried_again(tmp_path: Path, expected: Expected) -> None:
    folder = tmp_path / "receiver"
    with processes.start("receiver", folder, clock=CLOCK) as gone:
        place = rose_cottage_at(tmp_path / "place", expected, Simulator(gone, folder))
    ran = place.run("submit", "--yes")
    assert ran.message == ("The receiver's login: it did not answer.\nNothing was sent; a running bridge tries again by itself. If this goes on, "
                           "check that the receiver can be reached from this computer.")  # fmt: skip
    assert (ran.code, place.state()) == (40, ("retrying", "receiver_unavailable"))
    with processes.start("receiver", folder, clock=place.now(), port=int(gone.url.rpartition(":")[2])) as back:
        place.receiver = Simulator(back, folder)
        assert place.run("submit", "--yes").code == 0
        assert (place.arrived(), place.state()) == (["accepted", "accepted"], ("on_record", None))
    assert not canaries.found_in(everything_in([tmp_path / "place", folder], place.said), expected.canaries)
