"""The worked examples of the editions: every counted item and every rule has them, and they are true."""

import tomllib
from datetime import UTC, date, datetime, timedelta

import pytest
from notation import fill, read_lines

from dscr_bridge import check, count, mapping
from dscr_bridge.check import Decisions, Freshness
from dscr_bridge.mapping import Campaign, Edition
from dscr_bridge.returns import CareType, Figure, ItemId, LocationId, Return, State, number

AS_AT = datetime(2026, 11, 9, 12, tzinfo=UTC)
COVID = Campaign("covid-example", "covid", "", date(2026, 9, 1), date(2027, 1, 31), "2026-09", "2027-01",
                 ("residents", "direct", "agency", "home_care_staff"), "project", ())
PATHS = sorted(mapping.folder().glob("*.examples.toml"))
EXAMPLES = [(path, n, row) for path in PATHS for n, row in enumerate(tomllib.loads(path.read_text("utf-8"))["example"])]
NAMES = [f"{path.stem}-{row.get('rule', 'figures')}-{n}" for path, n, row in EXAMPLES]


def edition_of(path) -> Edition:
    return mapping.load_edition(path.with_name(path.name.replace(".examples", "")))


def counted(edition: Edition, row: dict) -> Return:
    care_type = CareType(row.get("care_type", "care_home"))
    location = LocationId("C" if care_type is CareType.HOME_CARE else "A")
    waist = fill(read_lines(row["records"]))
    waist.add("diagnostic", [(location, rule, n) for rule, n in row.get("seen", {}).items()])
    campaigns = (*mapping.load_campaigns(), *(() if "rule" in row else (COVID,)))
    return count.count(waist, edition, location, care_type, "2026-11", AS_AT, in_window=row.get("in_window", True),
                       campaigns=campaigns, settings=row.get("settings"))


@pytest.mark.parametrize(("path", "n", "row"), EXAMPLES, ids=NAMES)
def test_the_worked_example_is_true(path, n, row) -> None:
    edition = edition_of(path)
    ret = counted(edition, row)
    wanted = row.get("figures", {})
    assert {item: number(ret.figure(item).value) for item in wanted} == wanted
    if "rule" not in row:
        return
    figures = tuple(Figure(ItemId(i), State.COUNTED, v) for i, v in row.get("previous", {}).items())
    previous = Return(ret.obligation, edition.id, AS_AT, figures) if figures else None
    history = [Return(ret.obligation, edition.id, AS_AT - timedelta(days=30.5 * n), figures)
               for n in range(1, row.get("unchanged_months", 0) + 1)]
    quiet = AS_AT - timedelta(days=row.get("source_quiet_days", 0))
    checked = check.check(
        ret, edition, decisions=Decisions(verified=frozenset(row.get("verified", ()))), previous=previous,
        now=AS_AT + timedelta(days=row.get("sent_after_days", 0)), freshness=[Freshness("dscr", AS_AT, quiet)], history=history)
    levels = {p.level for p in checked.problems if p.rule == row["rule"]} or {""}
    # Speaking of something that is not sent is a note; a rule is silent as far as the return goes.
    assert levels == {row.get("speaks", "")} or (levels == {"note"} and "speaks" not in row and "seen" in row)


@pytest.mark.parametrize("path", PATHS, ids=[p.stem for p in PATHS])
def test_every_counted_item_and_every_rule_has_its_examples(path) -> None:
    edition = edition_of(path)
    rows = [row for other, _, row in EXAMPLES if other == path]
    shown = {item for row in rows for item in row.get("figures", {})}
    assert {item.id for item in edition.items} == shown
    moved = {item for row in rows for item, value in row.get("figures", {}).items() if value}
    assert {item.id for item in edition.items} == moved  # a 0 alone would show nothing
    assert len(mapping.load_examples(edition)) == len(rows)
    for rule in edition.rules:
        speaks = {bool(row.get("speaks")) for row in rows if row.get("rule") == rule.id}
        assert speaks == {True, False}, rule.id
    assert {row["rule"] for row in rows if "rule" in row} == {rule.id for rule in edition.rules}
    assert all(set(row) <= {"says", "care_type", "records", "figures", "rule", "speaks", "seen", "verified", "previous",
                            "in_window", "sent_after_days", "source_quiet_days", "settings", "unchanged_months"} for row in rows)
