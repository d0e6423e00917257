"""Published rates beside a home's own: named, sourced and dated, rates only; a file that is none is said and does no harm."""

from pathlib import Path
from typing import Any

import pytest
from installed import ELM, NOW, RIVER, Site, a_year_behind, declared
from test_hostile_visitors import in_by_token

from dscr_bridge.config import Pages
from dscr_bridge.errors import ConfigError
from dscr_bridge.web.history import published_rates

GOOD = """[[rate]]
name = "All care homes in England <b>"
source = "DHSC, monthly statistics"
published_on = 2026-11-05
values = { "2026-08" = 85.9, "2026-10" = 86.25 }
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "published.toml"
    path.write_text(text)
    return path


def history(site: Site, file: Path, location: str = ELM, care_type: str = "care_home") -> Any:
    site.desk.settings = Pages(port=0, published=file)
    answer = in_by_token(site).get(f"/location/{location}/{care_type}/history")
    assert answer.status_code == 200
    return answer.data.decode()


def test_what_is_published_stands_beside_the_rate_that_it_is_about_with_source_and_day(serve: Any, tmp_path: Path) -> None:
    site = serve()
    declared(site.bridge, site.folder)
    a_year_behind(site.bridge, site.clock)
    site.clock.at = NOW
    page = history(site, written(tmp_path, GOOD))
    assert page.count("Occupancy rate, beside published figures") == 1 and page.count("beside published figures") == 1
    assert "DHSC, monthly statistics, published 5 Nov 2026" in page and "A rate of many homes together" in page
    assert "chart-published" in page and "chart-dot-published" in page
    assert "86.25" in page and "<b>" not in page  # in the table, too; and the file's words are never markup
    assert "beside published figures" not in history(site, written(tmp_path, GOOD), RIVER, "home_care")


@pytest.mark.parametrize("text", [
    "", "rate = 3", "[[rate]]", GOOD.replace("86.25", "8625"), GOOD.replace("86.25", "-1"), GOOD.replace("86.25", "nan"),
    GOOD.replace("2026-11-05", '"yesterday"'), GOOD + 'about = "residents"', GOOD + 'care_type = "hospital"', GOOD.replace("values", "value"),
    GOOD.replace("86.25", '"Mrs Canary12345zq"'), "\x00",
])  # fmt: skip
def test_a_file_that_is_none_is_refused_without_its_words(text: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"published\.toml: the published rates cannot be read") as refused:
        published_rates(written(tmp_path, text))
    assert "Canary" not in str(refused.value)


def test_a_file_that_is_none_or_gone_leaves_our_own_charts(serve: Any, tmp_path: Path) -> None:
    site = serve()
    declared(site.bridge, site.folder)
    a_year_behind(site.bridge, site.clock)
    site.clock.at = NOW
    for file in (written(tmp_path, "rate = 3"), tmp_path / "gone.toml"):
        page = history(site, file)
        assert "the published rates cannot be read. They are not shown." in page and "Occupancy rate" in page


def test_no_file_is_no_published_rate() -> None:
    assert published_rates(None) == ()
