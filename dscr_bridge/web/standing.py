"""Sources and the drill, enforcement and open cases, and what these pages are."""

from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from flask import Blueprint, abort, redirect, render_template, request, url_for

from dscr_bridge import assurance, cases, enforcement, standings
from dscr_bridge.config import Location, Provider
from dscr_bridge.errors import BridgeError
from dscr_bridge.ledger import ObligationState
from dscr_bridge.mapping.contacts import load_contacts
from dscr_bridge.mapping.penalties import load_fees, load_thresholds
from dscr_bridge.returns import CareType
from dscr_bridge.web.app import approvers_only, flash, me, only, printable, signed_in, the_desk
from dscr_bridge.web.desk import Desk
from dscr_bridge.window import LONDON

if TYPE_CHECKING:
    from dscr_bridge.drill import Line

pages = Blueprint("standing", __name__)
_drilled: "dict[int, tuple[Any, list[Line]]]" = {}

MANY = 200  # locations: from here on the page counts from states alone, and leaves what a penalty may be out


@pages.get("/sources")
@signed_in
def sources() -> Any:
    """Show the configured sources and the last drill."""
    desk = the_desk()
    served: dict[str, list[str]] = {}
    for _, one in desk.locations(me()):
        for name in one.sources:
            served.setdefault(name, []).append(one.name)
    at, lines = _drilled.get(id(desk), (None, []))
    if me().scope:  # the drill names every location: a scoped person sees the sources' lines only
        lines = [line for line in lines if line.what.removeprefix("source ") in served]
    mine_only = [s for s in desk.bridge.config.source if s.name in served]
    return render_template("sources.html", sources=mine_only, served=served, lines=lines, at=at, person=me(),
                           receiver=desk.bridge.config.receiver)  # fmt: skip


@pages.post("/sources/drill")
@only(lambda p: p.drills, "An auditor looks and changes nothing.")
def run_drill() -> Any:
    """Try everything that a window needs; send nothing."""
    from dscr_bridge import drill  # here, since it brings every way in and out with it

    desk = the_desk()
    if not desk.counting.acquire(timeout=60):
        flash("look", "Another count is under way. Try again in a minute.")
        return redirect(url_for("standing.sources"), 303)
    try:
        window = desk.bridge.window()
        lines = drill.of_files(desk.bridge.config, window.opens_on) + drill.of_connections(desk.bridge)
        _drilled[id(desk)] = (desk.now(), lines)
        _note("drilled", window.month, {"failed": [line.what for line in lines if line.failure is not None]})
        bad = sum(1 for line in lines if line.failure is not None)
        flash(
            "bad" if bad else "good", f"{bad} things need somebody." if bad else "Everything that a window needs works."
        )
    except BridgeError as failure:
        flash("bad", f"{failure.what} {failure.do}")
    finally:
        desk.counting.release()
    return redirect(url_for("standing.sources"), 303)


@pages.get("/assurance")
@signed_in
def assured() -> Any:
    """List the documents of the provider's assurance, and say whether they still say what is."""
    bridge = the_desk().bridge
    return render_template("assurance.html", titles=assurance.TITLES, found=assurance.standing(bridge), person=me())


@pages.post("/assurance")
@only(lambda p: p.drills and not p.scope, "Only somebody who sees the whole configuration makes these documents.")
def assure() -> Any:
    """Make the documents anew."""
    assurance.write(the_desk().bridge)
    _note("assured", assurance.standing(the_desk().bridge).basis, {})
    flash("good", "Made anew from the configuration as it is now.")
    return redirect(url_for("standing.assured"), 303)


@pages.get("/assurance/<name>")
@only(lambda p: not p.scope, "These documents are about the whole installation.")
def assured_one(name: str) -> Any:
    """Show one document, as the configuration is now."""
    if name not in assurance.TITLES:
        abort(404)
    return printable(assurance.page(the_desk().bridge, name))


@pages.get("/enforcement")
@signed_in
def risk() -> Any:
    """Show how near missed windows bring each return to enforcement, and the open cases."""
    desk = the_desk()
    locations = list(desk.locations(me()))
    rows = _apart(desk, locations) if len(locations) <= MANY else _by_state(desk, locations)
    rows.sort(key=lambda r: (r["exposure"].headroom, -r["exposure"].in_a_year, r["location"].name.casefold()))
    providers = list({p.id: p for p, _ in locations}.values())
    files = [(p, cases.case_file(desk.bridge, p)) for p in providers] if len(providers) <= MANY else []
    return render_template(
        "enforcement.html",
        rows=rows[:500],
        providers=providers,
        files=[(p, f) for p, f in files if f.entries],
        thresholds=load_thresholds(),
        case_words=cases.WORDS,
        person=me(),
        today=desk.now().astimezone(LONDON).date(),
        days_left=days_left,
        fees=load_fees(),
    )


@pages.post("/enforcement/case")
@approvers_only
def note_case() -> Any:
    """Note a contact, a notice or an answer of an enforcement case."""
    desk, form = the_desk(), request.form
    mine_too = {p.id: p for p, _ in desk.locations(me())}
    try:
        provider, on = mine_too[form.get("provider", "")], date.fromisoformat(form.get("day", ""))
    except (KeyError, ValueError):
        flash("bad", "Choose the provider and write the date as 2026-11-09.")
        return redirect(url_for("standing.risk"), 303)
    try:
        cases.note(desk.bridge, provider, form.get("kind", ""), on, form.get("note", ""), by=me().signs_as)
        flash("good", "Noted.")
    except BridgeError as failure:
        flash("bad", f"{failure.what[:1].upper()}{failure.what[1:]} {failure.do}")
    return redirect(url_for("standing.risk"), 303)


@pages.get("/about")
def about() -> Any:
    """Say what these pages are, what they keep, how they can be used, and whom to ask."""
    return render_template("about.html", contacts=mapping_contacts())


def exposures(desk: Desk) -> dict[tuple[str, CareType], enforcement.Exposure]:
    """Count, for every return, the windows that were missed, from the states of the last fourteen months alone."""
    window = desk.bridge.window()
    thresholds = load_thresholds()
    year, month = int(window.month[:4]), int(window.month[5:])
    first = year * 12 + month - 1 - thresholds.year_months
    missed: dict[tuple[str, CareType], dict[str, bool]] = {}
    for obligation, state in desk.bridge.ledger.standings(f"{first // 12:04}-{first % 12 + 1:02}", window.month):
        its = missed.setdefault((obligation.location, obligation.care_type), {})
        if obligation.window < window.month or state is ObligationState.MISSED:
            its[obligation.window] = state in (ObligationState.MISSED, ObligationState.ON_RECORD_LATE)
    return {key: enforcement.exposure(its, thresholds) for key, its in missed.items()}


def mapping_contacts() -> list[dict[str, str]]:
    """Give the contacts of the platform, the guidance and enforcement, as dated definitions."""
    return load_contacts()


def _note(kind: str, key: str, detail: dict[str, Any]) -> None:
    """Put an act that concerns no single return into the audit trail of each provider, with who did it."""
    desk = the_desk()
    for provider in {p.id for p, _ in desk.locations(me())}:
        desk.bridge.ledger.decide(f"provider:{provider}", kind, key, by=me().signs_as, detail=detail)


def _apart(desk: Desk, locations: list[tuple[Provider, Location]]) -> list[dict[str, Any]]:
    """Count each return apart, with the first month of risk and what one penalty may be."""
    rows = []
    for provider in {p.id: p for p, _ in locations}.values():
        standing = standings.of_provider(desk.bridge, provider)
        for one in (one for p, one in locations if p.id == provider.id):
            for care_type in one.care_types:
                key = (one.location_id, care_type)
                rows.append(
                    {
                        "provider": provider,
                        "location": one,
                        "care_type": care_type,
                        "exposure": standing.returns[key].exposure,
                        "first_month": standing.returns[key].first_month,
                        "penalty": standing.penalties[key].text,
                    }
                )
    return rows


def _by_state(desk: Desk, locations: list[tuple[Provider, Location]]) -> list[dict[str, Any]]:
    """Count thousands of returns by their states alone, and keep those that missed something."""
    known = exposures(desk)
    return [
        {"provider": p, "location": one, "care_type": c, "exposure": found, "first_month": "", "penalty": ""}
        for p, one in locations for c in one.care_types
        if (found := known.get((one.id, c))) is not None and found.in_a_year
    ]  # fmt: skip


def days_left(due: date, today: date) -> str:
    """Say how long there is to answer."""
    rest = (due - today) // timedelta(days=1)
    return f"{rest} days left" if rest >= 0 else f"{-rest} days ago"
