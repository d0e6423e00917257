"""Hostile bytes at every door: each parser gives what it promises or one error in our own words, which quotes nothing.

A few examples a door by default; DSCR_DOSE=full runs many.
"""

import json
import os
import string
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dscr_bridge import config, connector, mapping, register, setup
from dscr_bridge.doctor import regrown
from dscr_bridge.errors import BridgeError
from dscr_bridge.kit.rows import read_rows
from dscr_bridge.privacy.dates import BadValue, DateOrder, reader
from dscr_bridge.privacy.numbers import nhs_number
from dscr_bridge.pull.manifest import NoManifest, manifest
from dscr_bridge.submit import answers
from dscr_bridge.views.definition import read_definition

ROOT = Path(__file__).parents[2]
MONDAY = datetime(2026, 11, 9, 12, tzinfo=UTC)
CANARY = "zqxcanary"
EXAMPLES = {"full": 3_000}.get(os.environ.get("DSCR_DOSE", ""), 25)

pytestmark = pytest.mark.timeout(1800)

scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.just(CANARY)
documents = st.recursive(scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4), max_leaves=12)
SAMPLES = [
    (ROOT / "config.example.toml").read_bytes(),
    (ROOT / "connectors" / "staff-csv" / "connector.toml").read_bytes(),
    (ROOT / "mappings" / "capacity-tracker" / "2024-04-26.toml").read_bytes(),
    b'{"reference":"a","level":"accepted","section":"beds","submission_id":"x","body_sha256":"0","received_at":"2026-11-09T10:00:00Z"}',
    b'{"transactionTime":"2026-11-09T10:00:00Z","request":"x","output":[{"type":"Patient","url":"https://a.example/1"}]}',
]


@st.composite
def spoilt(draw: st.DrawFn) -> bytes:
    """Bytes of any kind, JSON of any kind, or a good file with a piece cut out, doubled or written over."""
    kind = draw(st.integers(0, 3))
    if kind == 0:
        return draw(st.binary(max_size=200))
    if kind == 1:
        return json.dumps(draw(documents)).encode()
    good = draw(st.sampled_from(SAMPLES))
    at, length = draw(st.integers(0, len(good))), draw(st.integers(0, 40))
    put = CANARY.encode() if kind == 2 else draw(st.binary(max_size=12))
    return good[:at] + put + good[at + length :]


def text(content: bytes) -> str:
    return content.decode("utf-8", errors="replace")


def written(folder: Path, name: str, content: bytes) -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


def as_json(content: bytes) -> Any:
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        return {}


NATIONAL = mapping.load_codes()
DOORS: dict[str, Callable[[bytes, Path], Any]] = {
    "configuration": lambda raw, folder: config.load(written(folder, "config.toml", raw)),
    "older configuration": lambda raw, _: setup.migrated(text(raw)),
    "connector": lambda raw, folder: connector.load(str(written(folder, "connector.toml", raw).parent), national=NATIONAL),
    "edition": lambda raw, folder: mapping.load_edition(written(folder, "edition.toml", raw)),
    "code list": lambda raw, folder: mapping.load_code_list(written(folder, "codes.toml", raw)),
    "receipt": lambda raw, _: answers.receipt(raw),
    "submission": lambda raw, _: answers.submission(raw),
    "standing": lambda raw, _: answers.standing(raw),
    "problem": lambda raw, _: answers.problem(raw),
    "token": lambda raw, _: answers.token(raw),
    "manifest of an export": lambda raw, _: manifest(raw),
    "extract of the register": lambda raw, folder: register.read_file(written(folder, "register.csv", raw), ["1-1"], ["1-2"], MONDAY),
    "kept register": lambda raw, folder: register.load(written(folder, "kept.json", raw)),
    "date": lambda raw, _: [reader(order, naive_is_london=True)(text(raw)[:40]) for order in DateOrder],
    "number": lambda raw, _: nhs_number(text(raw)),
    "rows of the kit": lambda raw, folder: read_rows(folder / "rows.json", as_json(raw)),
    "shape": lambda raw, _: regrown(as_json(raw), MONDAY),
    "view": lambda raw, _: read_definition("view", as_json(raw)),
}
# What a door may say beside the project's own errors: closed exceptions that its caller turns into one of those.
ITS_OWN = {"manifest of an export": (NoManifest,), "receipt": (answers.Unbelievable,), "submission": (answers.Unbelievable,),
           "standing": (answers.Unbelievable,), "token": (answers.Unbelievable,), "date": (BadValue,)}  # fmt: skip


@pytest.mark.parametrize("door", DOORS)
def test_hostile_bytes_give_what_was_promised_or_words_of_ours(door: str, tmp_path: Path) -> None:
    @settings(max_examples=EXAMPLES, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(spoilt())
    def knock(raw: bytes) -> None:
        try:
            DOORS[door](raw, tmp_path)
        except BridgeError as told:
            # A key may be named, since a person wrote it; no value may.
            assert told.do and (CANARY not in str(told) or door not in VALUES), str(told)
        except ITS_OWN.get(door, ()) as closed:
            assert CANARY not in str(closed)

    knock()


# What comes from a record or an answer is never repeated; in files that the customer wrote a wrong key is named.
VALUES = {"receipt", "submission", "standing", "problem", "token", "manifest of an export", "extract of the register", "date",
          "number", "kept register"}  # fmt: skip


@settings(max_examples=EXAMPLES, deadline=None, database=None)
@given(st.text(alphabet=string.printable, max_size=40))
def test_a_number_is_never_made_up(said: str) -> None:
    found = nhs_number(said)
    if found is not None:
        assert sum(c.isdigit() for c in said) >= 10
