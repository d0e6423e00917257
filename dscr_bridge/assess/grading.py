"""The grade: each remark says how good the source can be at best, and the worst decides.

    D  the source could not be read at all, or no item can be counted from it
    C  something that its connector reads was refused, failed, is out of date, or is unreadable in more than one record
       in twenty
    B  some records or codes could not be used, or the source has a habit that should be mended
    A  none of these

What a person mends in the records (a stay left open) and what a connector never reads are told, and count for nothing
here: the grade is of the source and its interface, not of the home's record keeping or of what the product is for.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

from dscr_bridge.assess.shape import Assessment, Fault, Given, Grade, ItemLine, Judged, Quirk, Remark, Unmapped, about
from dscr_bridge.assess.telling import RULES
from dscr_bridge.tables import Reading, Records

_OFTEN = 20          # one record in so many
_STALE_DAYS = 35     # no change at all for longer than a month: more likely a dead feed than a quiet home
# Faults of which the record was used all the same: those that the judge of FHIR found, and these.
_USED = frozenset({*RULES, "date_out_of_range", "ambiguous_time", "bad_nhs_number"})

_READING = {
    Reading.NOT_PERMITTED: ("does not let us read", "Ask for read access to these record types, or set them to skip."),
    Reading.FAILED: ("could not be read for", "Read the refusals below; ask the supplier."),
    Reading.INCOMPLETE: ("says itself, or was found, to be incomplete for", "Ask the supplier what is missing."),
}


def remarks(
    records: Records | None, items: Sequence[ItemLine], faults: Sequence[Fault], unmapped: Sequence[Unmapped],
    quirks: Iterable[Quirk], judged: Judged, now: datetime,
) -> tuple[Remark, ...]:  # fmt: skip
    """Say everything that keeps the source from a better grade, the worst first; `records` None: nothing was read."""
    if records is None:
        return (Remark(Grade.D, "It could not be read at all.", "See what went wrong below, and mend that first."),)
    found = [*_of_items(items), *_of_readings(records), *_of_faults(faults, records), *_of_codes(unmapped, records),
             *_of_age(records, judged, now), *_of_quirks(quirks)]  # fmt: skip
    return tuple(sorted(found, key=lambda remark: remark.at_best, reverse=True))


def grade(found: Sequence[Remark]) -> Grade:
    """Give the worst."""
    return max((remark.at_best for remark in found), default=Grade.A)


def is_good_enough(assessment: Assessment, least: Grade) -> bool:
    """Say whether a source is at least so good."""
    return assessment.grade <= least


def _of_items(items: Sequence[ItemLine]) -> Iterator[Remark]:
    if not any(item.given in (Given.YES, Given.PARTLY) for item in items):
        yield Remark(Grade.D, "No item of the return can be counted from it.",
                     "Check that it holds this location's records, under an identifier that the configuration names.")


def _of_readings(records: Records) -> Iterator[Remark]:
    for reading, (says, do) in _READING.items():
        tables = sorted(table for table, ended in records.reading.items() if ended is reading)
        if tables:
            yield Remark(Grade.C, f"It {says}: {', '.join(table.replace('_', ' ') for table in tables)}.", do)


def _of_faults(faults: Sequence[Fault], records: Records) -> Iterator[Remark]:
    lost = [fault for fault in faults if fault.rule not in _USED]
    for resource in sorted({fault.resource for fault in lost}):
        n, of = sum(f.n for f in lost if f.resource == resource), records.received.get(resource, 0)
        at_best = Grade.C if n * _OFTEN > of else Grade.B
        yield Remark(at_best, f"Records of {_named(resource)} that could not be used: {about(n)}.",
                     "Mend the elements named under faults.")
    if any(fault.rule in RULES for fault in faults):
        yield Remark(Grade.B, "Some records are not valid FHIR R4 in elements that are read.",
                     "Mend the elements named under faults.")


def _of_codes(unmapped: Sequence[Unmapped], records: Records) -> Iterator[Remark]:
    for one in unmapped:
        at_best = Grade.C if one.n * _OFTEN > records.received.get(one.resource, 0) else Grade.B
        yield Remark(at_best, f"Codes or words of {one.element} in {_named(one.resource)} that no list knows: "
                     f"{about(one.n)}.", one.says)


def _of_age(records: Records, judged: Judged, now: datetime) -> Iterator[Remark]:
    stated = [*(judged.newest or {}).values()]
    if records.newest:
        stated.append(datetime.fromisoformat(records.newest).date())
    if stated and (now.date() - max(stated)).days > _STALE_DAYS:
        yield Remark(Grade.C, f"Nothing in it changed for more than {_STALE_DAYS} days.",
                     "Check that the export still runs, or that the interface is fed from the live record.")


def _of_quirks(quirks: Iterable[Quirk]) -> Iterator[Remark]:
    for quirk in quirks:
        if quirk.mend:
            yield Remark(Grade.B, f"It {quirk.says}.", "Ask the supplier to mend it.")


def _named(resource: str) -> str:
    return "no known type" if resource == "?" else resource
