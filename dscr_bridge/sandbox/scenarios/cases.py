"""The scenarios as data: a title, the home in plain lines, what it counts to, and which oddities are seen."""

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from dscr_bridge import mapping
from dscr_bridge.sandbox.scenarios.notation import Line, read_lines
from dscr_bridge.sandbox.scenarios.wanted import Wanted, read_wanted

_OF_HOME_CARE = ("home_care", "tenants")


@dataclass(frozen=True)
class Scenario:
    """One situation and its right answer."""

    id: str
    part: str                       # beds, home_care, staff, absence, vaccination, mapping
    title: str
    text: str                       # what differs from the usual home, in lines
    lines: tuple[Line, ...]
    expected: str                   # as it is written
    wanted: tuple[Wanted, ...]
    oddities: Mapping[str, int]
    # How a product tells it in FHIR: JSON merge patches (RFC 7396) by `Type/id`; a resource that is not there is made.
    changes: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    settings: Mapping[str, object] = field(default_factory=dict)  # what the provider settled

    @property
    def home(self) -> str:
        """The home whose oddities are meant: A, or C for home care."""
        return "C" if self.part in _OF_HOME_CARE else "A"


def load(path: Path | None = None) -> tuple[Scenario, ...]:
    """Load the agreed scenarios, or another file of the same form; the usual home is that of the agreed ones."""
    agreed = _document(mapping.folder() / "scenarios.toml")
    return tuple(_from_rows(_document(path) if path else agreed, read_lines(agreed["home"])))


def load_told_in_fhir(path: Path | None = None) -> tuple[Scenario, ...]:
    """Load the situations that are told otherwise in FHIR, of the same usual home."""
    home = read_lines(_document(mapping.folder() / "scenarios.toml")["home"])
    document = _document(path or mapping.folder() / "scenarios-in-fhir.toml")
    return tuple(
        _scenario(name, "home_care" if name.startswith("U") else "mapping", home, row["title"], row.get("lines", ""),
                  row["expected"], row.get("oddities", ""), row.get("change", {}))
        for name, row in document.items()
    )  # fmt: skip


def _from_rows(document: Mapping[str, Any], home: tuple[Line, ...]) -> Iterator[Scenario]:
    for part, rows in document.items():
        if isinstance(rows, dict):
            for name, (title, text, expected, *more) in rows.items():
                odd, settings = (*more, "", {})[:2] if len(more) < 2 else more
                yield _scenario(name, part, home, title, text, expected, odd, None, settings)


def _scenario(name: str, part: str, home: tuple[Line, ...], title: str, text: str, expected: str, odd: str,
              changes: Mapping[str, Mapping[str, Any]] | None = None,
              settings: Mapping[str, object] | None = None) -> Scenario:  # fmt: skip
    oddities = {rule: int(n) for rule, n in (one.split() for one in odd.split("; ") if one)}
    return Scenario(name, part, title, text, read_lines(text, home), expected, read_wanted(expected), oddities,
                    changes or {}, settings or {})  # fmt: skip


@cache
def _document(path: Path) -> dict[str, Any]:
    return tomllib.loads(path.read_text("utf-8"))
