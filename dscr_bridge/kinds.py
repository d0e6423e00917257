"""The kinds of return that are not simply counted anew: nil and unchanged, each on positive evidence only.

Neither ever follows from silence.  A nil return is a named person's decision for a closed reason, which records read
at that moment must not contradict; an unchanged one needs freshly read figures that equal the last accepted ones, or a
named person who attests what could not be read.
"""

from collections.abc import Iterator
from dataclasses import replace

from dscr_bridge import bridge as flow
from dscr_bridge import check as checking
from dscr_bridge import mapping, sending
from dscr_bridge.deciding import named, refused
from dscr_bridge.errors import AlreadyAccepted, ReturnHeld
from dscr_bridge.ledger import TAKEN
from dscr_bridge.mapping.nil import load_nil
from dscr_bridge.opening import Bridge
from dscr_bridge.preparing import Prepared, as_nil
from dscr_bridge.reading import previous_return
from dscr_bridge.returns import CheckedReturn, Figure, ItemId, Obligation, Return, State, figures_sha256, number
from dscr_bridge.sending.job import require_open

MOST_WORDS = 500


def nil(bridge: Bridge, obligation: Obligation, reason: str, *, by: str, looked_at: str) -> sending.Outcome:
    """Send a nil return, or hand it to a person where there is no channel for it.

    `reason` is one of `nil.toml`; `looked_at` says in words what the person looked at.  Raises ConfigError for another
    reason, ReturnHeld where a source could not be read or the records say otherwise, and whatever `bridge.send` raises.
    """
    who, rules = named(by), load_nil()
    if reason not in rules.reasons:
        raise refused("that is not a reason for a nil return.", f"Give one of: {', '.join(rules.reasons)}.")
    seen = in_words(looked_at, "say what you looked at: which list, register or letter")
    _require_time_for_it(bridge, obligation)
    # Everything is read afresh, so that a nil return never rests on an old or empty reading.
    (fresh,) = flow.prepare(bridge, [obligation])
    prepared = as_nil(bridge, fresh, reason, who, seen)
    prepared.required()
    bridge.ledger.decide(
        obligation.location,
        "nil_stated",
        obligation.id,
        by=who,
        note=reason,
        detail={"looked_at": seen, "read": sorted({s.source for s in fresh.freshness})},
    )
    return flow.send(bridge, prepared, approved_by=who)


def unchanged(bridge: Bridge, obligation: Obligation, *, by: str, attest: bool = False) -> sending.Outcome:
    """Send a return that says: nothing has changed since the last accepted one.

    What only a person can say is stated again in the name of that person.  Everything else is read anew and must equal
    the last accepted figure; what could not be read may be attested.  Raises ReturnHeld that names the items otherwise.
    """
    who = named(by)
    _require_time_for_it(bridge, obligation)
    last = previous_return(bridge, obligation)
    if last is None:
        raise ReturnHeld(
            obligation.id,
            "there is no earlier return that it could be unchanged from.",
            "Nothing was sent.",
            "Send a full return: dscr-bridge submit",
        )
    _state(bridge, obligation, _only_a_person(bridge, obligation, last), who, lasting=True)
    (prepared,) = flow.prepare(bridge, [obligation])
    attested = list(_unread(prepared, last)) if attest else []
    if attested:
        _state(bridge, obligation, attested, who, lasting=False)
        (prepared,) = flow.prepare(bridge, [obligation])
    checked = _checked(prepared, attested)
    _require_equal(prepared, last, {item for items in checked.sections.values() for item in items})
    bridge.ledger.decide(
        obligation.location,
        "unchanged_stated",
        obligation.id,
        by=who,
        detail={
            "since": last.obligation.window,
            "attested": [f.item for f in attested],
            "figures_sha256": figures_sha256(prepared.figures),
        },
    )
    same = checking.unchanged(checked)
    return flow.send(bridge, replace(prepared, figures=same.checked, passed=same), approved_by=who)


def in_words(said: str, otherwise: str) -> str:
    """Tidy what a person wrote.  Raises ConfigError where it is empty or too long."""
    tidy = " ".join(said.split())
    if not tidy or len(tidy) > MOST_WORDS or not tidy.isprintable():
        raise refused(
            f"it needs a few words, at most {MOST_WORDS} letters.", f"{otherwise[:1].upper()}{otherwise[1:]}."
        )
    return tidy


def require_not_taken(bridge: Bridge, obligation: Obligation) -> None:
    """Raise AlreadyAccepted when the return was accepted."""
    if bridge.ledger.obligation(obligation).state in TAKEN:
        raise AlreadyAccepted(
            obligation.id,
            "this return was accepted already.",
            "Nothing was changed.",
            "Nothing is left to do; its receipt shows the proof.",
        )


def _require_time_for_it(bridge: Bridge, obligation: Obligation) -> None:
    require_not_taken(bridge, obligation)
    require_open(bridge.window_named(obligation.window), bridge.world.now(), obligation, False)


def _only_a_person(bridge: Bridge, obligation: Obligation, last: Return) -> list[Figure]:
    """Give the figures of the last return that no system can know."""
    edition = mapping.edition_for(bridge.window_named(obligation.window).opens_on)
    theirs = {item.id for item in edition.items_for(obligation.care_type) if item.measure is None}
    return [f for f in last.figures if f.item in theirs and f.value is not None]


def _unread(prepared: Prepared, last: Return) -> Iterator[Figure]:
    """Give the figures of the last return for everything that is asked and could not be read now."""
    before = {f.item: f for f in last.figures}
    for figure in prepared.figures.figures:
        was = before.get(figure.item)
        absent = figure.value is None and figure.state is not State.NOT_ASKED
        if absent and was is not None and was.value is not None:
            yield was


def _state(bridge: Bridge, obligation: Obligation, figures: list[Figure], who: str, *, lasting: bool) -> None:
    """State figures as of now in a person's name, until the window closes unless they last and may."""
    window, now = bridge.window_named(obligation.window), bridge.world.now()
    edition = mapping.edition_for(window.opens_on)
    for figure in figures:
        expires = None if lasting and edition.item(figure.item).lasts == "standing" else window.closes_at
        # Where there is a whole split by bed type its parts are stated: their sum is the figure.
        whole = figure.by is not None and sum(figure.by.values()) == figure.value
        parts = [*figure.by.items()] if whole and figure.by else [(None, number(figure.value))]
        for bed_type, value in parts:
            bridge.ledger.declare(
                obligation.location,
                obligation.care_type,
                figure.item,
                str(value),
                by=who,
                as_at=now,
                expires_at=expires,
                bed_type=bed_type,
            )


def _checked(prepared: Prepared, attested: list[Figure]) -> CheckedReturn:
    """Give the checked return; the failure of a source is no reason to refuse it where a person attested the rest."""
    if prepared.passed is not None and (attested or not prepared.told):
        return prepared.passed
    return prepared.required()


def _require_equal(prepared: Prepared, last: Return, sent: set[ItemId]) -> None:
    before = {f.item: f for f in last.figures}
    other = [f.item for f in prepared.figures.figures if f.item in sent and _differs(f, before.get(f.item))]
    if other:
        titles = "; ".join(prepared.edition.item(item).title for item in other)
        raise ReturnHeld(
            prepared.obligation.id,
            f"some figures are not those of the last accepted return. Concerns: {titles}.",
            "Nothing was sent.",
            "Send a full return: dscr-bridge submit",
        )


def _differs(figure: Figure, was: Figure | None) -> bool:
    if was is None or number(was.value) != number(figure.value):
        return True
    return {k: n for k, n in (was.by or {}).items() if n} != {k: n for k, n in (figure.by or {}).items() if n}
