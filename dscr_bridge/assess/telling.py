"""What the assessment and its judge, which is another process, tell each other."""

from collections.abc import Mapping

import msgspec

RULES: Mapping[str, str] = {
    "required_missing": "an element that FHIR requires is missing",
    "not_in_fhir": "holds an element that FHIR R4 does not have there",
    "wrong_kind": "is of another kind than FHIR R4 says",
    "not_well_written": "is not written as FHIR R4 writes it",
    "must_be_a_list": "must be a list",
    "not_one_choice": "none or several of the alternatives are given where FHIR R4 wants one",
    "not_judged": "cannot be judged",
}


class Task(msgspec.Struct):
    """What to judge: the viewed elements by resource type, whether whole resources, and how many of each type."""

    viewed: dict[str, list[str]]
    whole: bool = False
    most: int = 2000


class Frame(msgspec.Struct):
    """What the following `size` bytes are: an answer to a question, or lines of a file (no status)."""

    size: int
    resource: str = ""
    method: str = ""
    asked: dict[str, str] = {}
    status: int = 0


class Verdict(msgspec.Struct):
    """What is told: (type, path, rule) with how many, how many of each type were looked at, quirks, newest days."""

    faults: list[tuple[str, str, str, int]]
    looked_at: dict[str, int]
    quirks: list[str]
    newest: dict[str, str]
