"""Every situation of the scenario file counts to what is written there, from canonical rows."""

import tomllib
from datetime import UTC, date, datetime

import pytest
from notation import fill, read_lines

from dscr_bridge import count, mapping
from dscr_bridge.mapping import Campaign
from dscr_bridge.returns import CareType, LocationId, Return

AS_AT = datetime(2026, 11, 9, 12, tzinfo=UTC)
DOCUMENT = tomllib.loads((mapping.folder() / "scenarios.toml").read_text("utf-8"))
HOME = read_lines(DOCUMENT["home"])
SCENARIOS = [(name, *row) for part in DOCUMENT.values() if isinstance(part, dict) for name, row in part.items()]
COVID = Campaign("covid-test", "covid", "", date(2026, 9, 1), date(2027, 1, 31), "2026-09", "2027-01",
                 ("residents", "direct", "agency", "home_care_staff"), "project", ())
EDITION = mapping.edition_for(date(2026, 11, 8))
GROUPS = ("nurses", "care", "noncare")


def counted(text: str, **more) -> dict[str, Return]:
    """Count the home with a change, at each location."""
    waist = fill(read_lines(text, HOME))
    campaigns = (*mapping.load_campaigns(), COVID)
    homes = (("A", CareType.CARE_HOME), ("B", CareType.CARE_HOME), ("C", CareType.HOME_CARE))
    return {
        home: count.count(waist, EDITION, LocationId(home), care_type, "2026-11", AS_AT, campaigns=campaigns, **more)
        for home, care_type in homes
    }


def shown(ret: Return, what: str) -> str:
    """Show one expectation of a return in the words of the scenario file."""
    def three(stem: str) -> str:
        figures = [ret.figure(f"{stem}_{group}") for group in GROUPS]
        whole = "" if all(f.complete for f in figures) else " incomplete"
        return "/".join("-" if f.value is None else str(f.value) for f in figures) + whole

    def one(item: str) -> str:
        value = ret.figure(item).value
        return "-" if value is None else str(value)

    beds = ["max_capacity", "occupied", "vacant_reserved", "vacant_accepting"]
    other = ret.context.get("beds_other")
    shows = {
        "beds": lambda: "/".join([*(one(f"ch_beds_{b}") for b in beds), "-" if other is None else str(other)]),
        "capacity": lambda: one("ch_beds_max_capacity"),
        "residents": lambda: str(ret.context["residents"]),
        "direct": lambda: three("ch_staff_direct"),
        "agency": lambda: three("ch_staff_agency"),
        "covid": lambda: three("ch_absent_covid"),
        "other": lambda: three("ch_absent_other"),
        "flu": lambda: one("ch_vax_flu_residents"),
        "residents covid": lambda: one("ch_vax_covid_seasonal_residents"),
        "staff flu": lambda: one("ch_vax_flu_direct"),
        "agency flu": lambda: one("ch_vax_flu_agency"),
        "users": lambda: one("hc_service_users"),
    }
    return shows[what]()


@pytest.mark.parametrize("scenario", SCENARIOS, ids=[s[0] for s in SCENARIOS])
def test_situation_counts_to_what_the_scenario_says(scenario) -> None:
    name, _, text, expected, *odd = scenario
    returns = counted(text)
    got, wanted = [], []
    for part in expected.split("; "):
        location, words = ("B", part[2:].split()) if part.startswith("B ") else ("A", part.split())
        cut = next(n for n, word in enumerate(words) if word[0].isdigit() or word[0] == "-")
        what = " ".join(words[:cut])
        got.append(shown(returns["C" if what == "users" else location], what))
        wanted.append(" ".join(words[cut:]))
    assert got == wanted
    care_type = "C" if name.startswith("U") else "A"
    oddities = "; ".join(f"{rule} {n}" for rule, n in returns[care_type].diagnostics.items())
    assert oddities == "; ".join(sorted(odd[0].split("; "))) if odd else oddities == ""


def test_no_agreed_situation_is_lost() -> None:
    agreed = [name for name, *_ in SCENARIOS if not name.endswith("x")]
    assert (len(agreed), len(SCENARIOS)) == (76, 110)
