"""What a person states in place of a count, and what is published beside it: on the pages, as the real server gives them."""

import re
from pathlib import Path
from typing import Any

import pytest
from installed import ELM, NOW, Site, a_year_behind, declared
from test_hostile_visitors import csrf, in_by_token

from dscr_bridge import deciding
from dscr_bridge.config import Config, Pages, Receiver
from dscr_bridge.errors import ConfigError
from dscr_bridge.returns import CareType
from dscr_bridge.web import history
from dscr_bridge.web.app import make_app

HOME = f"/location/{ELM}/care_home"
ITEM = f"{HOME}/item/ch_beds_occupied"
RATES = """
[[rate]]
name = "England, all care homes"
source = "DHSC, monthly statistics"
published_on = 2026-10-15
values = { "2026-01" = 84.2, "2026-02" = 84.6 }
[[rate]]
name = "England, residents"
about = "flu_residents"
source = "DHSC, monthly statistics"
published_on = 2026-10-15
values = { "2026-01" = 76.9 }
"""


def test_a_figure_is_stated_with_its_last_day_and_by_whom_and_is_taken_back(serve: Any) -> None:
    site: Site = serve()
    client = in_by_token(site)
    token = csrf(client.get("/"))

    def say(**form: str) -> str:
        client.post(f"{ITEM}/declare", data={"csrf": token, **form})
        return str(client.get(ITEM).data.decode())

    assert "number from 0 up" in say(value="-1") and "cannot be read" in say(value="41", until="soon")
    assert "that day is over" in say(value="41", until="2026-11-08").lower() and site.bridge.ledger.declared(ELM, CareType.CARE_HOME, NOW) == ()
    said = say(value="41", until="2026-12-31")
    assert "Stated, in your name" in said and "holds until Thursday 31 December 2026" in said and "Jo Example (registered manager)" in said
    assert re.search(r'class="big">41<', said) and "the records say 49" in said
    (kept,) = site.bridge.ledger.declared(ELM, CareType.CARE_HOME, NOW)
    assert kept.value == "41" and kept.expires_at is not None and kept.expires_at.isoformat() == "2027-01-01T00:00:00+00:00"
    client.post(f"{ITEM}/withdraw", data={"csrf": token})
    after = client.get(ITEM).data.decode()
    assert "Taken back" in after and re.search(r'class="big">49<', after)
    assert client.post(f"{HOME}/item/ch_nothing/declare", data={"csrf": token, "value": "1"}).status_code == 404
    viewer = in_by_token(site, "viewer")
    assert "State this figure yourself" not in viewer.get(ITEM).data.decode()


def counted(site: Site) -> str:
    client = in_by_token(site)
    client.post(f"{HOME}/count", data={"csrf": csrf(client.get("/"))})
    return str(client.get(f"{HOME}/").data.decode())


def test_what_does_not_go_is_told_with_its_own_reason(serve: Any) -> None:
    site: Site = serve()
    deciding.verify_items(site.bridge, "ch_absent_other_care", by="Sam Example", leave_out="Not on our screen", provider=None)
    page = counted(site)
    (told,) = re.findall(r"<strong>(\d+) figures will not go</strong>", page)
    assert int(told) == page.count("Not sent: its wording was not verified") > 5
    assert page.count("Not sent: a person left it out") == 1


def test_where_nothing_goes_no_wording_is_blamed_for_it(serve: Any) -> None:
    def without_rota(config: Config) -> Config:
        (first, *others) = config.provider
        homes = [one.model_copy(update={"sources": ("elm-court-record",)}) if one.id == ELM else one for one in first.location]
        return config.model_copy(update={"provider": (first.model_copy(update={"location": tuple(homes)}), *others)})

    page = counted(serve(None, without_rota))
    assert "What stands in the way" in page and "will not go" not in page and "Not sent:" not in page


def test_published_rates_stand_beside_ours_with_date_and_source(serve: Any, tmp_path: Path) -> None:
    (tmp_path / "rates.toml").write_text(RATES)
    site: Site = serve(Pages(port=0, published=tmp_path / "rates.toml"))
    declared(site.bridge, site.folder)
    a_year_behind(site.bridge, site.clock)
    page = in_by_token(site).get(f"{HOME}/history").data.decode()
    assert "Occupancy rate, beside published figures" in page and "vaccination, beside published figures" in page
    assert page.count("DHSC, monthly statistics, published 15 Oct 2026") == 2
    assert page.count('class="chart-dot-published"') == 3
    assert "84.2" in page and "76.9" in page


@pytest.mark.parametrize("wrong", [
    "", "rate = 1", RATES.replace("84.2", "184.2"), RATES.replace('"DHSC, monthly statistics"', "", 1), RATES.replace("2026-10-15", '"soon"', 1),
    RATES.replace("flu_residents", "number_of_people"), RATES.replace("about", "care_type"),
])  # fmt: skip
def test_a_file_of_rates_that_is_not_of_rates_is_refused_whole(wrong: str, tmp_path: Path) -> None:
    path = tmp_path / "rates.toml"
    path.write_text(wrong)
    with pytest.raises(ConfigError, match="rates"):
        history.published_rates(path)


def test_a_part_larger_than_its_whole_is_no_rate() -> None:
    assert history._rate(3, 4) == 75.0
    assert [history._rate(*at) for at in ((5, 4), (None, 4), (3, None), (3, 0))] == [None] * 4


def test_who_types_a_return_in_gets_the_crib_sheet_from_its_page(serve: Any) -> None:
    """A manager opens no terminal and no folder: what was handed out is where it is needed, and prints."""
    site: Site = serve(change=lambda c: c.model_copy(update={"receiver": Receiver(environment="simulator")}))
    client = in_by_token(site)
    token = csrf(client.get("/"))
    assert client.get(f"{HOME}/crib-sheet").status_code == 404 and "crib-sheet" not in client.get(f"{HOME}/").data.decode()
    client.post(f"{HOME}/count", data={"csrf": token})
    figures = re.search(r'name="figures" value="(\w+)"', client.get(f"{HOME}/").data.decode())
    assert figures
    client.post(f"{HOME}/approve", data={"csrf": token, "figures": figures[1]})
    page = client.get(f"{HOME}/").data.decode()
    assert page.count(f'href="{HOME}/crib-sheet"') == 2  # where it waits to be typed in, and among what there is
    sheet = client.get(f"{HOME}/crib-sheet")
    assert sheet.status_code == 200 and "Type in and save by the end of Monday 16 November 2026" in sheet.data.decode()
    assert "style-src" in sheet.headers["Content-Security-Policy"]
    assert make_app(site.desk).test_client().get(f"{HOME}/crib-sheet").status_code == 302
