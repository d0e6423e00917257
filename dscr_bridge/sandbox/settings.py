"""Write the configuration that the customer of the synthetic homes would have written."""

import json
from collections.abc import Iterator
from pathlib import Path

from dscr_bridge.sandbox.expected import Expected, Home, Source
from dscr_bridge.sandbox.registry import CLIENT_ID, CLIENT_SECRET


def write_settings(
    folder: Path, expected: Expected, *, receiver_url: str | None = None, care_record_url: str | None = None,
    mode: str = "automatic",
) -> Path:  # fmt: skip
    """Write `config.toml` and the sandbox's secret into a folder, and give the configuration's path.

    Without a care record the FHIR source is read from its NDJSON files; without a receiver the returns are entered by
    hand.
    """
    folder.mkdir(parents=True, exist_ok=True)
    secret = folder / "secret.txt"
    secret.write_text(CLIENT_SECRET, "utf-8")
    secret.chmod(0o600)
    lines = ["# Four synthetic homes of two providers: SIMULATED.", 'data_folder = "data"', f'mode = "{mode}"']
    lines += ["", *(f'[[platform_user]]\nname = "{name}"' for name in ("Sam Example", "Kit Example"))]
    lines += ["", "[receiver]", 'environment = "simulator"']
    lines += [f'channel = "receiver-api"\nurl = "{receiver_url}"', _login(receiver_url)] if receiver_url else []
    for home in expected.homes:
        for source in home.sources:
            lines += ["", *_source(source, care_record_url)]
    for provider, name in dict.fromkeys((home.provider, home.provider_name) for home in expected.homes):
        lines += ["", "[[provider]]", f'id = "{provider}"', f"name = {_text(name)}",
                  'settings = { zero_hours = "direct" }']
        lines += [line for home in expected.homes if home.provider == provider for line in _location(home)]
    path = folder / "config.toml"
    path.write_text("\n".join(lines) + "\n", "utf-8")
    return path


def _source(source: Source, care_record_url: str | None) -> Iterator[str]:
    yield from ("[[source]]", f'name = "{source.name}"', f'connector = "{source.connector}"')
    if source.served and care_record_url:
        yield from (f'url = "{care_record_url}"', _login(care_record_url))
    else:
        yield f"folder = {_text(source.folder.resolve())}"


def _location(home: Home) -> Iterator[str]:
    yield from ("", "[[provider.location]]", f'id = "{home.location}"', f"name = {_text(home.name)}")
    yield f"care_types = {json.dumps(list(home.care_types))}"
    yield f"sources = {json.dumps([source.name for source in home.sources])}"
    yield f'identifiers = ["{home.ods_code}"]'


def _login(url: str) -> str:
    return (f'auth = {{ kind = "client-credentials", token_url = "{url}/token", client_id = "{CLIENT_ID}", '
            'secret = { file = "secret.txt" } }')  # fmt: skip


def _text(value: object) -> str:
    """Write a TOML basic string, whose escapes are those of JSON."""
    return json.dumps(str(value), ensure_ascii=False)
