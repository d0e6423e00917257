"""Every edge rule counts as its scenario says, without its setting and with it; every setting is shown at work."""

import tomllib
from pathlib import Path

import pytest
from test_scenarios import counted, shown

from dscr_bridge import mapping

DOCUMENT = tomllib.loads((Path(__file__).parent / "edges.toml").read_text("utf-8"))
EDGES = [(name, *row) for part in DOCUMENT.values() for name, row in part.items()]
STATES = {"capacity": "max_capacity", "accepting": "vacant_accepting", "reserved": "vacant_reserved"}


@pytest.mark.parametrize("edge", EDGES, ids=[e[0] for e in EDGES])
def test_an_edge_counts_to_what_its_scenario_says(edge) -> None:
    name, _, text, expected, *more = edge
    odd, settings = [*more, "", {}][:2] if len(more) < 2 else more
    returns = counted(text, settings=settings)
    for part in expected.split("; "):
        location, words = ("B", part[2:]) if part.startswith("B ") else ("A", part)
        if words.startswith("by "):
            _, state, *wanted = words.split()
            by = returns["A"].figure(f"ch_beds_{STATES.get(state, state)}").by
            got = " ".join(f"{bed_type} {n}" for bed_type, n in by.items() if n) if by else "-"
            assert got == " ".join(wanted)
            continue
        cut = next(n for n, c in enumerate(words) if c.isdigit() or c == "-")
        what = words[:cut].strip()
        assert shown(returns["C" if what == "users" else location], what) == words[cut:], what
    diagnostics = returns["C" if name.startswith("N") else "A"].diagnostics
    assert "; ".join(f"{rule} {n}" for rule, n in diagnostics.items()) == odd


def test_a_setting_that_no_scenario_uses_is_tested_elsewhere() -> None:
    used = {s for e in EDGES for s in (e[5] if len(e) > 5 else {})}
    elsewhere = (Path(__file__).parent / "test_count_states.py").read_text("utf-8")
    rest = {s.name for s in mapping.load_settings()} - used
    assert not [name for name in rest if f'"{name}"' not in elsewhere]
