"""What proves it: receipts, history with charts, the audit trail, the inspection page, the evidence pack."""

import io
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from flask import Blueprint, Response, abort, render_template, request, send_file

from dscr_bridge import evidence, mapping, receipt, sending
from dscr_bridge.ledger import SETTLED, TAKEN
from dscr_bridge.ledger.states import Event, Happened
from dscr_bridge.opening import SOFTWARE
from dscr_bridge.returns import Obligation
from dscr_bridge.submit import by_hand
from dscr_bridge.web import charts, history
from dscr_bridge.web.app import me, mine, my_return, printable, signed_in, the_desk
from dscr_bridge.web.wall import bricks_of

pages = Blueprint("proof", __name__)
EVENTS_ON_A_PAGE = 100


@pages.get("/receipts")
@signed_in
def receipts() -> Any:
    """List the returns of a window with their receipts and evidence; a missed one has no receipt and needs evidence."""
    desk = the_desk()
    months = _months_known()
    month = request.args.get("window", "")
    chosen = month if month in months else desk.bridge.window().month
    bricks = [b for b in bricks_of(desk, me(), chosen) if b.row.changed_at]
    return render_template("receipts.html", bricks=bricks, month=chosen, months=months, taken=TAKEN)


@pages.get("/location/<location_id>/<care_type>/receipt/<month>")
@signed_in
def one_receipt(location_id: str, care_type: str, month: str) -> Response:
    """Show the receipt of a return: the same page that is kept in the data folder."""
    provider, location, obligation = my_return(location_id, care_type, month)
    bridge = the_desk().bridge
    window = bridge.window_named(month)
    edition = mapping.edition_for(window.opens_on)
    try:
        document = sending.receipt_of(obligation, bridge.ledger, window, software=SOFTWARE, provider=provider.name,
                                      name=location.name, wordings={i.id: i.title for i in edition.items})  # fmt: skip
    except KeyError:
        abort(404)
    return printable(receipt.page(document))


@pages.get("/location/<location_id>/<care_type>/crib-sheet")
@signed_in
def crib_sheet(location_id: str, care_type: str) -> Response:
    """Show the sheet from which a person types this window's return in, as it was made; it prints."""
    _, _, obligation = my_return(location_id, care_type)
    try:
        return printable(sheet_of(obligation).read_text("utf-8"))
    except OSError:
        abort(404)


def sheet_of(obligation: Obligation) -> Path:
    """Give the file of a return's crib sheet, whether or not there is one."""
    return by_hand.path_of(the_desk().bridge.config.data_folder / "crib-sheets", obligation)


@pages.get("/location/<location_id>/<care_type>/history")
@signed_in
def past(location_id: str, care_type: str) -> Any:
    """Show the months behind: charts, each with its table."""
    provider, location, obligation = my_return(location_id, care_type)
    told = history.of(the_desk(), obligation)
    return render_template(
        "history.html",
        provider=provider,
        location=location,
        obligation=obligation,
        told=told,
        month_marks=[(m.label, m.tone, m.said) for m in told.months],
        people_lines=(charts.Line("People", told.people),),
        rates=[(r, _rows(r.lines)) for r in told.rates],
        workforce_rows=_rows(told.workforce),
        flu_rows=_rows(told.flu),
    )


@pages.get("/location/<location_id>/<care_type>/evidence/<month>.zip")
@signed_in
def pack(location_id: str, care_type: str, month: str) -> Response:
    """Give the evidence pack of a return as one zip."""
    _, _, obligation = my_return(location_id, care_type, month)
    with tempfile.TemporaryDirectory() as aside:
        written = evidence.write(the_desk().bridge, obligation, Path(aside), as_zip=True)
        # Unlinked once it is open: nothing of it stays on the disk.
        response = send_file(written.open("rb"), "application/zip", as_attachment=True, download_name=written.name)
    return response


@pages.get("/location/<location_id>/<care_type>/evidence/<month>.pdf")
@signed_in
def pack_as_pdf(location_id: str, care_type: str, month: str) -> Response:
    """Give the evidence of a return as one PDF, without the files that prove it."""
    _, _, obligation = my_return(location_id, care_type, month)
    name = f"evidence-{obligation.location}-{obligation.care_type}-{obligation.window}.pdf"
    made = io.BytesIO(evidence.as_pdf(the_desk().bridge, obligation))
    return send_file(made, "application/pdf", as_attachment=True, download_name=name)


@pages.get("/audit")
@signed_in
def audit() -> Any:
    """Show what happened and who did it, newest first, for one location or for a provider."""
    desk = the_desk()
    known = {one.id: one.name for _, one in desk.locations(me())}
    providers = {f"provider:{p.id}": p.name for p, _ in desk.locations(me())}
    asked = request.args.get("of", "")
    chain = asked if asked in known or asked in providers else next(iter(known), "")
    if not chain:
        abort(404)
    events = desk.bridge.ledger.events(chain)
    last = max(1, -(-len(events) // EVENTS_ON_A_PAGE))
    text = request.args.get("page", "1")
    at = min(max(int(text) if text.isascii() and text.isdigit() and len(text) < 7 else 1, 1), last)
    end = len(events) - (at - 1) * EVENTS_ON_A_PAGE
    shown = list(reversed(events[max(0, end - EVENTS_ON_A_PAGE) : end]))
    n, head = desk.bridge.ledger.head(chain)
    return render_template("audit.html", chain=chain, name={**known, **providers}[chain], known=known, head=head,
                           providers=providers, events=shown, n=n, page=at, last=last)  # fmt: skip


@pages.get("/location/<location_id>/inspection")
@signed_in
def inspection(location_id: str) -> Any:
    """Show what an inspector, or whoever takes over, asks for: twelve months, definitions, decisions, cases."""
    provider, location = mine(location_id)
    desk = the_desk()
    ledger = desk.bridge.ledger
    window = desk.bridge.window()
    edition = mapping.edition_for(window.opens_on)
    months = {
        c: history.months_of(desk, Obligation(location.location_id, c, window.month)) for c in location.care_types
    }
    decisions = [*ledger.decisions(f"provider:{provider.id}"), *ledger.decisions(location.id)]
    return render_template(
        "inspection.html", provider=provider, location=location, edition=edition, months=months,
        fingerprint=desk.bridge.fingerprint(edition, location), settled=SETTLED, head=ledger.head(location.id),
        approvals=[d for d in decisions if d.kind == "edition_approved"],
        verified=[d for d in decisions if d.kind in ("item_verified", "item_left_out")],
        entered=_entered_by(ledger.events(location.id)),
        cases=[d for d in decisions if d.kind == "case"], contacts=desk.bridge.config.alerts.contact,
        now=desk.now(), software=SOFTWARE, sources=[desk.bridge.config.source_named(s) for s in location.sources],
    )  # fmt: skip


def _entered_by(events: Iterable[Event]) -> dict[tuple[str | None, str | None], str]:
    """Name, by care type and window, who confirmed that they entered the return by hand."""
    return {(e.care_type, e.window): e.body["by"] for e in events if e.kind == Happened.CONFIRMED_BY_HAND}


def _rows(series: tuple[charts.Line, ...]) -> list[tuple[str, tuple[float | None, ...]]]:
    return [(one.name, one.values) for one in series]


def _months_known() -> list[str]:
    bridge = the_desk().bridge
    standings = bridge.ledger.standings("2022-07", bridge.window().month)
    return sorted({o.window for o, _ in standings} | {bridge.window().month}, reverse=True)[:36]
