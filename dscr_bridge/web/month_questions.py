"""The ninety-second month: which questions only a person can answer, prefilled with what was said last and when."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation

from dscr_bridge import acting, mapping
from dscr_bridge.mapping import Item
from dscr_bridge.reading import previous_return
from dscr_bridge.returns import Figure, Obligation, State
from dscr_bridge.web.desk import Desk

# A person is asked where the sources have nothing; not where one is only down, and not what nobody asks this month.
_ASKED = frozenset({State.UNSUPPORTED, State.UNKNOWN, State.NOT_PERMITTED})


@dataclass(frozen=True)
class Question:
    """One question, and what it is prefilled with."""

    item: Item
    value: str
    said_by: str
    said_at: datetime | None
    holds: bool  # what was said still holds: nothing has to be done
    last_return: str  # the figure of the last return, where there was one
    why: str  # why a person is asked


def questions(desk: Desk, obligation: Obligation) -> list[Question]:
    """List the questions of a return that no system answers, in the order of its sections."""
    edition = mapping.edition_for(desk.bridge.window_named(obligation.window).opens_on)
    seen = desk.seen(obligation, desk.bridge.ledger.obligation(obligation))
    figures: dict[str, Figure] = {f.item: f for f in seen.figures.figures} if seen else {}
    last = previous_return(desk.bridge, obligation)
    asked = [i for i in edition.items_for(obligation.care_type) if _is_asked(i, figures.get(i.id))]
    return [_question(desk, obligation, i, last) for i in asked]


def mistakes(asked: list[Question], form: Mapping[str, str]) -> dict[str, str]:
    """Say what is wrong with the answers, by item; an answer may be left out."""
    wrong: dict[str, str] = {}
    for question in asked:
        answer, one = form.get(question.item.id, "").strip(), question.item
        if not answer:
            continue
        if one.type == "question":
            if answer not in one.options:
                wrong[one.id] = f"{one.title}: choose one of the answers"
        elif not _fits(one, answer):
            whole = "a whole number" if one.type == "count" else "a number"
            wrong[one.id] = f"{one.title}: enter {whole} from 0 up, in digits"
    return wrong


def _is_asked(item: Item, figure: Figure | None) -> bool:
    if figure is not None and figure.state is State.NOT_ASKED:
        return False
    if item.measure is None:
        return True
    return figure is not None and (figure.state is State.DECLARED or (item.is_required and figure.state in _ASKED))


def _question(desk: Desk, obligation: Obligation, item: Item, last: object) -> Question:
    said = acting.last_said(desk.bridge, obligation, item.id)
    now = desk.now()
    holding = {d.item for d in desk.bridge.ledger.declared(obligation.location, obligation.care_type, now)}
    before = acting.previous_figure(last, item.id)
    text = acting.text_of(before) if before else ""
    why = "No system can know this." if item.measure is None else "No configured source holds this."
    return Question(item, said[0] if said else text, said[2] if said else "", said[1] if said else None,
                    item.id in holding, text, why)  # fmt: skip


def _fits(item: Item, answer: str) -> bool:
    try:
        n = Decimal(answer)
    except InvalidOperation:
        return False
    return n.is_finite() and 0 <= n <= 1_000_000 and (item.type != "count" or n == n.to_integral_value())
