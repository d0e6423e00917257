"""Counts the kit's scenarios, or a supplier's exports of them, and says every figure that came out otherwise."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from dscr_bridge import mapping
from dscr_bridge.errors import BridgeError, ConfigError, DefinitionError
from dscr_bridge.kit.expected import Expected, read_expected, read_json
from dscr_bridge.kit.rows import read_rows
from dscr_bridge.mistakes import nearest
from dscr_bridge.returns import Return
from dscr_bridge.sandbox.scenarios.counting import Told, from_folders, from_rows
from dscr_bridge.sandbox.scenarios.homes_told import LOCATION_OF
from dscr_bridge.sandbox.scenarios.wanted import Difference, odd_differences, value_of
from dscr_bridge.sandbox.scenarios.writing import FORMS, told

ROWS = "rows"
_MARKED = ("marked as not complete", "marked as complete")


@dataclass(frozen=True)
class Exports:
    """A supplier's own exports of the scenarios: one folder a scenario below `folder`, named after it.

    With several connectors, one folder a connector below each.  The connector "rows" is none: it reads a rows.json.
    """

    folder: Path
    connectors: Sequence[str]  # shipped names, or paths of connector folders

    def rows_of(self, scenario: str) -> Path | None:
        """Give the canonical rows that were exported, if that is what is exported and they are there."""
        path = self.folder / scenario / "rows.json"
        return path if tuple(self.connectors) == (ROWS,) and path.is_file() else None

    def of(self, scenario: str) -> tuple[Told, ...]:
        """Say what reads a scenario's folder; nothing where there is none."""
        here = self.folder / scenario
        if not here.is_dir() or ROWS in self.connectors:
            return ()
        if len(self.connectors) == 1:
            return (Told(self.connectors[0], here),)
        return tuple(Told(one, here / one.rstrip("/").rpartition("/")[2]) for one in self.connectors)


@dataclass(frozen=True)
class Outcome:
    """How one telling of one scenario came out."""

    scenario: str
    title: str
    form: str                          # rows, fhir, csv, or export
    differences: tuple[Difference, ...] = ()
    refused: str = ""                  # why it could not be read at all

    @property
    def passed(self) -> bool:
        """Say whether everything came out as it must."""
        return not self.differences and not self.refused


@dataclass(frozen=True)
class Checked:
    """How a kit came out."""

    outcomes: tuple[Outcome, ...]
    not_covered: tuple[str, ...]  # scenarios that nothing tells
    same_definitions: bool        # the kit was written under the definitions that count it now

    @property
    def passed(self) -> bool:
        """Say whether every telling came out as it must, and there was one."""
        return bool(self.outcomes) and all(one.passed for one in self.outcomes)


def check_kit(
    folder: Path, exports: Exports | None = None, *, only: Iterable[str] = (), oddities: bool = True
) -> Checked:
    """Count the kit's own tellings, or a supplier's exports of them, and compare with what is expected.

    `only` names some scenarios, which must then be there; without `oddities` the figures alone are compared.
    Raises DefinitionError for a kit that cannot be read, ConfigError for exports that are not there.
    """
    head = read_json(folder / "kit.json")
    if exports is not None and not exports.folder.is_dir():
        raise ConfigError(str(exports.folder), "there is no such folder.", "Nothing was counted.",
                          "Name the folder with one export a scenario.")
    named = tuple(only)
    outcomes: list[Outcome] = []
    not_covered: list[str] = []
    for scenario in _scenarios(folder, named):
        expected = read_expected(scenario / "expected.json")
        found = list(_outcomes(scenario, expected, exports, oddities))
        if named and not found:
            found = [Outcome(scenario.name, expected.title, "export", refused="there is no export of it.")]
        outcomes += found
        not_covered += [] if found else [scenario.name]
    now = mapping.fingerprint(mapping.edition_for(date(2026, 11, 8)))
    return Checked(tuple(outcomes), tuple(not_covered), isinstance(head, dict) and head.get("definitions") == now)


def _scenarios(folder: Path, only: tuple[str, ...]) -> list[Path]:
    found = sorted(path.parent for path in (folder / "scenarios").glob("*/expected.json"))
    names = [path.name for path in found]
    for one in only:
        if one not in names:
            raise ConfigError("--only", f'the kit has no scenario "{one}"{nearest(one, names)}', "Nothing was counted.",
                              "Name scenarios of this kit.")
    if not found:
        raise DefinitionError(str(folder), "it holds no scenarios.", "Nothing was counted.",
                              "Write a kit with `dscr-bridge kit write FOLDER`.")
    return [path for path in found if not only or path.name in only]


def _outcomes(scenario: Path, expected: Expected, exports: Exports | None, oddities: bool) -> Iterator[Outcome]:
    if exports is not None:
        read_by = exports.rows_of(scenario.name) or exports.of(scenario.name)
        if read_by:
            yield _outcome(scenario, expected, "export", read_by, oddities)
        return
    if (scenario / "rows.json").is_file():
        yield _outcome(scenario, expected, ROWS, scenario / "rows.json", oddities)
    for form in FORMS:
        if (scenario / form).is_dir():
            yield _outcome(scenario, expected, form, told(form, scenario / form), oddities)


def _outcome(scenario: Path, expected: Expected, form: str, read_by: Path | Sequence[Told], oddities: bool) -> Outcome:
    try:
        returns = _counted(scenario, read_by)
    except DefinitionError:
        raise
    except BridgeError as refusal:
        return Outcome(scenario.name, expected.title, form, refused=str(refusal))
    found = [*_figures(scenario, expected, form, returns)]
    if oddities:
        where = expected.oddities.location
        found += odd_differences(expected.oddities.seen, where, returns[where].diagnostics)
    return Outcome(scenario.name, expected.title, form, tuple(found))


def _counted(scenario: Path, read_by: Path | Sequence[Told]) -> Mapping[str, Return]:
    """Count rows, or what products tell, by CQC location id."""
    if isinstance(read_by, Path):
        returns = from_rows(read_rows(read_by, read_json(read_by)))
    else:
        declared = scenario / "declared.json"
        said = read_rows(declared, read_json(declared))["operator_value"] if declared.is_file() else ()
        returns = from_folders(read_by, declared=said)
    return {LOCATION_OF[letter]: ret for letter, ret in returns.items()}


def _figures(scenario: Path, expected: Expected, form: str, returns: Mapping[str, Return]) -> Iterator[Difference]:
    not_told = dict(expected.not_told).get(form, ()) if form in FORMS else ()  # type: ignore[call-overload]
    for location, figures in expected.figures.items():
        ret = _named(scenario, location, returns)
        for item, value in figures.items():
            if item in not_told:
                continue
            got = value_of(ret, _known(scenario, item, ret))
            if got != value:
                yield Difference(location, item, _shown(value), _shown(got))
        wanted = {i for i in expected.incomplete.get(location, ()) if i not in not_told}
        open_now = {f.item for f in ret.figures if f.item in figures and f.item not in not_told and not f.complete}
        for item in sorted(wanted ^ open_now):
            yield Difference(location, item, *(_MARKED if item in wanted else reversed(_MARKED)))


def _named(scenario: Path, location: str, returns: Mapping[str, Return]) -> Return:
    if location not in returns:
        raise DefinitionError(str(scenario / "expected.json"), f'no home "{location}"{nearest(location, returns)}',
                              "Nothing was counted.", "Name a home of kit.json.")
    return returns[location]


def _known(scenario: Path, item: str, ret: Return) -> str:
    names = [*ret.context, *(f.item for f in ret.figures)]
    if item not in names:
        raise DefinitionError(str(scenario / "expected.json"), f'no figure "{item}"{nearest(item, names)}',
                              "Nothing was counted.", "`dscr-bridge explain list` names the items.")
    return item


def _shown(value: Any) -> str:
    return "no number" if value is None else f"{value:g}" if isinstance(value, float) else str(value)
