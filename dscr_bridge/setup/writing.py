"""Write a configuration that explains itself: each key with the reason why somebody would change it.

Secrets go into files beside it that only their owner can read; the configuration names the files.
"""

import json
import os
from collections.abc import Iterator
from pathlib import Path

from dscr_bridge import paper
from dscr_bridge.returns import instant
from dscr_bridge.setup.answers import Answers, LocationAnswer, Login, ProviderAnswer, SourceAnswer
from dscr_bridge.setup.schema import SCHEMA_FILE, schema_text

SECRETS = "secrets"


def write_setup(folder: Path, answers: Answers) -> Path:
    """Write `config.toml`, its schema and the files of its secrets into a folder, and give the configuration's path.

    Raises OSError; FileExistsError before anything is written, where a configuration stands there already.
    """
    path = folder / "config.toml"
    if path.exists():
        raise FileExistsError(path)
    folder.mkdir(parents=True, exist_ok=True)
    for name, login in _logins(answers):
        if login is not None and login.secret:
            paper.write_whole(folder / SECRETS / name, f"{login.secret}\n".encode())
    (folder / SCHEMA_FILE).write_text(schema_text(), "utf-8")
    # Written last, and whole: a set-up that was broken off leaves no configuration that seems ready.
    aside = folder / f".config.toml.{os.getpid()}"
    aside.write_text(config_text(answers), "utf-8")
    os.replace(aside, path)
    return path


def config_text(answers: Answers) -> str:
    """Give the configuration as commented TOML."""
    parts = [*_top(answers), *_receiver(answers), *_services(answers)]
    for source in answers.sources:
        parts += ["", *_source(source)]
    parts += ["", *_provider(answers.provider)]
    return "\n".join(parts) + "\n"


def _top(answers: Answers) -> Iterator[str]:
    yield f"#:schema ./{SCHEMA_FILE}"
    yield "# The configuration of dscr-bridge. Check it with: dscr-bridge validate"
    yield "# Paths are relative to this file. A secret never stands here, only the name of the file that holds it."
    yield "config_version = 2"
    yield f"data_folder = {_text(answers.data_folder)}   # the ledger, receipts and evidence; back it up"
    yield "# review: a named person approves each return. automatic: sent when every check passes; the definitions were"
    yield "# approved by name once."
    yield f'mode = "{answers.mode}"'
    yield 'send_at = "10:00"                # UK time, on the first working day of the window: people are there to help'
    if answers.practice is None:
        yield 'log = "json"                     # or "plain", to read it yourself'
    else:
        yield 'log = "plain"                    # or "json", for programs that read it'


def _receiver(answers: Answers) -> Iterator[str]:
    yield from ("", "[receiver]")
    yield "# by-hand: the bridge makes a crib sheet in the order of the screens; a person types it in and confirms."
    yield "# bulk-file: the bridge fills a declared file, a person uploads it. receiver-api: it is sent by itself."
    yield f'channel = "{answers.channel}"'
    if answers.receiver_url:
        yield f'environment = "{answers.environment}"'
        yield f"url = {_text(answers.receiver_url)}"
    if answers.receiver_login is not None:
        yield _login("receiver.secret", answers.receiver_login)


def _services(answers: Answers) -> Iterator[str]:
    if answers.practice is not None:
        clock, since = answers.practice
        yield from ("", "# PRACTICE: the clock is simulated, and everything that is kept is stamped SIMULATED.")
        yield from ("[practice]", f"clock = {instant(clock)}", f"since = {instant(since)}")
    if answers.pages:
        yield from ("", "# The local pages, served beside `run`, for this machine only. Open them: dscr-bridge open")
        yield from ("[pages]", "port = 8610")
    yield from ("", "# /health/live, /health/ready and /metrics, for monitoring on this machine. No figure is there.")
    yield from ("[health]", "port = 8611")
    yield from ("", *_ALERTS)


_ALERTS = (
    "# Who is told when something needs a person. Put the address into a file of its own, for example",
    "# mailtos://user:password@mail.example.org?to=jo@example.org, and take the marks away:",
    "# [[alerts.contact]]",
    '# name = "Jo Example"',
    '# role = "manager"               # or group, supplier',
    f'# to = {{ file = "{SECRETS}/jo.address" }}',
)


def _source(source: SourceAnswer) -> Iterator[str]:
    yield f"# {source.title}"
    yield from ("[[source]]", f"name = {_text(source.name)}", f"connector = {_text(source.connector)}")
    if source.folder:
        yield f"folder = {_text(source.folder)}"
    else:
        yield f"url = {_text(source.url)}"
    if source.login is not None:
        yield _login(f"{source.name}.secret", source.login)


def _provider(provider: ProviderAnswer) -> Iterator[str]:
    yield from ("[[provider]]", f"id = {_text(provider.id)}                 # as on the CQC website")
    yield f"name = {_text(provider.name)}"
    if provider.settings:
        yield "settings = { " + ", ".join(f"{k} = {_text(v)}" for k, v in provider.settings) + " }"
    for one in provider.locations:
        yield from _location(one)


def _location(one: LocationAnswer) -> Iterator[str]:
    yield from ("", "[[provider.location]]", f"id = {_text(one.id)}", f"name = {_text(one.name)}")
    yield f"care_types = {json.dumps(list(one.care_types))}      # care_home, home_care, or both"
    yield f"sources = {json.dumps(list(one.sources))}            # the first that holds something fills it"
    if one.identifiers:
        yield f"identifiers = {json.dumps(list(one.identifiers))}    # what the sources call this location"


def _login(file: str, login: Login) -> str:
    keys = {"token_url": login.token_url, "client_id": login.client_id, "username": login.username}
    said = "".join(f", {key} = {_text(value)}" for key, value in keys.items() if value)
    return f'auth = {{ kind = "{login.kind}"{said}, secret = {{ file = "{SECRETS}/{file}" }} }}'


def _logins(answers: Answers) -> Iterator[tuple[str, Login | None]]:
    yield "receiver.secret", answers.receiver_login
    for source in answers.sources:
        yield f"{source.name}.secret", source.login


def _text(value: str) -> str:
    """Write a TOML basic string, whose escapes are those of JSON."""
    return json.dumps(value, ensure_ascii=False)
