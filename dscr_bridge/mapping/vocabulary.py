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
        {"state": ("capacity", "occupied", "reserved", "accepting", "not_available")},
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
CONTEXT = ("residents", "beds_other", "workers", "registered_beds")
CANONICAL = tuple(tables.CANONICAL)
# What can be odd about records: seen by definitions.sql, or by the joining of records (see mappings/README.md).
ODDITIES = (
    "absence_unmapped", "agency_no_shift", "ambiguous_time", "bad_type", "bed_assignment_open",
    "bed_status_conflict", "bed_wrong_site", "capacity_differs", "code_unmapped", "date_out_of_range",
    "deceased_open_stay", "duplicate_merged", "engagement_unmapped", "first_source_not_read",
    "inactive_patient_stay", "nhs_number_malformed", "nhs_number_placeholder", "over_capacity",
    "person_in_two_places", "place_in_loop", "placeholder_worker", "post_home_unclear", "record_rejected",
    "record_repeated", "reservation_tentative", "reservation_unclear", "reservation_undated", "role_unmapped",
    "search_not_supported", "second_source_ignored", "service_status_conflict", "service_status_unknown",
    "shared_lives_unsettled", "shift_without_post", "site_told_twice", "source_changed_while_read",
    "staff_without_care_type", "stay_class_unknown", "stay_status_conflict", "stay_status_unknown", "stay_unplaced",
    "stay_without_bed", "vax_date_indeterminate", "vax_future", "vax_unmapped_code", "zero_hours_unsettled",
)  # fmt: skip
# What a rule can ask that is not a comparison of figures; `check` knows each of these words.
ASKS = (
    "required_absent", "incomplete", "records_rejected", "codes_unmapped", "stale_snapshot", "source_quiet",
    "declared_differs", "empty_home", "jump", "hours_jump", "outside_window", "stale_declared", "provisional",
    "unchanged",
)  # fmt: skip
