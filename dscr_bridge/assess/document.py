"""An assessment as JSON: closed words, configured names, and numbers that tell no small number."""

from collections.abc import Mapping
from typing import Any

from dscr_bridge.assess.shape import Assessment, Gap, ItemLine, about
from dscr_bridge.assess.words import covered, rule_words
from dscr_bridge.returns import instant

FORMAT = "dscr-bridge assessment 1"


def as_document(a: Assessment) -> Mapping[str, Any]:
    """Give an assessment as plain JSON values; the format has a name and is kept."""
    given, asked = covered(a.items)
    return {
        "format": FORMAT, "source": a.source, "connector": a.connector, "connector_version": a.connector_version,
        "way_in": a.way_in, "edition": a.edition, "made_at": instant(a.made_at), "software": a.software,
        "simulated": a.simulated, "locations": a.locations, "grade": a.grade,
        "remarks": [{"at_best": r.at_best, "says": r.says, "do": r.do} for r in a.remarks],
        "failure": vars(a.failure) if a.failure else None,
        "required_items": {"given": given, "asked": asked},
        "items": [_item(line) for line in a.items],
        "received": {of: about(n) for of, n in a.received.items()},
        "judged": {"whole": a.judged.whole, "stopped": a.judged.stopped, "limited": a.judged.limited,
                   "types": sorted(a.judged.looked_at) if a.judged.looked_at is not None else None},
        "faults": [{"resource": f.resource, "path": f.path, "rule": f.rule, "says": rule_words(f.rule),
                    "records": about(f.n)} for f in a.faults],
        "unmapped": [{"resource": u.resource, "element": u.element, "values": about(u.n), "do": u.says}
                     for u in a.unmapped],
        "quirks": [{"name": q.name, "says": q.says, "mend": q.mend} for q in a.quirks],
        "standard": a.standard,
        "gaps": [_gap(gap) for gap in a.gaps],
    }  # fmt: skip


def _item(line: ItemLine) -> Mapping[str, Any]:
    return {
        "item": line.item, "title": line.title, "care_type": line.care_type, "required": line.required,
        "given": line.given, "reason": line.reason or None, "claimed": line.claimed,
        "newest_change": line.newest.isoformat() if line.newest else None,
        "locations": line.locations, "locations_given": line.locations_given,
    }  # fmt: skip


def _gap(gap: Gap) -> Mapping[str, Any]:
    return {"fact": gap.fact, "says": gap.says, "mods": gap.mods, "mods_where": gap.mods_where, "given": gap.given,
            "meaning": gap.meaning, "items": gap.items}  # fmt: skip
