"""Whatever a home holds: no figure is negative or over-full, parts add up, and order and names do not matter."""

import hashlib
import random
from datetime import UTC, date, datetime

from hypothesis import given, settings
from hypothesis import strategies as st
from notation import fill, read_lines

from dscr_bridge import count, mapping, tables
from dscr_bridge.returns import CareType, LocationId, Return, canonical, figures_sha256

AS_AT = datetime(2026, 11, 9, 12, tzinfo=UTC)
EDITION = mapping.edition_for(date(2026, 11, 8))
CAMPAIGNS = mapping.load_campaigns()
GROUPS = ("nurses", "care", "noncare")


def _words(*words: str) -> st.SearchStrategy[str]:
    return st.sampled_from(words)


DAYS = _words("2025-03-01", "2026-08-31", "2026-10-06", "2026-11-03", "2026-11-08", "2026-11-10", "2026-12-01")
BED = st.builds("bed b{} {} {} {}".format, st.integers(1, 7), _words("", "closed", "gone", "shut", "unsaid"),
                _words("", "places 2", "places 3"), _words("", "untyped", "type general_nursing"))
STAY = st.builds("also stay p{} {} {} {} since {}".format, st.integers(1, 9),
                 _words("", "away", "unresolved", "ended", "planned", "void", "day"),
                 _words("", *(f"in b{n}" for n in range(1, 8)), "held b2"),
                 _words("", "at B", "until 2026-11-20"), DAYS)
BOOKING = st.builds("also booking {} on {} {} {}".format, _words("any", "b1", "b4", "b6"), DAYS,
                    _words("", "tentative"), _words("", "places 2", "places 9"))
PERSON = st.builds("person p{} {} {}".format, st.integers(1, 9), _words("", "died"), _words("", "is p1", "is p2"))
POST = st.builds("also post w{} {} {} {} {}".format, st.integers(1, 9),
                 _words("nurse", "care", "noncare", "manager", "volunteer"),
                 _words("", "bank", "agency", "unsettled", "inactive"), _words("", "shift 2026-11-08"),
                 _words("", "at B", "until 2026-11-08"))
ABSENCE = st.builds("also absence w{} {} since {} {}".format, st.integers(1, 9),
                    _words("covid", "other", "not_counted", ""), DAYS, _words("", "at A", "until 2026-11-08"))
DOSE = st.builds("also dose {}{} flu {} on {} to {}".format, _words("p", "w"), st.integers(1, 9),
                 _words("", "worker", "refused", "void", "undated"), DAYS, DAYS)
DECLARED = st.builds("also declared ch_beds_{} is {} {}".format, _words("max_capacity", "vacant_reserved"),
                     st.integers(0, 12), _words("", "type general_nursing"))
HOMES = st.lists(st.one_of(BED, BED, STAY, STAY, BOOKING, PERSON, POST, POST, ABSENCE, DOSE, DECLARED), max_size=40)


def counted(waist: tables.Waist) -> Return:
    return count.count(waist, EDITION, LocationId("A"), CareType.CARE_HOME, "2026-11", AS_AT, campaigns=CAMPAIGNS,
                       settings={"confirmed_none": ["stay", "staff_post", "vaccination"]})


def _value(ret: Return, item: str) -> int:
    return int(ret.figure(item).value or 0)


@settings(max_examples=120, deadline=None)
@given(HOMES)
def test_no_home_gives_a_figure_that_cannot_be(lines: list[str]) -> None:
    ret = counted(fill(read_lines("\n".join(lines))))
    assert all(f.value is None or isinstance(f.value, str) or f.value >= 0 for f in ret.figures)
    assert all(f.by is None or sum(f.by.values()) == f.value for f in ret.figures)
    declared = any("declared ch_beds_vacant_reserved" in line for line in lines)
    capacity = ret.figure("ch_beds_max_capacity").value
    if capacity is not None and not declared:
        assert ret.context["beds_other"] is None or ret.context["beds_other"] >= 0
    for group in GROUPS:
        absent = _value(ret, f"ch_absent_covid_{group}") + _value(ret, f"ch_absent_other_{group}")
        assert absent <= _value(ret, f"ch_staff_direct_{group}")
    assert _value(ret, "ch_vax_flu_residents") <= (ret.context["residents"] or 0)
    for engaged in ("direct", "agency"):
        staff = sum(_value(ret, f"ch_staff_{engaged}_{group}") for group in GROUPS)
        assert _value(ret, f"ch_vax_flu_{engaged}") <= staff


@settings(max_examples=60, deadline=None)
@given(HOMES, st.integers(0, 2**32))
def test_the_order_of_records_and_the_names_of_people_do_not_matter(lines: list[str], seed: int) -> None:
    first = fill(read_lines("\n".join(lines)))
    second = tables.Waist()
    chance = random.Random(seed)  # noqa: S311  (a shuffle that can be repeated)
    for name, table in tables.CANONICAL.items():
        rows = first.connection.execute(f'SELECT * FROM "{name}"').fetchall()  # noqa: S608  (closed names)
        keys = [n for n, c in enumerate(table.columns) if c.kind is tables.Kind.KEY and c.name != "loc_key"]
        renamed = [tuple(_renamed(v, seed) if n in keys else v for n, v in enumerate(row)) for row in rows]
        chance.shuffle(renamed)
        second.add(name, renamed)
    one, two = counted(first), counted(second)
    assert canonical(one.diagnostics) == canonical(two.diagnostics)
    assert figures_sha256(one) == figures_sha256(two)


def _renamed(key: str | None, seed: int) -> str | None:
    # As between two runs: every key is another, in another order.
    return None if key is None else hashlib.sha256(f"{seed}{key}".encode()).hexdigest()
