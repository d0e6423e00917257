"""The worked examples beside an edition: a few records in, figures and problems out; run as tests."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from dscr_bridge.mapping.edition import Edition, edition_named
from dscr_bridge.mapping.mistakes import nearest, refused
from dscr_bridge.mapping.reading import Shape, Text, read
from dscr_bridge.mapping.settings import load_settings
from dscr_bridge.returns import CareType

_SUFFIX = ".examples.toml"


class _Example(Shape):
    says: Text
    records: Text
    care_type: Literal["care_home", "home_care"] = "care_home"
    figures: dict[str, int | float | str] = Field(default_factory=dict)
    rule: str | None = None
    speaks: Literal["error", "warning", "note"] | None = None
    seen: dict[str, int] = Field(default_factory=dict)           # oddities that the joining of records saw
    verified: list[str] = Field(default_factory=list)            # unsure items that somebody has verified
    previous: dict[str, int | float] = Field(default_factory=dict)  # figures of the last return
    unchanged_months: int = 0                                    # and of as many returns before it
    in_window: bool = True
    sent_after_days: int = 0
    source_quiet_days: int = 0
    settings: dict[str, Any] = Field(default_factory=dict)


class _File(Shape):
    example: list[_Example] = Field(min_length=1)


@dataclass(frozen=True)
class Example:
    """One worked example: of figures, or of a rule that speaks or is silent."""

    says: str
    records: str                        # one record a line, in the notation of the scenarios
    care_type: CareType
    figures: dict[str, int | float | str]
    rule: str | None = None
    speaks: str | None = None           # the level at which the rule speaks; None: it is silent
    given: dict[str, Any] | None = None  # what else is so: oddities seen, decisions, the last return, settings, times


def load_examples(edition: Edition) -> tuple[Example, ...]:
    """Load the examples of an edition; none where it has no file of them.  Raises DefinitionError."""
    path = edition.path.with_suffix(_SUFFIX)
    if not path.exists():
        return ()
    rows = read(path, _File).example
    mistakes = [mistake for n, row in enumerate(rows, 1) for mistake in _mistakes(row, f"example {n}", edition)]
    if mistakes:
        raise refused(path, mistakes)
    return tuple(_example(row) for row in rows)


def check_examples(path: Path) -> None:
    """Check a file of examples by the edition that it belongs to.  Raises DefinitionError."""
    load_examples(edition_named(str(path.with_name(path.name.removesuffix(_SUFFIX) + ".toml"))))


def _mistakes(row: _Example, at: str, edition: Edition) -> Iterator[str]:
    items = {str(i.id) for i in edition.items}
    for key, given in (("figures", row.figures), ("previous", row.previous), ("verified", row.verified)):
        yield from (f"{at} {key}: {i} is no item of the edition{nearest(i, items)}" for i in given if i not in items)
    rules = {r.id for r in edition.rules}
    if row.rule is not None and row.rule not in rules:
        yield f"{at} rule: {row.rule} is no rule of the edition{nearest(row.rule, rules)}"
    if row.rule is None and (row.speaks or not row.figures):
        yield f"{at}: shows neither figures nor a rule"
    known = {s.name: s for s in load_settings()}
    for name, value in row.settings.items():
        if name not in known:
            yield f"{at} settings: {name} is not a setting{nearest(name, known)}"
        elif not known[name].accepts(value):
            yield f"{at} settings: {name} must be {known[name].range}"


def _example(row: _Example) -> Example:
    plain = {"says", "records", "care_type", "figures", "rule", "speaks"}
    given = {name: getattr(row, name) for name in sorted(row.model_fields_set - plain)}
    return Example(row.says, row.records.strip(), CareType(row.care_type), row.figures, row.rule, row.speaks, given)
