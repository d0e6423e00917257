"""Regrow a synthetic home from a shape: invented rows that show the same patterns, so that it fails alike elsewhere."""

import itertools
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from dscr_bridge.doctor.shape import GAPS
from dscr_bridge.errors import DefinitionError
from dscr_bridge.returns import instant
from dscr_bridge.tables import CANONICAL, Kind

LOCATION = "1-1000000999"
Rows = dict[str, list[dict[str, Any]]]


def regrown(shape: Mapping[str, Any], as_at: datetime) -> Rows:
    """Give canonical rows by table, as the scenario kit reads them.  Raises DefinitionError for what is no shape."""
    try:
        return _Garden(as_at).grown(shape)
    except (KeyError, TypeError, ValueError, AttributeError):
        raise DefinitionError("shape", "this is not a shape that doctor wrote.", "Nothing was regrown.",
                              "Write it with: dscr-bridge doctor --shape FILE") from None  # fmt: skip


class _Garden:
    """What grows: rows by table, and keys that are numbers."""

    def __init__(self, as_at: datetime) -> None:
        self._as_at = as_at
        self._numbers = itertools.count(1)
        self._rows: Rows = {name: [] for name in CANONICAL}
        self._shared: dict[str, str] = {}  # the pattern of a shared bed -> its key, until a second one sleeps there

    def grown(self, shape: Mapping[str, Any]) -> Rows:
        for care_type in shape["care_types"]:
            self._rows["location"].append({"loc_key": LOCATION, "care_type": care_type})
        for group in _each(shape["people"]):
            self._group(group)
        for bed in _each(shape["free_beds"]):
            self._bed(bed)
        for one in _each(shape["reservations"]):
            self._add("reservation", one, res_key=self._key(), loc_key=LOCATION)
        for one in shape["readings"]:
            self._rows["coverage"].append({"loc_key": LOCATION, "tbl": one["of"]["table"], "source": "regrown",
                                           "reading": one["of"]["reading"], "rows": one["about"]})  # fmt: skip
        return {name: rows for name, rows in self._rows.items() if rows}

    def _group(self, group: Mapping[str, Any]) -> None:
        key = self._key()
        for person in group.get("person", []):
            self._add("person", person, person_key=key, survivor_key=key)
        for stay in group.get("stay", []):
            stay_key = self._key()
            self._add("stay", stay, stay_key=stay_key, person_key=key, loc_key=LOCATION)
            for link in stay["beds"]:
                if link["bed"] is not None:
                    self._add("stay_bed", link, stay_key=stay_key, bed_key=self._bed(link["bed"]))
        for one in group.get("service_user", []):
            self._add("service_user", one, su_key=self._key(), person_key=key, loc_key=LOCATION)
        for one in group.get("staff_post", []):
            self._add("staff_post", one, post_key=self._key(), worker_key=key, loc_key=LOCATION)
        for one in group.get("absence", []):
            self._add("absence", one, absence_key=self._key(), worker_key=key, loc_key=LOCATION)
        for one in group.get("vaccination", []):
            self._add("vaccination", one, vax_key=self._key(), subject_key=key)

    def _bed(self, pattern: Mapping[str, Any]) -> str:
        own = {k: v for k, v in pattern.items() if k != "shared"}
        kind = str(sorted(own.items()))
        if pattern.get("shared") and kind in self._shared:
            return self._shared.pop(kind)
        key = self._key()
        self._add("bed", own, bed_key=key, loc_key=LOCATION)
        if pattern.get("shared"):
            self._shared[kind] = key
        return key

    def _add(self, table: str, pattern: Mapping[str, Any], **keys: str) -> None:
        row: dict[str, Any] = dict(keys)
        for column in CANONICAL[table].columns:
            value = pattern.get(column.name)
            if column.name in keys or value is None:
                continue
            if column.kind in (Kind.START, Kind.END):
                value = instant(self._as_at - timedelta(days=GAPS[value][2]))
            elif column.kind in (Kind.DATE, Kind.DATE_LATEST):
                value = (self._as_at - timedelta(days=GAPS[value][2])).date().isoformat()
            row[column.name] = int(value) if isinstance(value, bool) else value
        self._rows[table].append(row)

    def _key(self) -> str:
        return f"k{next(self._numbers)}"


def _each(patterns: Any) -> Iterator[Mapping[str, Any]]:
    for one in patterns:
        for _ in range(int(one["about"])):
            yield one["of"]
