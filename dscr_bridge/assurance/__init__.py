"""What a provider's assurance needs, made from the live configuration: data flows, fields, retention, DPIA, hazards.

Each document carries the mark of what it was made from.  As soon as configuration, connectors, definitions or software
are others, it is stale: `standing` compares, and whoever looks at the pages or the status is told.  What makes
documents is imported when one is made: the status only asks whether there are any.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from dscr_bridge import paper
from dscr_bridge.ledger.chain import stamp

if TYPE_CHECKING:
    from dscr_bridge.opening import Bridge

__all__ = ["TITLES", "Standing", "changed", "folder", "page", "standing", "write"]

_NOTE = "made.json"
TITLES: Mapping[str, str] = {
    "data-flow": "Data-flow record",
    "fields": "Field inventory",
    "retention": "Retention table",
    "dpia": "DPIA starter",
    "hazards": "Clinical-safety hazard log",
}


@dataclass(frozen=True)
class Standing:
    """Whether the documents are there, when they were made, and whether they still say what is."""

    made_at: datetime | None
    basis: str
    changed: tuple[str, ...]  # of what they were made from: configuration, connectors, definitions, software

    @property
    def is_stale(self) -> bool:
        """Say whether they must be made anew: something they were made from is another now."""
        return self.made_at is not None and bool(self.changed)


def folder(bridge: "Bridge") -> Path:
    """Say where the documents are kept."""
    return bridge.config.data_folder / "assurance"


def write(bridge: "Bridge", into: Path | None = None) -> list[Path]:
    """Write all documents and the note of what they were made from, and give their paths.  Raises OSError."""
    from dscr_bridge.assurance import facts

    there = into or folder(bridge)
    for name in TITLES:
        paper.write_whole(there / f"{name}.html", page(bridge, name).encode())
    note = {"made_at": stamp(bridge.world.now()), "parts": facts.parts(bridge)}
    paper.write_whole(there / _NOTE, (json.dumps(note, indent=2) + "\n").encode())
    return [there / f"{name}.html" for name in TITLES]


def page(bridge: "Bridge", name: str) -> str:
    """Give one document as a printable page.  Raises KeyError for another name."""
    from dscr_bridge.assurance import facts, hazards, pages
    from dscr_bridge.assurance.kept import kept
    from dscr_bridge.assurance.questions import questions

    body = {
        "data-flow": lambda: pages.data_flow(facts.flows(bridge)),
        "fields": lambda: pages.fields(facts.fields(bridge)),
        "retention": lambda: pages.retention(kept(bridge)),
        "dpia": lambda: pages.dpia(questions(bridge)),
        "hazards": lambda: pages.hazards(hazards.log(bridge)),
    }[name]()
    head = pages.head(TITLES[name], bridge, facts.basis(facts.parts(bridge)))
    return paper.page(TITLES[name], f"{head}\n{body}", simulated=False, style=pages.STYLE)


def standing(bridge: "Bridge", at: Path | None = None) -> Standing:
    """Compare what the kept documents were made from with what is; `made_at` is none where there are none."""
    from dscr_bridge.assurance import facts

    now, noted = facts.parts(bridge), _noted(at or folder(bridge))
    if noted is None:
        return Standing(None, facts.basis(now), ())
    made_at, then = noted
    return Standing(made_at, facts.basis(now), tuple(k for k in now if then.get(k) != now[k]))


def changed(bridge: "Bridge") -> tuple[str, ...]:
    """Name what the kept documents were made from that is another now; where there are none, nothing is looked at."""
    return standing(bridge).changed if _noted(folder(bridge)) is not None else ()


def _noted(there: Path) -> tuple[datetime, dict[str, str]] | None:
    try:
        note = json.loads((there / _NOTE).read_text("utf-8"))
        return datetime.fromisoformat(note["made_at"]), dict(note["parts"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
