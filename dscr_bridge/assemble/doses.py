"""Doses of one source, at the homes of the people who were given them."""

from collections.abc import Callable, Collection, Iterable
from typing import Any, NamedTuple

from dscr_bridge.assemble.moments import Snapshot
from dscr_bridge.assemble.rows import Key, rows_of
from dscr_bridge.tables import Records

_VETOES = frozenset({"not_seasonal", "declined", "not_given"})


class Dose(NamedTuple):
    """A dose, or a record that there was none; the columns are those of the canonical table."""

    vax_key: Key
    subject_key: Key
    subject_kind: str
    disease: str | None
    status: str
    earliest: str | None
    latest: str | None
    evidence: str
    subpotent: int | None
    secondary: int | None


Homes = Callable[[Key], Collection[str]]


def doses(records: Records, of_person: Homes, of_worker: Homes) -> Iterable[tuple[Dose, Collection[str]]]:
    """Give the doses of people who live, are served or work at a home, with those homes.

    Procedure first, then product, then target disease; a code that says not seasonal, declined or not given vetoes.
    """
    for (key, subject, kind, status, procedure, product, target, earliest, latest, subpotent,
         secondary) in rows_of(records, "dose"):  # fmt: skip
        homes = (of_person if kind == "person" else of_worker)(subject)
        if status == "void" or not homes:
            continue
        told = _told(procedure, product, target)
        evidence = ("hr_flag" if kind == "worker" else "procedure" if procedure not in (None, "none") else
                    "product" if product not in (None, "none") else "target_disease")  # fmt: skip
        yield Dose(key, subject, kind, told, status, earliest, latest, evidence, subpotent, secondary), homes


def _told(*codes: Any) -> str | None:
    if not _VETOES.isdisjoint(codes):
        return "not_seasonal" if "not_seasonal" in codes else "not_given"
    return next((code for code in codes if code not in (None, "none")), None)


def is_unclear(dose: Dose, now: Snapshot) -> bool:
    """Say whether a code that is not known could be a dose of this year."""
    return dose.disease is None and dose.status == "completed" and (dose.latest or "9999") >= now.year_ago
