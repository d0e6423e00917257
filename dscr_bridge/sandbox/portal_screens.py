"""The screens of the simulated portal: their order, questions and words, written out from public guidance.

Nobody here has seen the platform's screens.  Sections and words follow the formal notice as far as it was seen and the
column names of published extracts; everything else is this project's own reading.  It is written apart from the
definitions on purpose: a portal does not share its visitors' files.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

BED_TYPES = (
    "Community care", "Dementia nursing", "Dementia residential", "General nursing", "General residential",
    "Learning disability nursing", "Learning disability residential", "Mental health nursing",
    "Mental health residential", "Transitional", "YPD - young physically disabled",
)  # fmt: skip

_STAFF = ("Registered nurses", "Care providing staff", "Non-care providing staff")


@dataclass(frozen=True)
class Question:
    """One question of a screen."""

    key: str                            # the portal's own name of the value
    label: str                          # as the form asks it, inside its group
    says: str                           # as the page "What we hold" says it
    kind: str = "whole"                 # whole, decimal, choice, select, text
    group: str = ""
    options: tuple[str, ...] = ()
    required: bool = True


@dataclass(frozen=True)
class Screen:
    """One screen: a section that is saved by itself."""

    name: str
    title: str
    intro: str
    questions: tuple[Question, ...]
    grid: bool = False                  # asked for each bed type
    hints: Mapping[str, str] = field(default_factory=dict)

    def asked(self) -> Iterator[Question]:
        """Go through every single field; a grid asks each question once for each bed type."""
        for question in self.questions:
            yield from _by_bed_type(question) if self.grid and question.kind == "whole" else [question]

    @property
    def save(self) -> str:
        """What the button says."""
        return f"Save {self.title[0].lower()}{self.title[1:]}"


def _by_bed_type(question: Question) -> Iterator[Question]:
    for n, bed_type in enumerate(BED_TYPES):
        yield Question(f"{question.key}.{n}", f"{bed_type} {question.label}", f"{bed_type}, {question.says}",
                       required=False)  # fmt: skip


def _staff(group: str, says: str, key: str) -> tuple[Question, ...]:
    return tuple(
        Question(f"{key}{n}", who, f"{says.format(who=who[0].lower() + who[1:])}", group=group)
        for n, who in enumerate(_STAFF)
    )


def _one(key: str, label: str, says: str = "", kind: str = "whole", **more: object) -> Question:
    return Question(key, label, says or label, kind, **more)  # type: ignore[arg-type]


_HOURS = (
    _one("paid", "Hours paid", "Total hours paid in the last month", "decimal"),
    _one("overtime", "Overtime hours", "Total overtime hours in the last month", "decimal"),
    _one("agency", "Agency hours", "Total agency hours in the last month", "decimal"),
    _one("absence_hours", "Absence in hours", "Hours of staff absence in the last month", "decimal", required=False),
    _one("absence_days", "Absence in days", "Days of staff absence in the last month", "decimal", required=False),
)

_CARE_HOME = (
    Screen(
        "bed-vacancies", "Bed vacancies", "Give the number of beds of each type as they are now.",
        (
            _one("max", "Maximum capacity", "maximum capacity"), _one("used", "Occupied or used", "occupied or used"),
            _one("reserved", "(Vacant) reserved", "vacant and reserved"),
            _one("accepting", "(Vacant) accepting admissions", "vacant and accepting admissions"),
            _one("status", "Admission status", "Admission status", "select", options=("Open", "Closed")),
            _one("comments", "Comments about your beds", "Comments", "text", required=False),
        ),
        grid=True,
    ),
    Screen(
        "workforce", "Workforce", "Total headcount. Count people, not posts.",
        (*_staff("Directly employed", "Total headcount of directly employed {who}", "d"),
         *_staff("Agency or bank", "Total headcount of agency or bank {who}", "a")),
    ),
    Screen(
        "absence", "Staff absence", "Number of directly employed staff absent now.",
        (*_staff("Absent, COVID-19 related", "Directly employed {who} absent, COVID-19 related", "c"),
         *_staff("Absent, other reasons", "Directly employed {who} absent for other reasons", "o")),
    ),
    Screen("hours", "Hours", "Totals of the last month.", _HOURS),
    Screen(
        "vaccination", "Vaccination", "Number of people vaccinated in this campaign.",
        tuple(
            # Only while the campaign is open does an answer have to be given.
            Question(f"{key}{n}", who, f"{who} with {says}", group=group, required=False)
            for key, group, says in (("c", "COVID-19, seasonal booster", "the COVID-19 seasonal booster"),
                                     ("f", "Flu, this season", "this season's flu vaccination"))
            for n, who in enumerate(("Directly employed staff", "Agency or bank staff", "Residents"))
        ),
    ),
    Screen(
        "visiting", "Visiting", "Tell us about visiting now.",
        (_one("visitors", "Can residents receive visitors?", "Residents can receive visitors", "choice",
              options=("Yes", "Yes, with restrictions", "No")),),
    ),
)  # fmt: skip

_HOME_CARE = (
    Screen("service-users", "Service users", "People who use your service now.",
           (_one("users", "Number of service users", "Number of service users"),
            _one("more", "Can you provide more hours?", "Can provide more hours", "select", options=("Yes", "No"))),
           ),
    Screen("workforce", "Workforce", "Total headcount. Count people, not posts.",
           (_one("workers", "Care workers employed", "Number of care workers employed"),)),
    Screen("absence", "Staff absence", "Number of care workers absent now.",
           (_one("covid", "Care workers absent, COVID-19 related", "Care workers absent because of COVID-19"),)),
    Screen("hours", "Hours", "Totals of the last month.", _HOURS),
    Screen("packages", "Packages of care", "Packages of care that you handed back.",
           (_one("public", "People funded by the NHS or council whose package was handed back",
                 "Packages handed back, NHS or council funded"),
            _one("self", "People who fund themselves whose package was handed back",
                 "Packages handed back, self-funded"),
            _one("percent", "Percentage of packages handed back", "Packages handed back, per cent", "decimal",
                 required=False))),
    Screen("vaccination", "Vaccination", "Number of people vaccinated in this campaign.",
           (_one("covid", "Home care staff with a COVID-19 seasonal booster", "Home care staff, COVID-19, seasonal",
                 required=False),
            _one("flu", "Home care staff vaccinated against flu this season", "Home care staff, flu, this season",
                 required=False))),
)  # fmt: skip

SCREENS: Mapping[str, tuple[Screen, ...]] = {"care-home": _CARE_HOME, "home-care": _HOME_CARE}
CARE_TYPES = {"care-home": "care home", "home-care": "home care"}


def screen(kind: str, name: str) -> Screen | None:
    """Find a screen of a kind of provider; None when there is none."""
    return next((s for s in SCREENS.get(kind, ()) if s.name == name), None)
