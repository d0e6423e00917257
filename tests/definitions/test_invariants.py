"""Whatever a home holds: no figure is negative or over-full, parts add up, and order and names do not matter.

The homes are made from seeds, so that a failure can be made again: `random_home(SEED)`.  DSCR_DOSE=ci runs 1,000 of them,
DSCR_DOSE=full 10,000.
"""

import hashlib
import os
import random
from dataclasses import asdict
from datetime import UTC, date, datetime

import pytest
from homes_at_random import random_home
from notation import fill, read_lines

from dscr_bridge import count, mapping, tables
from dscr_bridge.mapping import Campaign
from dscr_bridge.returns import CareType, LocationId, Return, canonical

HOW_MANY = {"ci": 1_000, "full": 10_000}.get(os.environ.get("DSCR_DOSE", ""), 120)
A_TIME = 40 if HOW_MANY < 1_000 else 100
AS_AT = datetime(2026, 11, 9, 12, tzinfo=UTC)
EDITIONS = {"A": mapping.edition_named("2023-01-09"), "C": mapping.edition_for(date(2026, 11, 8))}
COVID = Campaign("covid-test", "covid", "", date(2026, 9, 1), date(2027, 1, 31), "2026-09", "2027-01",
                 ("residents", "direct", "agency", "home_care_staff"), "project", ())
CAMPAIGNS = (*mapping.load_campaigns(), COVID)
GROUPS = ("nurses", "care", "noncare")


def counted(waist: tables.Waist, settings: dict[str, object]) -> dict[str, Return]:
    homes = (("A", CareType.CARE_HOME), ("C", CareType.HOME_CARE))
    return {home: count.count(waist, EDITIONS[home], LocationId(home), care_type, "2026-11", AS_AT, campaigns=CAMPAIGNS,
                              settings=settings) for home, care_type in homes}


def whole(returns: dict[str, Return]) -> bytes:
    """Everything that a return says, to the byte."""
    return canonical([{"figures": [asdict(f) | {"said_at": str(f.said_at)} for f in r.figures], "context": dict(r.context),
                       "diagnostics": dict(r.diagnostics)} for r in returns.values()])


@pytest.mark.parametrize("first", range(0, HOW_MANY, A_TIME))
def test_random_homes_give_only_figures_that_can_be_whatever_the_order_and_the_names(first: int) -> None:
    for seed in range(first, first + A_TIME):
        lines, settings = random_home(seed)
        waist = fill(read_lines("\n".join(lines)))
        returns = counted(waist, settings)
        check_home(returns["A"], lines, seed)
        check_branch(returns["C"], seed)
        assert whole(returns) == whole(counted(shuffled_and_renamed(waist, seed), settings)), seed
        waist.close()


def check_home(ret: Return, lines: list[str], seed: int) -> None:
    def value(item: str) -> int:
        return int(ret.figure(item).value or 0)

    assert all(f.value is None or isinstance(f.value, str) or f.value >= 0 for f in ret.figures), seed
    for figure in ret.figures:
        if figure.by is not None:
            assert sum(figure.by.values()) == figure.value and min(figure.by.values()) >= 0, (seed, figure)
    said = any("declared ch_beds_occupied" in line or "declared ch_beds_vacant" in line for line in lines)
    beds = [ret.figure(f"ch_beds_{b}").value for b in ("max_capacity", "occupied", "vacant_reserved", "vacant_accepting",
                                                       "vacant_not_available")]
    if None not in beds and not said:
        assert sum(int(n) for n in beds[1:]) == beds[0], (seed, beds)  # every place is in exactly one state
    if beds[0] is not None and not said:
        assert sum(int(n) for n in beds[1:4] if n is not None) <= int(beds[0]), (seed, beds)
    for group in GROUPS:
        absent = value(f"ch_absent_covid_{group}") + value(f"ch_absent_other_{group}")
        assert absent <= value(f"ch_staff_direct_{group}"), (seed, group)
    for vaccine in ("flu", "covid_seasonal"):
        assert value(f"ch_vax_{vaccine}_residents") <= (ret.context["residents"] or 0), seed
        assert value(f"ch_vax_{vaccine}_direct") <= sum(value(f"ch_staff_direct_{g}") for g in GROUPS), seed
        agency = [ret.figure(f"ch_staff_agency_{g}") for g in GROUPS]
        if all(f.state == "counted" for f in agency):
            assert value(f"ch_vax_{vaccine}_agency") <= sum(int(f.value or 0) for f in agency), seed


def check_branch(ret: Return, seed: int) -> None:
    def value(item: str) -> int:
        return int(ret.figure(item).value or 0)

    assert all(f.value is None or isinstance(f.value, str) or f.value >= 0 for f in ret.figures), seed
    assert value("hc_absent_covid") <= value("hc_staff_care_workers"), seed
    workers = ret.context["workers"]
    assert workers is None or value("hc_vax_flu") <= int(workers), seed


def shuffled_and_renamed(waist: tables.Waist, seed: int) -> tables.Waist:
    """The same home as another run would read it: every key another, every row in another place."""
    other = tables.Waist()
    chance = random.Random(seed)  # noqa: S311  (a shuffle that can be repeated)
    for name, table in tables.CANONICAL.items():
        rows = waist.connection.execute(f'SELECT * FROM "{name}"').fetchall()  # noqa: S608  (closed names)
        keys = [n for n, c in enumerate(table.columns) if c.kind is tables.Kind.KEY and c.name != "loc_key"]
        renamed = [tuple(_renamed(v, seed) if n in keys else v for n, v in enumerate(row)) for row in rows]
        chance.shuffle(renamed)
        other.add(name, renamed)
    return other


def _renamed(key: str | None, seed: int) -> str | None:
    # As between two runs: every key is another, in another order.
    return None if key is None else hashlib.sha256(f"{seed}{key}".encode()).hexdigest()


def test_a_seed_always_gives_the_same_home_and_seeds_give_all_kinds_of_record() -> None:
    assert random_home(7) == random_home(7)
    kinds = {word for seed in range(50) for line in random_home(seed)[0] for word in line.removeprefix("also ").split()[:1]}
    assert kinds == {"bed", "stay", "booking", "person", "post", "absence", "dose", "declared", "service", "hours"}
