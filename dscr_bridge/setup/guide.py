"""The guided set-up: few questions, each answer checked at once, with the reason and an example where one is wrong."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from pydantic import TypeAdapter, ValidationError

from dscr_bridge import bundled, mapping
from dscr_bridge.config import CqcId, Name, Url
from dscr_bridge.connector import Connector
from dscr_bridge.connector import load as load_connector
from dscr_bridge.setup.answers import Answers, LocationAnswer, Login, ProviderAnswer, SourceAnswer

Check = Callable[[str], str]  # gives the answer as it is kept; raises ValueError with words that tell what is wrong


class Ask(Protocol):
    """How a person is asked; the command line does it in a terminal."""

    def text(self, question: str, *, check: Check, default: str = "") -> str:
        """Ask until the check takes the answer."""

    def secret(self, question: str) -> str:
        """Ask without showing what is typed."""

    def one_of(self, question: str, choices: Mapping[str, str], default: str) -> str:
        """Let one be chosen by its number or name; gives the name."""

    def yes(self, question: str, *, default: bool) -> bool:
        """Ask a question of yes or no."""

    def say(self, words: str) -> None:
        """Say something in between."""


CARE_TYPES = {
    "care_home": "a care home, with or without nursing",
    "home_care": "home care; also supported living, extra care and Shared Lives",
    "both": "both, from one location",
}
CHANNELS = {
    "by-hand": "a person types the figures from a crib sheet (works today)",
    "bulk-file": "a person uploads a file that the bridge fills (works today, where you hold a layout)",
    "receiver-api": "a receiver that speaks this project's contract (today the simulator alone)",
}
_LOGINS = {
    "client-credentials": "a client id and a secret, for a token (most suppliers)",
    "bearer": "one token that the supplier gave",
    "basic": "a user name and a password",
    "api-key": "a key in a header",
    "smart-backend": "a private key (SMART Backend Services)",
    "none": "none",
}


def guided(ask: Ask, folder: Path) -> Answers:
    """Ask what a configuration needs; nothing is written, read or sent before the end, except to look at folders."""
    ask.say("A few questions. Nothing is written before the last one, and nothing is sent at all.")
    provider = ask.text("Registered provider, as on the CQC website", check=_named)
    provider_id = ask.text("Its CQC provider id, for example 1-101614751", check=_checked(CqcId))
    connectors = _connectors()
    sources: list[SourceAnswer] = []
    locations: list[LocationAnswer] = []
    while True:
        locations.append(_location(ask, sources, connectors, {one.id for one in locations}))
        if not ask.yes("Another location?", default=False):
            break
    channel = ask.one_of("How do the figures reach Capacity Tracker?", CHANNELS, "by-hand")
    url, login, environment = _receiver(ask, channel)
    mode = ask.one_of("Who lets a return go?", {
        "review": "a named person approves each return", "automatic": "it goes when every check passes",
    }, "review")  # fmt: skip
    data = ask.text("Folder for the ledger and the receipts", check=_new_folder(folder), default="data")
    made = ProviderAnswer(provider_id, provider, tuple(locations))
    return Answers(data, made, tuple(sources), mode, channel, url, environment, login)


def _location(
    ask: Ask, sources: list[SourceAnswer], connectors: Mapping[str, Connector], known: set[str]
) -> LocationAnswer:
    name = ask.text("Location, as people call it", check=_named)
    id_ = ask.text("Its CQC location id, for example 1-1234567890", check=_other_than(known))
    kind = ask.one_of("What is it?", CARE_TYPES, "care_home")
    mine: list[str] = []
    if sources:
        mine = [s.name for s in sources if ask.yes(f"Does {name} stand in the source {s.name} too?", default=True)]
    while not mine or ask.yes(f"Another source for {name}, for example its rota?", default=False):
        sources.append(_source(ask, sources, connectors))
        mine.append(sources[-1].name)
    called = ask.text("The code by which these sources call it (empty: its CQC id)", check=_plain)
    care_types = ("care_home", "home_care") if kind == "both" else (kind,)
    return LocationAnswer(id_, name, care_types, tuple(mine), (called,) if called else ())


def _source(ask: Ask, sources: Sequence[SourceAnswer], connectors: Mapping[str, Connector]) -> SourceAnswer:
    chosen = ask.one_of("Which system holds its records?", {n: c.title for n, c in connectors.items()}, "uk-core-fhir")
    connector = connectors[chosen]
    suggested = "care-record" if "fhir_search" in connector.reads_with else chosen
    taken = {s.name for s in sources}
    name = ask.text("A short name for this source", check=_free_name(taken),
                    default=suggested if suggested not in taken else f"{suggested}-{len(taken) + 1}")  # fmt: skip
    served = {"fhir_search", "bulk_export", "rest_json"} & set(connector.reads_with)
    files = {"ndjson_files", "tabular_files"} & set(connector.reads_with)
    if files and not (served and ask.yes("Does it answer at a web address (no: it writes files)?", default=True)):
        return SourceAnswer(name, chosen, connector.title,
                            folder=ask.text("The folder with its files", check=_folder))  # fmt: skip
    url = ask.text("Its address, for example https://care-record.example.org/fhir/R4", check=_checked(Url))
    offered = {kind: says for kind, says in _LOGINS.items() if kind in connector.auth or kind == "none"}
    kind = ask.one_of("How does the bridge log in there?", offered, next(iter(offered)))
    return SourceAnswer(name, chosen, connector.title, url=url, login=_login(ask, kind))


def _receiver(ask: Ask, channel: str) -> tuple[str, Login | None, str]:
    if channel != "receiver-api":
        return "", None, "live"
    url = ask.text("The receiver's address", check=_checked(Url))
    environment = ask.one_of("What is it?", {
        "simulator": "the simulator on this machine", "test": "a test system", "live": "the live system",
    }, "simulator")  # fmt: skip
    return url, _login(ask, "client-credentials"), environment


def _login(ask: Ask, kind: str) -> Login | None:
    if kind == "none":
        return None
    token_url = client_id = username = ""
    if kind == "client-credentials":
        token_url = ask.text("The address that gives tokens", check=_checked(Url))
    if kind in ("client-credentials", "smart-backend"):
        client_id = ask.text("The client id", check=_named)
    if kind == "basic":
        username = ask.text("The user name", check=_named)
    said = "The path of the private key" if kind == "smart-backend" else "The secret (it is not shown)"
    secret = ask.secret(said)
    if kind == "smart-backend" and secret:
        secret = Path(secret).expanduser().read_text("utf-8")
    return Login(kind, secret, token_url, client_id, username)


def _connectors() -> dict[str, Connector]:
    codes = mapping.load_codes()
    folders = sorted(path.parent.name for path in bundled.connectors().glob("*/connector.toml"))
    return {name: load_connector(name, national=codes) for name in folders}


def _checked(kind: Any) -> Check:
    """Check an answer as the configuration itself will, and say what is wrong in its words."""
    adapter: TypeAdapter[str] = TypeAdapter(kind)

    def check(answer: str) -> str:
        try:
            return adapter.validate_python(answer.strip())
        except ValidationError as refused:
            error = refused.errors(include_input=False, include_url=False)[0]
            said = error.get("ctx", {}).get("error")
            raise ValueError(f"That {said or 'has the wrong form: letters, digits, dots and hyphens only'}.") from None

    return check


def _named(answer: str) -> str:
    if not 1 <= len(answer.strip()) <= 120:
        raise ValueError("Write a name of up to 120 letters.")
    return answer.strip()


def _plain(answer: str) -> str:
    return answer.strip()


def _other_than(known: set[str]) -> Check:
    def check(answer: str) -> str:
        tidy = _checked(CqcId)(answer)
        if tidy in known:
            raise ValueError("That location is already in this configuration.")
        return tidy

    return check


def _free_name(taken: set[str]) -> Check:
    def check(answer: str) -> str:
        tidy = _checked(Name)(answer)
        if tidy in taken:
            raise ValueError("A source of that name is already there.")
        return tidy

    return check


def _folder(answer: str) -> str:
    """Check a folder that somebody names from where they are; it is kept as a whole path."""
    if not answer.strip():
        raise ValueError("Write the path of a folder.")
    path = Path(answer.strip()).expanduser().absolute()
    try:
        there = any(path.iterdir())
    except OSError:
        raise ValueError(f"There is no folder {path} that this account may read.") from None
    if not there:
        raise ValueError(f"The folder {path} is empty: let the system write its first report, then go on.")
    return str(path)


def _new_folder(base: Path) -> Check:
    def check(answer: str) -> str:
        path = base / Path(answer.strip() or "data").expanduser()
        if path.exists() and not path.is_dir():
            raise ValueError("There is a file of that name.")
        return answer.strip() or "data"

    return check
