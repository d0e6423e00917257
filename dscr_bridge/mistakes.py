"""Mistakes in a file that a person wrote, in plain words and all at once.

pydantic quotes the offending value in its messages; a value can be a secret or come from a record.  Here only the
place, our own words, the keys that exist and the nearest of them are said.
"""

import types
import typing
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Annotated, Any

from pydantic import BaseModel, ValidationError


@dataclass(frozen=True)
class Mistake:
    """One mistake: where in the file, and what is wrong."""

    where: str
    what: str


def described(refused: ValidationError, model: type[BaseModel], document: Any) -> list[Mistake]:
    """Say each mistake that pydantic found in `document`, read as `model`, without repeating any value."""
    errors = refused.errors(include_input=False, include_url=False)
    places = [e["loc"] for e in errors]
    return [Mistake(_place(e["loc"], document), _what(e, model)) for e in errors if not _echo(e, places)]


def _echo(error: Any, places: list[tuple[int | str, ...]]) -> bool:
    """Say whether a list only seems short because pydantic dropped an entry that it has already complained of."""
    loc = error["loc"]
    return error["type"] == "too_short" and any(p != loc and p[: len(loc)] == loc for p in places)


def listed(mistakes: list[Mistake]) -> str:
    """Put mistakes under each other, with their number in front."""
    count = "one mistake" if len(mistakes) == 1 else f"{len(mistakes)} mistakes"
    return f"{count}." + "".join(f"\n  {m.where}: {m.what}" for m in mistakes)


def nearest(word: str, known: Collection[str]) -> str:
    """End a sentence with the nearest known word, or with all of them where none is near."""
    near = get_close_matches(word, known, 1)
    if near:
        return f'; did you mean "{near[0]}"?'
    return f"; known: {', '.join(sorted(known))}." if known else "."


_WORDS: Mapping[str, str] = {
    "missing": "is missing.", "string_type": "must be text in quotes.", "int_type": "must be a whole number.",
    "int_parsing": "must be a whole number.", "float_type": "must be a number.", "bool_type": "must be true or false.",
    "bool_parsing": "must be true or false.", "dict_type": "must be a table of keys.", "tuple_type": "must be a list.",
    "list_type": "must be a list.",
    "path_type": "must be a path in quotes.", "time_type": 'must be a time such as "10:00".',
    "time_parsing": 'must be a time such as "10:00".',
    "model_type": "must be a table of keys.", "too_short": "must have at least one entry.",
    "string_too_short": "must not be empty.", "string_too_long": "is too long.",
    "string_pattern_mismatch": "may hold only letters, digits, dots, hyphens and underscores.",
    "date_type": "must be a date such as 2026-12-28.",
    "date_from_datetime_parsing": "must be a date such as 2026-12-28.",
}  # fmt: skip


def _what(error: Any, model: type[BaseModel]) -> str:
    kind, context = error["type"], error.get("ctx", {})
    if kind == "value_error":
        return f"{context['error']}."  # the words of this module's own validators
    if kind in ("literal_error", "enum"):
        return f"must be one of {context['expected']}."
    if kind == "extra_forbidden":
        return "is not a key here" + nearest(str(error["loc"][-1]), _keys_at(model, error["loc"][:-1]))
    if kind in ("greater_than", "greater_than_equal", "less_than", "less_than_equal"):
        return f"must be {kind.replace('_', ' ').replace('equal', 'or equal to')} {next(iter(context.values()))}."
    return _WORDS.get(kind, "has the wrong form.")


def _place(loc: tuple[int | str, ...], document: Any) -> str:
    words: list[str] = []
    here: Any = document
    for step in loc:
        here = _inside(here, step)
        if isinstance(step, int) and words:
            name = here.get("name", here.get("id")) if isinstance(here, dict) else None
            words[-1] += f" {step + 1}" + (f" ({name})" if isinstance(name, str) else "")
        else:
            words.append(str(step))
    return ", ".join(words) or "the file"


def _inside(here: Any, step: int | str) -> Any:
    if isinstance(here, dict):
        return here.get(step)
    return here[step] if isinstance(here, list) and isinstance(step, int) and step < len(here) else None


def _keys_at(root: type[BaseModel], loc: tuple[int | str, ...]) -> list[str]:
    model: Any = root
    for step in loc:
        if isinstance(step, str) and isinstance(model, type) and issubclass(model, BaseModel):
            model = _model_in(model.model_fields[step].annotation) if step in model.model_fields else None
    return list(model.model_fields) if isinstance(model, type) and issubclass(model, BaseModel) else []


def _model_in(annotation: Any) -> Any:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    if typing.get_origin(annotation) in (tuple, list, typing.Union, types.UnionType, Annotated):
        return next((m for m in map(_model_in, typing.get_args(annotation)) if m is not None), None)
    return None
