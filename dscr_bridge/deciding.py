"""What named people decide, checked before it is recorded: declared figures, approved editions, verified items."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal, InvalidOperation

from dscr_bridge import mapping
from dscr_bridge.config import Provider
from dscr_bridge.errors import ConfigError
from dscr_bridge.late import Late
from dscr_bridge.ledger import Decision, Declared
from dscr_bridge.mistakes import nearest
from dscr_bridge.opening import Bridge
from dscr_bridge.tables import BED_TYPES


def declare(
    bridge: Bridge, wanted: str, item_id: str, value: str, *, by: str, bed_type: str | None, until: datetime | None
) -> Declared:
    """Record a declared figure.  Raises ConfigError unless location, item, bed type and value fit together."""
    _, location = bridge.config.location(wanted)
    window = bridge.window()
    edition = mapping.edition_for(window.opens_on)
    try:
        item = edition.item(item_id)
    except KeyError:
        raise refused(
            f"{edition.id} has no such item{nearest(item_id, [i.id for i in edition.items])}",
            "List them with: dscr-bridge explain list",
        ) from None
    if item.applies_to not in location.care_types:
        raise refused(f"{location.name} does not owe a {item.applies_to} return.", "Choose one of its own items.")
    if bed_type is not None and (item.by != "bed_type" or bed_type not in BED_TYPES):
        raise refused(
            f"that is not a bed type of this item{nearest(bed_type, BED_TYPES)}", "Leave --bed-type out, or mend it."
        )
    expires = until or (window.closes_at if item.lasts == "one_window" else None)
    return bridge.ledger.declare(location.id, item.applies_to, item.id, _fitting(item, value), by=named(by),
                                 as_at=bridge.world.now(), expires_at=expires, bed_type=bed_type)  # fmt: skip


def approve_edition(bridge: Bridge, *, by: str, provider: str | None, fingerprint: str | None) -> Iterator[Decision]:
    """Approve the edition in force for the locations of one provider or of all.

    Raises ConfigError when a given fingerprint is no longer that of any of the definitions.
    """
    edition = mapping.edition_for(bridge.window().opens_on)
    for one in _providers(bridge, provider):
        prints = {bridge.fingerprint(edition, location) for location in one.location}
        if fingerprint is not None and not any(p.startswith(fingerprint) for p in prints):
            raise refused(
                "the definitions no longer have that fingerprint.",
                "Ask who changed the definitions and why; `preview --json` shows the new fingerprint to approve.",
            )
        for p in sorted(prints):
            yield bridge.ledger.decide(f"provider:{one.id}", "edition_approved", p, by=named(by),
                                       detail={"edition": edition.id, "fingerprint": p})  # fmt: skip

MOST_WORDS = 500


@dataclass(frozen=True)
class Seen:
    """What a person read in the live notice or on the screen: words, answers, period, and on which day."""

    on: date
    wording: str | None = None
    answers: tuple[str, ...] = ()
    period: str | None = None

    def detail(self) -> dict[str, str]:
        """Write it for the ledger."""
        answers = ", ".join(self.answers)
        said = {"wording": self.wording, "answers": answers, "period": self.period, "seen_on": str(self.on)}
        return {key: value for key, value in said.items() if value}


def late(*, by: str | None, reason: str | None, happens: str = "Nothing was sent.") -> Late:
    """Check a decision about what goes, or went, after the close: a named person, and why it was not in time."""
    tidy = " ".join((reason or "").split())
    if len(tidy.split()) < 2 or len(tidy) > MOST_WORDS or not tidy.isprintable():
        raise refused("a late return needs the reason why it was not sent in time, in a few words.",
                      f'Add --reason "..." (at most {MOST_WORDS} letters), and name no resident or member of staff.',
                      happens)  # fmt: skip
    return Late(named(by or "", happens), tidy)


def _require_the_same_question(edition: mapping.Edition, chosen: Sequence[str], seen: Seen) -> None:
    if len(chosen) > 1 and (seen.wording or seen.answers or seen.period):
        raise refused("words, answers and a period belong to one item.", "Verify the items one by one.")
    item = edition.item(chosen[0])
    if seen.answers and set(seen.answers) != set(item.options):
        other = f"the answers are {', '.join(item.options)}" if item.options else "there are no answers to choose from"
    elif seen.period and seen.period != item.period:
        other = f"the period is {item.period.replace('_', ' ')}"
    elif seen.wording is not None and not 3 <= len(seen.wording) <= 500:
        raise refused("the wording must be the notice's own sentence, at most 500 letters.", "Copy it from the notice.")
    else:
        return
    raise refused(
        f"here {other}: the live notice asks something else.",
        "Leave the item out for now (--leave-out), and tell the integrator: the edition needs a correction.",
    )


# What only a named person of the provider can let the bridge read (UK GDPR, article 9: data about health).
MAY_BE_ALLOWED = ("worker-vaccination-flags",)


def allow_reading(bridge: Bridge, what: str, *, by: str, reason: str, provider: str | None) -> list[Decision]:
    """Record that a person lets the bridge read something that it leaves unopened otherwise, and why."""
    if what not in MAY_BE_ALLOWED:
        raise refused(f"that is nothing to be allowed{nearest(what, MAY_BE_ALLOWED)}", "Give one of them.")
    if len(reason.split()) < 2:
        raise refused("the decision needs a reason in a few words.", 'Give --reason "...".')
    return [bridge.ledger.decide(f"provider:{one.id}", "reading_allowed", what, by=named(by), note=reason)
            for one in _providers(bridge, provider)]  # fmt: skip


def forbid_reading(bridge: Bridge, what: str, *, by: str, provider: str | None) -> None:
    """Record that what was allowed is allowed no longer."""
    for one in _providers(bridge, provider):
        bridge.ledger.revoke(f"provider:{one.id}", "reading_allowed", what, by=named(by))


def verify_items(
    bridge: Bridge, item_id: str, *, by: str, leave_out: str | None, provider: str | None, seen: "Seen | None" = None
) -> list[Decision]:  # fmt: skip
    """Record that a person compared unsure items with the live notice, or leaves them out for a reason.

    `seen` is what the notice or the screen says.  Raises ConfigError where it asks something else than this edition
    does: then the item must not be sent under it.
    """
    edition = mapping.edition_for(bridge.window().opens_on)
    unsure = [i.id for i in edition.items if not i.is_required]
    if item_id != "all" and item_id not in unsure:
        raise refused(f"that is not an unsure item{nearest(item_id, unsure)}", "Give one of them, or `all`.")
    kind = "item_left_out" if leave_out else "item_verified"
    chosen = unsure if item_id == "all" else [item_id]
    if seen is not None:
        _require_the_same_question(edition, chosen, seen)
    detail = {"edition": edition.id, **(seen.detail() if seen else {})}
    return [
        bridge.ledger.decide(f"provider:{one.id}", kind, i, by=named(by), note=leave_out, detail=detail)
        for one in _providers(bridge, provider) for i in chosen
    ]  # fmt: skip


def _providers(bridge: Bridge, wanted: str | None) -> list[Provider]:
    found = [p for p in bridge.config.provider if wanted is None or p.id == wanted.strip().upper()]
    if not found:
        raise refused("there is no provider of that id in the configuration.", "Give one of its provider ids.")
    return found


def _fitting(item: mapping.Item, value: str) -> str:
    if item.type == "question":
        if value not in item.options:
            raise refused(f"the answers are {', '.join(item.options)}.", "Give one of them.")
        return value
    try:
        n = Decimal(value)
    except InvalidOperation:
        raise refused("the value must be a number.", "Give digits, without a unit.") from None
    whole = item.type == "count"
    if not n.is_finite() or n < 0 or n > 1_000_000 or (whole and n != n.to_integral_value()):
        raise refused(f"the value must be a {'whole ' if whole else ''}number from 0 up.", "Mend it.")
    return str(int(n)) if n == n.to_integral_value() else str(n)


def named(by: str, now: str = "Nothing was recorded.") -> str:
    """Tidy the name of who decides.  Raises ConfigError where there is none."""
    tidy = " ".join(by.split())
    if not 2 <= len(tidy) <= 120:
        raise refused("a decision needs the name of the person who takes it.", 'Give --by "First Last".', now)
    return tidy


def refused(what: str, remedy: str, now: str = "Nothing was recorded.") -> ConfigError:
    """Make the error for a decision that cannot be recorded."""
    return ConfigError("Decision", what, now, remedy)
