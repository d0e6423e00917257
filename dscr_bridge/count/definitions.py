"""Runs definitions.sql over a waist: once for a question, however many locations are counted from it."""

import sqlite3
from collections.abc import Mapping
from datetime import datetime, timedelta
from weakref import WeakKeyDictionary
from zoneinfo import ZoneInfo

from dscr_bridge import collector, mapping
from dscr_bridge.count.home import Told, read_homes
from dscr_bridge.mapping import Campaign, Edition
from dscr_bridge.mapping.settings import Value
from dscr_bridge.returns import instant
from dscr_bridge.scripts import script
from dscr_bridge.tables import Waist

# The tables that arrive with the question.
_GIVEN = """
CREATE TEMP TABLE param ({param});
CREATE TEMP TABLE standing (item_id);
CREATE TEMP TABLE campaign_now (disease, doses_from, doses_to);
"""
_LONDON = ZoneInfo("Europe/London")
_SHARED_LIVES = {"asked": None, "care_providing": "care_providing", "not_counted": "excluded"}
_MADE: "WeakKeyDictionary[Waist, object]" = WeakKeyDictionary()
_TOLD: "WeakKeyDictionary[Waist, Told]" = WeakKeyDictionary()


def prepare(
    waist: Waist,
    edition: Edition,
    window: str,
    as_at: datetime,
    settings: Mapping[str, Value],
    asked: Mapping[str, Campaign],
) -> None:
    """Run the definitions over the waist, unless they have just run for the same question on the same rows."""
    db = waist.connection
    question = (edition.sha256, window, instant(as_at), dict(settings), dict(asked))
    if _MADE.get(waist) == (question, db.total_changes):
        return
    param = _parameters(window, as_at, settings)
    definitions = script(_GIVEN.format(param=", ".join(param)) + mapping.definitions_sql())
    is_new = definitions.make(db)
    definitions.empty(db)
    _give(db, edition, param, asked)
    if is_new:  # else SQLite takes it for a long table, and builds an index of every other that meets it
        db.execute("ANALYZE temp.param")
    definitions.fill(db)
    _MADE[waist] = (question, db.total_changes)
    _TOLD.pop(waist, None)


@collector.at_rest()
def told(waist: Waist) -> Told:
    """Give what the definitions that have run say of every location; it is read out once."""
    found = _TOLD.get(waist)
    if found is None:
        found = _TOLD[waist] = read_homes(waist.connection)
    return found


def _give(
    db: sqlite3.Connection, edition: Edition, param: Mapping[str, str | int | None], asked: Mapping[str, Campaign]
) -> None:
    db.execute(f"INSERT INTO param VALUES ({', '.join('?' * len(param))})", tuple(param.values()))  # noqa: S608
    db.executemany("INSERT INTO standing VALUES (?)", [(i.id,) for i in edition.items if i.lasts == "standing"])
    rows = [(disease, str(c.doses_from), str(c.doses_to)) for disease, c in asked.items()]
    db.executemany("INSERT INTO campaign_now VALUES (?, ?, ?)", rows)


def _parameters(window: str, as_at: datetime, settings: Mapping[str, Value]) -> dict[str, str | int | None]:
    def back(name: str) -> str:
        return instant(as_at - timedelta(days=int(str(settings[name]))))

    today = as_at.astimezone(_LONDON).date()
    month_end = today.replace(day=1) - timedelta(days=1)
    def said(name: str, *unsaid: str) -> str | None:
        return None if settings[name] in unsaid else str(settings[name])

    return {
        "as_at": instant(as_at),
        "as_at_date": str(today),
        "window": window,
        "agency_since": back("agency_days"),
        "bank_since": back("bank_days"),
        "turnaround_since": back("turnaround_days"),
        "reservation_stale": back("reservation_overdue_days"),
        "reservation_horizon": instant(as_at + timedelta(days=int(str(settings["reservation_horizon_days"])))),
        "tentative_counts": int(settings["tentative_counts"] is True),
        "unresolved_off_sale": int(settings["unresolved_off_sale"] is True),
        "on_hold_counts": int(settings["on_hold_counts"] is True),
        "subpotent_counts": int(settings["subpotent_counts"] is True),
        "secondary_counts": int(settings["secondary_counts"] is True),
        "declared_until_changed": int(settings["declared_lasts"] == "until_changed"),
        "default_bed_type": said("default_bed_type", "none"),
        "flexible_offered_as": said("flexible_offered_as", "none"),
        "unplaced_care_type": said("staff_without_care_type", "asked"),
        "zero_hours_as": said("zero_hours", "asked"),
        "shared_lives_as": _SHARED_LIVES[str(settings["shared_lives_carers"])],
        "bank_listed": int(settings["bank_counts"] == "listed"),
        "placeholders_asked": int(settings["placeholder_workers"] == "asked"),
        "hospital_since": back("hospital_leave_days"),
        "without_personal_care_counts": int(settings["without_personal_care_counts"] is True),
        "month_start": str(month_end.replace(day=1)),
        "month_end": str(month_end),
    }
