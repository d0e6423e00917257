"""Judges one FHIR R4 resource: its faults as a path that FHIR names and one of our rules, never as text of a record.

`fhir.resources` (R4B) is the judge.  Its messages quote values, and its places can be keys that somebody invented: of
both only what the table of R4 elements knows is kept.
"""

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from fhir.resources.R4B import get_fhir_model_class
from pydantic import ValidationError

from dscr_bridge.views.elements import Definition, choice_name, definitions, resource_types

_KINDS = {"missing": "required_missing", "extra_forbidden": "not_in_fhir", "value_error": "not_well_written",
          "list_type": "must_be_a_list", "tuple_type": "must_be_a_list",
          "string_pattern_mismatch": "not_well_written"}  # fmt: skip
# What a server adds to what was asked for by `_elements`, and what no judge is asked about.
ALWAYS = frozenset({"resourceType", "id", "meta", "implicitRules", "language"})

Found = tuple[str, str]


def judge(resource: Mapping[str, Any], viewed: frozenset[str] | None) -> list[Found]:
    """Give each fault of a resource of a known type as (path, rule), once; `viewed` None judges it whole.

    Otherwise only the viewed top-level elements are judged: what was not asked for cannot be missing.
    """
    of = str(resource["resourceType"])
    wanted = None if viewed is None else names_of(of, viewed)
    part = resource if wanted is None else {k: v for k, v in resource.items() if k in wanted}
    try:
        get_fhir_model_class(of).model_validate({**part, "resourceType": of})
    except ValidationError as refused:
        told = refused.errors(include_input=False, include_url=False, include_context=False)
        found = [(_path(of, one["loc"]), _rule(one["type"], one["loc"])) for one in told]
        return list(dict.fromkeys(one for one in found if wanted is None or _is_viewed(of, one, wanted)))
    except Exception:  # noqa: BLE001  (the judge itself broke on it; its text may quote the record)
        return [(of, "not_judged")]
    return []


@cache
def names_of(of: str, viewed: frozenset[str]) -> frozenset[str]:
    """Give the JSON names of viewed elements, those of choices and of primitive extensions included."""
    known = definitions(of) or {}
    names = set(viewed) | ALWAYS
    for name in viewed:
        if name in known:
            names |= set(_json_names(known[name]))
    return frozenset(names | {f"_{name}" for name in names})


@cache
def required_of(of: str) -> frozenset[str]:
    """Give the JSON names of the elements that FHIR requires of a type, which a server must add unasked."""
    fields = get_fhir_model_class(of).model_fields.values()
    return frozenset(
        str(field.alias) for field in fields
        if isinstance(field.json_schema_extra, dict) and field.json_schema_extra.get("element_required")
    )  # fmt: skip


def is_type(of: object) -> bool:
    """Say whether a word is a resource type of FHIR R4."""
    return isinstance(of, str) and of in resource_types()


def _rule(kind: str, loc: tuple[int | str, ...]) -> str:
    if kind == "value_error" and not any(isinstance(step, str) for step in loc):
        return "not_one_choice"
    return _KINDS.get(kind, "wrong_kind")


def _path(of: str, loc: tuple[int | str, ...]) -> str:
    return ".".join([of, *_known(of, [step for step in loc if isinstance(step, str)])])


def _known(of: str, steps: list[str]) -> Iterator[str]:
    """Go down as far as FHIR names the steps; the first strange one ends the path."""
    types: tuple[str, ...] = (of,)
    for step in steps:
        found = next((hit for kind in types if (hit := _defined(kind, step))), None)
        if found is None:
            return
        element, types = found
        yield element


def _defined(kind: str, step: str) -> tuple[str, tuple[str, ...]] | None:
    known = definitions(kind) or {}
    if step in known:
        return step, known[step].types
    for one in known.values():
        if one.choice and step in _json_names(one):
            return step, tuple(of for of in one.types if choice_name(one.name, of) == step)
    return None


def _json_names(one: Definition) -> list[str]:
    return [choice_name(one.name, of) for of in one.types] if one.choice else [one.name]


def _is_viewed(of: str, found: Found, wanted: frozenset[str]) -> bool:
    path, rule = found
    first = path.removeprefix(f"{of}.").partition(".")[0]
    # A fault of the resource as such is about alternatives, which count only where all of them were asked for.
    return first in wanted if path != of else rule == "not_in_fhir"
