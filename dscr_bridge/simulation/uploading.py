"""A simulated person who uploads bulk files, and a simulated platform that takes them and gives a result file back.

The platform reads the file itself, by the headers of its layout: what the bridge wrote wrong stands there wrong.
"""

import csv
import io
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dscr_bridge import bulk, mapping
from dscr_bridge.errors import BridgeError
from dscr_bridge.opening import Bridge
from dscr_bridge.returns import CareType, LocationId, Obligation
from dscr_bridge.simulation import home
from dscr_bridge.submit import bulk_file
from dscr_bridge.submit.bulk_file import Layout

if TYPE_CHECKING:
    from dscr_bridge.simulation.scene import Scene

LAYOUTS = {"care_home": "bulk-care-home", "home_care": "bulk-home-care"}


@dataclass(frozen=True)
class Uploaded:
    """What was uploaded, and the file that came back."""

    layout: str
    manifest: Path
    result: Path
    at: datetime


def upload(scene: "Scene", bridge: Bridge, location: str) -> Uploaded | None:
    """Write the bulk file of a location's care type and upload it; none where nothing could go into it."""
    layout_path = _layout(scene.folder, home.CARE_TYPE[location])
    try:
        made = bulk.write(bridge, layout_path, scene.folder / "bulk", locations=[location]).bundle
    except BridgeError:
        return None
    layout, at = bulk_file.load_layout(layout_path), scene.receiver_clock()
    taken = [row for file in made.files for row in csv.DictReader(io.StringIO(file.path.read_text("utf-8-sig")))]
    if not taken:
        return None
    for row in taken:
        _stands_there(scene, layout, row)
    result = scene.folder / "bulk" / f"{made.manifest.stem}-result.csv"
    lines = [["CQC location ID", "Result", "Reference"], *([row["CQC location ID"], "Saved", ""] for row in taken)]
    result.write_text("".join(",".join(line) + "\n" for line in lines), "utf-8")
    return Uploaded(layout_path, made.manifest, result, at)


def read_back(bridge: Bridge, uploaded: Uploaded, by: str) -> Iterator[Obligation]:
    """Let a person read the result file in; gives what was confirmed by it."""
    about = bulk_file.read_manifest(uploaded.manifest)
    with suppress(BridgeError):
        found, _ = bulk.read_result(bridge, uploaded.layout, uploaded.manifest, uploaded.result, by=by, at=uploaded.at)
        for one in found:
            if one.recorded == "confirmed":
                window = about["returns"][one.location]["window"]
                yield Obligation(LocationId(one.location), CareType(about["care_type"]), window)


def _stands_there(scene: "Scene", layout: Layout, row: Mapping[str, str]) -> None:
    """Let the platform take a row: each figure into the section that asks for it."""
    items = {c.item: int(row[c.header]) for c in layout.column if c.item and row[c.header]}
    location, month = row["CQC location ID"], row["Window"]
    edition = mapping.edition_for(scene.kernel.now.date())
    one = Obligation(LocationId(location), layout.care_type, month)
    scene.judge.typed(one, _sheet(items), has_sheet=True)
    for section in edition.sections[layout.care_type]:
        told = {item: value for item, value in items.items() if edition.item(item).section == section}
        if told:
            scene.door.simulator("edit", {"location": location, "care_type": layout.care_type.value, "window": month,
                                          "section": section, "items": told})  # fmt: skip


def _sheet(items: Mapping[str, Any]) -> dict[str, Any]:
    figures = [{"item": item, "value": value} for item, value in items.items()]
    return {"kind": "full", "figures": figures, "sections": {"file": list(items)}}


def _layout(folder: Path, care_type: str) -> str:
    """Copy the shipped layout as a customer does, and let it be CSV."""
    path = folder / f"{LAYOUTS[care_type]}.toml"
    if not path.is_file():
        shipped = mapping.folder() / "channels" / path.name
        path.write_text(shipped.read_text("utf-8").replace('kind = "xlsx"', 'kind = "csv"'), "utf-8")
    return str(path)
