"""The closed words of the item language: what can be counted, how it can be narrowed, what it hangs on.

Each measure is a table that `definitions.sql` makes; an edition's items name a measure and narrow it, nothing more.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from dscr_bridge import tables


@dataclass(frozen=True)
class Measure:
    """A table of `definitions.sql` that items count or sum."""

    says: str
    where: Mapping[str, tuple[str, ...]]  # the columns that narrow it and their words
    needs: tuple[str, ...]                # the canonical tables whose reading decides whether it can be known
    by: tuple[str, ...] = ()


_STAFF_WHERE = {
    "engagement": ("direct", "bank", "agency"),
    "role_group": ("registered_nurse", "care_providing", "non_care_providing"),
}

COUNTS: dict[str, Measure] = {
    "place": Measure(
        "places in beds, each in one state: used, else reserved, else unusable, else accepting admissions",
        {"state": ("capacity", "occupied", "reserved", "accepting")},
        ("bed", "stay", "reservation"),
        by=("bed_type",),
    ),
    "resident": Measure("people with a current residential stay, those on leave included", {}, ("stay",)),
    "person_served": Measure("people with a current home care service", {}, ("service_user",)),
    "worker": Measure(
        "workers, each once: direct before bank before agency, then nurse, care providing, non-care providing",
        _STAFF_WHERE,
        ("staff_post",),
    ),
    "absent_worker": Measure(
        "directly employed workers who are absent, each once, COVID-19 first",
        {"role_group": _STAFF_WHERE["role_group"], "reason": ("covid", "other")},
        ("staff_post", "absence"),
    ),
    "vaccinated_resident": Measure(
        "residents with a completed dose wholly inside the campaign", {}, ("stay", "vaccination")
    ),
    "vaccinated_worker": Measure(
        "workers with a completed dose wholly inside the campaign", _STAFF_WHERE, ("staff_post", "vaccination")
    ),
}

SUMS: dict[str, Measure] = {
    "monthly_hours": Measure(
        "hours or days of one kind in the last complete calendar month",
        {"measure": ("paid", "overtime", "agency", "absence"), "unit": ("hours", "days")},
        ("hours",),
    ),
}

GRADES = ("A", "B", "C", "D")
REQUIRED = ("yes", "unconfirmed")
TYPES = ("count", "hours", "days", "percent", "question")
PERIODS = ("snapshot", "last_month", "season", "unknown")
LASTS = ("one_window", "standing")
GROUPS = ("residents", "direct", "agency", "home_care_staff")
LEVELS = ("error", "warning", "note")
FIXED_BY = ("provider", "supplier", "integrator")
CONTEXT = ("residents", "beds_other", "workers")
CANONICAL = tuple(tables.CANONICAL)
# What a rule can ask that is not a comparison of figures; `check` knows each of these words.
ASKS = (
    "required_absent", "incomplete", "records_rejected", "codes_unmapped", "stale_snapshot", "source_quiet",
    "declared_differs", "empty_home", "jump", "outside_window",
)  # fmt: skip
