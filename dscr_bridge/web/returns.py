"""One return: its figures and what stands in the way, the ninety-second month, and every act of a person."""

from contextlib import closing
from datetime import datetime
from typing import Any

from flask import Blueprint, redirect, render_template, request, url_for

from dscr_bridge import acting, deciding, explaining
from dscr_bridge.errors import BridgeError
from dscr_bridge.ledger import TAKEN, ObligationState
from dscr_bridge.mapping.nil import nil_reasons
from dscr_bridge.reading import previous_return
from dscr_bridge.returns import Level, Obligation, figures_sha256
from dscr_bridge.web import month_questions, words
from dscr_bridge.web.app import approvers_only, flash, me, my_return, signed_in, the_desk
from dscr_bridge.web.desk import Seen, state_now
from dscr_bridge.web.proof import sheet_of
from dscr_bridge.window import LONDON

pages = Blueprint("returns", __name__, url_prefix="/location/<location_id>/<care_type>")


@pages.get("/")
@signed_in
def one(location_id: str, care_type: str) -> Any:
    """Show one return: where it stands, what to do, its figures by section."""
    provider, location, obligation = my_return(location_id, care_type)
    desk = the_desk()
    row = desk.bridge.ledger.obligation(obligation)
    seen = desk.seen(obligation, row)
    previous = previous_return(desk.bridge, obligation)
    state = state_now(desk, row, desk.now())
    return render_template(
        "return.html", provider=provider, location=location, obligation=obligation, row=row, seen=seen,
        shown=words.shown(state, row), window=desk.bridge.window(), now=desk.now(), previous=previous,
        sections=_sections(seen, obligation, previous) if seen else [], nil_reasons=nil_reasons(),
        figures_sha256=figures_sha256(seen.figures) if seen else "", person=me(), taken=row.state in TAKEN,
        paused=acting.is_paused(desk.bridge, location.id), fixes=_fixes(seen) if seen else [],
        by_hand=desk.bridge.channel_for(obligation) is None, coverage=_coverage(seen), odd=_odd(seen),
        sheet=sheet_of(obligation).is_file(),
        awaiting=row.state is ObligationState.READY and row.reason == "awaiting_confirmation",
        holds={p.rule for p in seen.holding} if seen else set(), warning=Level.WARNING, figure_previous=_previous_value,
    )  # fmt: skip


@pages.get("/month")
@signed_in
def month_page(location_id: str, care_type: str) -> Any:
    """Ask only what systems cannot know, with what was said last."""
    return _month(location_id, care_type)


@pages.post("/month")
@approvers_only
def month_answers(location_id: str, care_type: str) -> Any:
    """Take the answers, count and check at once, and go on to the figures."""
    _, location, obligation = my_return(location_id, care_type)
    desk = the_desk()
    questions = month_questions.questions(desk, obligation)
    wrong = month_questions.mistakes(questions, request.form)
    if wrong:
        return _month(location_id, care_type, wrong)
    for question in questions:
        answer = request.form.get(question.item.id, "").strip()
        if answer:
            deciding.declare(desk.bridge, location.id, question.item.id, answer, by=me().signs_as, bed_type=None,
                             until=None)  # fmt: skip
    count_now(obligation)
    flash("good", "Your answers are kept. Now look at the figures, and approve them.")
    return back(obligation, "figures")


@pages.post("/count")
@signed_in
def count(location_id: str, care_type: str) -> Any:
    """Read the sources, count and check now; nothing is sent."""
    _, _, obligation = my_return(location_id, care_type)
    if count_now(obligation):
        flash("good", "Counted and checked just now. Nothing was sent.")
    return back(obligation)


@pages.post("/approve")
@approvers_only
def approve(location_id: str, care_type: str) -> Any:
    """Approve the figures that were on the page, and send them."""
    _, _, obligation = my_return(location_id, care_type)
    bridge = the_desk().bridge
    try:
        ended = acting.approve(bridge, obligation, by=me().signs_as, seen=request.form.get("figures", ""))
    except BridgeError as failure:
        tell(failure)
    else:
        stands = words.shown(ended.state, bridge.ledger.obligation(obligation)).words
        flash("good", f"Approved. It now stands at: {stands.lower()}.")
    return back(obligation)


@pages.post("/hold")
@approvers_only
def hold(location_id: str, care_type: str) -> Any:
    """Hold the return."""
    return _do(
        location_id,
        care_type,
        "Held. It goes on when somebody approves it.",
        lambda o: acting.hold(the_desk().bridge, o, by=me().signs_as, note=request.form.get("note", "")),
    )


@pages.post("/accept/<rule>")
@approvers_only
def accept(location_id: str, care_type: str, rule: str) -> Any:
    """Accept a warning with a note, and check again."""

    def act(obligation: Obligation) -> None:
        acting.accept(the_desk().bridge, obligation, rule, by=me().signs_as, note=request.form.get("note", ""))
        count_now(obligation)

    return _do(location_id, care_type, "Accepted; your note is printed on the receipt.", act)


@pages.post("/nil")
@approvers_only
def nil(location_id: str, care_type: str) -> Any:
    """State that there is nothing to report."""
    _, _, obligation = my_return(location_id, care_type)
    try:
        ended = acting.nil(the_desk().bridge, obligation, request.form.get("reason", ""), by=me().signs_as,
                           looked_at=request.form.get("looked_at", ""))  # fmt: skip
    except BridgeError as failure:
        tell(failure)
    else:
        by_hand = ended.reason == "awaiting_confirmation"
        flash(
            "good",
            "Noted. Now choose the nil return on the platform, and confirm it here."
            if by_hand
            else f"Sent as a nil return. It now stands at: {words.STANDING[ended.state][0].lower()}.",
        )
    return back(obligation)


@pages.post("/unchanged")
@approvers_only
def unchanged(location_id: str, care_type: str) -> Any:
    """State that what was said before is still right, and count the rest anew."""

    def act(obligation: Obligation) -> None:
        acting.still_the_same(the_desk().bridge, obligation, by=me().signs_as)
        count_now(obligation)

    return _do(
        location_id, care_type, "Noted: what you said before still holds. Everything else was counted anew.", act
    )


@pages.post("/confirm")
@approvers_only
def confirm(location_id: str, care_type: str) -> Any:
    """Confirm that the return was entered on the platform by hand."""

    def act(obligation: Obligation) -> None:
        acting.confirm(the_desk().bridge, obligation, by=me().signs_as, reference=request.form.get("reference", ""),
                       entered_at=_entered(), note=request.form.get("note") or None, photo=_photo())  # fmt: skip

    return _do(location_id, care_type, "Confirmed. The bridge stops asking.", act)


@pages.post("/pause")
@approvers_only
def pause(location_id: str, care_type: str) -> Any:
    """Pause everything for this location, or go on."""
    bridge = the_desk().bridge
    if request.form.get("on") == "yes":
        return _do(
            location_id,
            care_type,
            "Paused. Its windows still close, and still count.",
            lambda o: acting.pause(bridge, o.location, by=me().signs_as, note=request.form.get("note", "")),
        )
    return _do(
        location_id, care_type, "The pause is over.", lambda o: acting.go_on(bridge, o.location, by=me().signs_as)
    )


def _do(location_id: str, care_type: str, done: str, act: Any) -> Any:
    _, _, obligation = my_return(location_id, care_type)
    try:
        act(obligation)
    except BridgeError as failure:
        tell(failure)
    else:
        flash("good", done)
    return back(obligation)


def _month(location_id: str, care_type: str, wrong: dict[str, str] | None = None) -> Any:
    provider, location, obligation = my_return(location_id, care_type)
    desk = the_desk()
    page = render_template(
        "month.html", provider=provider, location=location, obligation=obligation, window=desk.bridge.window(),
        now=desk.now(), questions=month_questions.questions(desk, obligation), wrong=wrong or {}, form=request.form,
        person=me(), taken=desk.bridge.ledger.obligation(obligation).state in TAKEN,
    )  # fmt: skip
    return (page, 422) if wrong else page


def count_now(obligation: Obligation) -> bool:
    """Count one return, one at a time from the pages: ten impatient people must not pull ten times."""
    desk = the_desk()
    if not desk.counting.acquire(timeout=60):
        flash("look", "Another count is under way. Try again in a minute.")
        return False
    try:
        acting.counted_again(desk.bridge, obligation)
    except BridgeError as failure:
        tell(failure)
        return False
    finally:
        desk.counting.release()
    return True


def _photo() -> bytes | None:
    """Take the photo or PDF that came with a form; its name is never read, since it may name a person."""
    sent = request.files.get("photo")
    if sent is None:
        return None
    with closing(sent):
        return sent.read() or None


def _entered() -> datetime:
    """Read the London time that was typed; now when nothing was."""
    day, clock = request.form.get("day", "").strip(), request.form.get("clock", "").strip()
    if not day and not clock:
        return the_desk().now()
    try:
        return datetime.fromisoformat(f"{day}T{clock}").replace(tzinfo=LONDON)
    except ValueError:
        raise deciding.refused("the date or time cannot be read.", "Write 2026-11-09 and 14:30.") from None


def tell(failure: BridgeError) -> None:
    """Say on the next page why something was not done."""
    flash("bad", f"{failure.what[:1].upper()}{failure.what[1:]} {failure.now} {failure.do}")


def back(obligation: Obligation, anchor: str | None = None) -> Any:
    """Go back to the page of a return."""
    there = url_for(
        "returns.one", location_id=obligation.location, care_type=obligation.care_type.value, _anchor=anchor
    )
    return redirect(there, 303)


def _sections(seen: Seen, obligation: Obligation, previous: Any) -> list[dict[str, Any]]:
    found = []
    for name in seen.edition.sections[obligation.care_type]:
        items = [i for i in seen.edition.items_for(obligation.care_type) if i.section == name]
        rows = [(i, seen.figures.figure(i.id), seen.left_out.get(str(i.id), "")) for i in items]
        found.append({"name": name, "title": seen.edition.section_titles[name], "rows": rows})
    return found


def _previous_value(previous: Any, item_id: Any) -> str:
    figure = acting.previous_figure(previous, item_id)
    return words.value(figure) if figure else ""


def _fixes(seen: Seen) -> list[Any]:
    order = list(Level)
    return sorted((p for p in seen.problems if p.level is not Level.NOTE), key=lambda p: order.index(p.level))


def _coverage(seen: Seen | None) -> list[dict[str, Any]]:
    """Say by source what was read, how well and how fresh."""
    if seen is None or seen.counted is None:
        return []
    fresh = {f.source: f for f in seen.counted.freshness}
    sources: dict[str, list[tuple[str, str, int]]] = {}
    for table, reading, source, rows in seen.counted.coverage:
        sources.setdefault(source, []).append((table, reading, rows))
    return [{"source": s, "tables": sorted(t), "fresh": fresh.get(s)} for s, t in sorted(sources.items()) if s in fresh]


def _odd(seen: Seen | None) -> list[explaining.Fix]:
    return explaining.fix_list(the_desk().bridge, seen.counted) if seen is not None and seen.counted is not None else []
