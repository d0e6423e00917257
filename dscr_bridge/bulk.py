"""Bulk files from prepared returns: what goes into them, what the ledger knows of it, what their results mean."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from dscr_bridge import bridge as flow
from dscr_bridge import mapping, sending
from dscr_bridge.errors import AlreadyAccepted, ConfigError
from dscr_bridge.handing import keep_receipt
from dscr_bridge.ledger import SETTLED
from dscr_bridge.opening import Bridge
from dscr_bridge.preparing import Prepared, require_nothing_personal
from dscr_bridge.returns import CareType, LocationId, Obligation
from dscr_bridge.submit import bulk_file
from dscr_bridge.submit.bulk_file import Bundle, Layout, Row

CHANNEL = "bulk-file"


@dataclass(frozen=True)
class Made:
    """What was written, and which returns are not in it and why."""

    bundle: Bundle
    skipped: tuple[tuple[Obligation, str], ...]  # a closed word: on_record, held, or the item that is missing


@dataclass(frozen=True)
class Result:
    """What became of one location: the outcome in the file and what was recorded."""

    location: str
    outcome: str
    recorded: str  # confirmed, held, nothing, on_record or figures_changed


def write(
    bridge: Bridge, layout_name: str, folder: Path, *, locations: Sequence[str] = (), voluntary: bool = False
) -> Made:  # fmt: skip
    """Prepare the returns of a layout's care type and write them as files for a person to upload or send on.

    Only checked returns go in.  A layout of the monthly return hands them out in the ledger, where they wait for the
    result; a sheet beside the return, or a `voluntary` update, records nothing there and may be written at any time.
    Raises DefinitionError, WindowClosed, IdentifierFound or ConfigError.
    """
    window = bridge.window()
    layout = bulk_file.load_layout(layout_name, mapping.edition_for(window.opens_on))
    is_return = layout.is_return and not voluntary
    prepared = flow.prepare(bridge, _wanted(bridge, layout, locations))
    good, skipped = _sorted(bridge, prepared, is_return)
    rows = [Row(p.required(), bridge.owing(p.obligation.location)[1].name) for p in good]
    whole, lacking = bulk_file.parted(layout, rows)
    if is_return:
        for row in whole:
            sending.hand_out(row.checked, bridge.ledger, bridge.world, window=window, channel=CHANNEL)
    bundle = bulk_file.write(folder, layout, rows, bridge.world.now(), simulated=bridge.simulated, voluntary=voluntary)
    missing = dict(lacking)
    skipped += [(p.obligation, missing[p.obligation.location]) for p in good if p.obligation.location in missing]
    return Made(bundle, tuple(skipped))


def read_result(
    bridge: Bridge, layout_name: str, manifest_path: Path, result_path: Path, *, by: str, at: datetime
) -> tuple[list[Result], int]:  # fmt: skip
    """Read a result file and record each location's outcome; also how many rows were about none of its locations.

    Accepted is confirmed by the person's name at `at`; refused is held.  Raises DefinitionError, ConfigError or
    WindowClosed.
    """
    manifest = bulk_file.read_manifest(manifest_path)
    layout = bulk_file.load_layout(layout_name)
    if manifest["layout"] != layout.id or manifest["voluntary"] or not layout.is_return:
        raise ConfigError("bulk read-result", "this manifest is of another layout, or not of a return.",
                          "Nothing was recorded.", "Name the layout and the manifest of the same files.")  # fmt: skip
    outcomes, strangers = bulk_file.read_result(result_path, layout, manifest)
    digest = hashlib.sha256(result_path.read_bytes()).hexdigest()
    return [_recorded(bridge, manifest, one, digest, by, at) for one in outcomes], strangers


def _wanted(bridge: Bridge, layout: Layout, locations: Sequence[str]) -> list[Obligation]:
    ids = {bridge.config.location(one)[1].id for one in locations}
    found = [o for o in bridge.obligations(bridge.window())
             if o.care_type == layout.care_type and (not ids or o.location in ids)]  # fmt: skip
    if not found:
        raise ConfigError("bulk write", f"no location here owes a {layout.care_type.replace('_', ' ')} return.",
                          "Nothing was written.", "Choose another layout or other locations.")  # fmt: skip
    return found


def _sorted(
    bridge: Bridge, prepared: Sequence[Prepared], is_return: bool
) -> tuple[list[Prepared], list[tuple[Obligation, str]]]:
    good: list[Prepared] = []
    skipped: list[tuple[Obligation, str]] = []
    for one in prepared:
        if is_return and bridge.ledger.obligation(one.obligation).state in SETTLED:
            skipped.append((one.obligation, "on_record"))
        elif one.passed is None:
            skipped.append((one.obligation, "held"))
        else:
            require_nothing_personal(one)
            good.append(one)
    return good, skipped


def _recorded(
    bridge: Bridge, manifest: dict[str, dict[str, dict[str, str]]], one: bulk_file.Outcome, digest: str, by: str,
    at: datetime,
) -> Result:  # fmt: skip
    about = manifest["returns"][one.location]
    obligation = Obligation(LocationId(one.location), CareType(str(manifest["care_type"])), about["window"])
    row = bridge.ledger.obligation(obligation)
    if one.outcome in ("missing", "unclear"):
        return Result(one.location, one.outcome, "nothing")
    if row.figures_sha256 != about["figures_sha256"]:
        return Result(one.location, one.outcome, "figures_changed")
    if one.outcome == "refused":
        if row.state not in SETTLED:
            bridge.ledger.held(obligation, "refused_in_bulk_file")
        return Result(one.location, one.outcome, "held")
    window = bridge.window_named(obligation.window)
    try:
        sending.confirm(obligation, bridge.ledger, bridge.world, reference=one.reference or f"bulk-file:{digest[:16]}",
                        entered_at=at, by=by, window=window, note=f"bulk result file, SHA-256 {digest}")  # fmt: skip
    except AlreadyAccepted:
        return Result(one.location, one.outcome, "on_record")
    keep_receipt(bridge, obligation, window)
    return Result(one.location, one.outcome, "confirmed")
