"""The words of an assessment for people: one place, so that page and terminal say the same."""

from collections.abc import Iterable, Mapping, Sequence

from dscr_bridge.assess.shape import MOST_JUDGED_MB, Assessment, Fault, Gap, Given, Grade, ItemLine
from dscr_bridge.assess.telling import RULES

GRADES: Mapping[Grade, str] = {
    Grade.A: "ready: what its connector reads arrived whole and was understood",
    Grade.B: "usable: the bridge copes; something should be mended",
    Grade.C: "partly usable: some of what it is meant to give cannot be counted",
    Grade.D: "not usable",
}

GIVEN: Mapping[Given, str] = {
    Given.YES: "yes",
    Given.PARTLY: "in part",
    Given.TO_SETTLE: "a setting or an answer is missing",
    Given.NO_RECORDS: "no such records came",
    Given.REFUSED: "the source does not permit it",
    Given.UNREADABLE: "could not be read",
    Given.NOT_ASKED: "not asked at this time",
    Given.BY_A_PERSON: "only a person can say it",
    Given.NOT_READ: "not for this source",
}

RULE_WORDS: Mapping[str, str] = {
    **RULES,
    "bad_type": "could not be used: is of another kind than it must be",
    "malformed": "could not be used: is no valid JSON or no valid line",
    "missing": "could not be used: something that a row needs is missing",
    "bad_date": "could not be used: is no date as the connector says that dates are written",
    "bad_number": "could not be used: is no number",
    "several": "could not be used: has several values where one is wanted",
    "time_without_offset": "could not be used: is a time without its offset",
    "impossible_time": "could not be used: is a time that did not exist (clocks went forward)",
    "ragged_row": "could not be used: a line has more or fewer cells than the header",
    "date_out_of_range": "is a date that cannot be right; it was taken as missing",
    "ambiguous_time": "is a time that exists twice, without its offset",
    "bad_nhs_number": "is not an NHS number where one should stand; it joins nobody",
    "more_pages": "is one page of several",
}

MEANINGS: Mapping[str, str] = {
    "given": "given",
    "elsewhere": "not for this source, whose connector reads no such records",
    "product": "MODS names it, and this source did not give it: ask the supplier",
    "standard": "not settled whether MODS asks for it: ask the supplier",
    "outside": "MODS does not ask a care record for it: take it from rota, HR, payroll or a person",
}

ASKED: Mapping[str, str] = {"yes": "yes", "part": "in part", "no": "no", "unknown": "not established"}


def rule_words(rule: str) -> str:
    """Say a rule; a kind of trouble with a whole file in its own word."""
    return RULE_WORDS.get(rule, rule.replace("_", " "))


def covered(items: Iterable[ItemLine]) -> tuple[int, int]:
    """Count the required items that can be given, and all of them that are asked at this time."""
    asked = [i for i in items if i.required and i.given is not Given.NOT_ASKED]
    return sum(i.given is Given.YES for i in asked), len(asked)


def merged(faults: Sequence[Fault]) -> list[Fault]:
    """Give faults with the most frequent first."""
    return sorted(faults, key=lambda f: (-f.n, f.resource, f.path, f.rule))


def lacking(gaps: Sequence[Gap]) -> list[Gap]:
    """Give the gaps that this edition feels: facts that an item needs, the connector reads and did not get."""
    return [gap for gap in gaps if gap.meaning not in ("given", "elsewhere") and gap.items]


def fault_place(fault: Fault) -> str:
    """Name where a fault is: the path, which begins with the type, or the type alone."""
    if fault.path.startswith(fault.resource):
        return fault.path
    return " ".join(filter(None, ("no known type" if fault.resource == "?" else fault.resource, fault.path)))


def judged_how(a: Assessment) -> str:
    """Say what was judged against FHIR R4."""
    if a.judged.looked_at is None:
        return "Not a FHIR source: its files were read by their columns."
    if a.judged.stopped:
        return "The judge of FHIR stopped before the end: its faults are not all."
    what = "Whole resources were" if a.judged.whole else "The elements that are read were"
    limit = f" and only the first {MOST_JUDGED_MB} MB of what came: there was more" if a.judged.limited else ""
    return f"{what} judged against FHIR R4, at most 2,000 of each type{limit}."
