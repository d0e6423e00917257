"""Where each figure of the simulated services stands on the portal: written out here, never taken from the script."""

from collections.abc import Mapping

_BED_TYPE = 4  # general residential, the only one of the simulated home, in the portal's own order

SCREEN_OF = {"beds": "bed-vacancies", "workforce": "workforce", "absence": "absence", "service_users": "service-users"}
KEYS: Mapping[str, tuple[str, str]] = {
    "ch_beds_max_capacity": ("bed-vacancies", f"max.{_BED_TYPE}"),
    "ch_beds_occupied": ("bed-vacancies", f"used.{_BED_TYPE}"),
    "ch_beds_vacant_reserved": ("bed-vacancies", f"reserved.{_BED_TYPE}"),
    "ch_beds_vacant_accepting": ("bed-vacancies", f"accepting.{_BED_TYPE}"),
    "ch_staff_direct_nurses": ("workforce", "d0"),
    "ch_staff_direct_care": ("workforce", "d1"),
    "ch_staff_direct_noncare": ("workforce", "d2"),
    "ch_staff_agency_nurses": ("workforce", "a0"),
    "ch_staff_agency_care": ("workforce", "a1"),
    "ch_staff_agency_noncare": ("workforce", "a2"),
    "ch_absent_covid_nurses": ("absence", "c0"),
    "ch_absent_covid_care": ("absence", "c1"),
    "ch_absent_covid_noncare": ("absence", "c2"),
    "ch_absent_other_nurses": ("absence", "o0"),
    "ch_absent_other_care": ("absence", "o1"),
    "ch_absent_other_noncare": ("absence", "o2"),
    "hc_service_users": ("service-users", "users"),
    "hc_staff_care_workers": ("workforce", "workers"),
    "hc_absent_covid": ("absence", "covid"),
}


def figures(items: Mapping[str, int], screen: str, answers: Mapping[str, str]) -> dict[str, int | None]:
    """Read what the answers of a screen say of those figures that a service has; None for what they do not say."""
    read = {item: answers.get(KEYS[item][1], "") for item in items if KEYS[item][0] == screen}
    return {item: int(text) if text.isdecimal() else None for item, text in read.items()}
