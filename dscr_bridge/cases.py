"""The enforcement case of a provider: each contact, notice, reply and decision, with what is due next and by when.

Every entry is an event in the provider's own chain and is never changed; a mistake is noted by a further entry.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime

from dscr_bridge import enforcement
from dscr_bridge.config import Provider
from dscr_bridge.deciding import named, refused
from dscr_bridge.enforcement import TimeToAnswer
from dscr_bridge.mapping.penalties import load_times
from dscr_bridge.opening import Bridge
from dscr_bridge.returns import Obligation
from dscr_bridge.window import LONDON

# DHSC, guidance for providers on data enforcement, and its questions and answers of 2022: four steps, representations,
# a panel, and an appeal to the First-tier Tribunal.
WORDS: Mapping[str, str] = {
    "contact": "A contact",
    "support": "An offer of support",
    "reply": "Our reply",
    "notice_of_intent": "Notice of Intent",
    "representations": "Our written representations",
    "panel": "The panel's decision",
    "final_notice": "Final Notice",
    "supplied": "We supplied the figures",
    "paid": "We paid",
    "appeal": "Our appeal",
    "withdrawn": "The notice was withdrawn",
    "closed": "Closed",
}
NOTICES = frozenset({"notice_of_intent", "final_notice"})
# What ends the time to answer of an entry, where no reply names it.
_ANSWERS: Mapping[str, frozenset[str]] = {
    "notice_of_intent": frozenset({"representations", "panel", "withdrawn", "closed"}),
    "representations": frozenset({"panel", "withdrawn", "closed"}),
    "final_notice": frozenset({"supplied", "paid", "appeal", "withdrawn", "closed"}),
}


@dataclass(frozen=True)
class Entry:
    """One entry of a case file."""

    n: int  # its number in the file, from 1
    kind: str
    on: date  # the day of the letter, call or act
    note: str
    by: str
    noted_at: datetime
    reply_to: int | None
    about: tuple[str, ...]  # the ids of the returns that it is about

    @property
    def title(self) -> str:
        """Its kind in words."""
        return WORDS[self.kind]


@dataclass(frozen=True)
class Deadline:
    """Something that is due after an entry, as long as nothing has answered it."""

    entry: Entry
    by: date
    what: str
    verification: str


@dataclass(frozen=True)
class CaseFile:
    """Everything noted for one CQC provider, oldest first, and what is due next."""

    provider: str
    entries: tuple[Entry, ...]
    deadlines: tuple[Deadline, ...]  # the next one first

    @property
    def is_open(self) -> bool:
        """Say whether something was noted since the case was last closed."""
        return bool(self.entries) and self.entries[-1].kind != "closed"


def note(
    bridge: Bridge,
    provider: Provider,
    kind: str,
    on: date,
    text: str,
    *,
    by: str,
    reply_to: int | None = None,
    about: tuple[Obligation, ...] = (),
) -> Entry:
    """Note something in the case file of a provider.

    Raises ConfigError for another kind than those of WORDS, a day to come, a reply to nothing, or no words.
    """
    if kind not in WORDS:
        raise refused("that is not a kind of entry.", f"Give one of: {', '.join(WORDS)}.")
    if on > bridge.world.now().astimezone(LONDON).date():
        raise refused("the day lies in the future.", "Give the day of the letter, call or act.")
    before = case_file(bridge, provider).entries
    if reply_to is not None and not 1 <= reply_to <= len(before):
        raise refused("there is no entry of that number to reply to.", "Look at the numbers: dscr-bridge cases show")
    tidy = " ".join(text.split())
    if len(tidy) > 500 or not tidy.isprintable():
        raise refused("the note is too long, or cannot be printed.", "Use at most 500 letters, and name no person.")
    detail = {
        "kind": kind,
        "at": on.isoformat(),
        "n": len(before) + 1,
        "reply_to": reply_to,
        "about": [o.id for o in about],
    }
    bridge.ledger.decide(
        _chain(provider),
        "case",
        f"{on.isoformat()}/{kind}/{len(before) + 1:03}",
        by=named(by),
        note=tidy,
        detail=detail,
    )
    return case_file(bridge, provider).entries[-1]


def case_file(bridge: Bridge, provider: Provider) -> CaseFile:
    """Give the case file of a provider with the deadlines that are still open."""
    kept = sorted(bridge.ledger.decisions(_chain(provider), "case"), key=lambda d: (d.detail.get("n", 0), d.at))
    entries = tuple(
        Entry(
            n,
            d.detail["kind"],
            date.fromisoformat(d.detail["at"]),
            d.note or "",
            d.by,
            d.at,
            d.detail.get("reply_to"),
            tuple(d.detail.get("about", ())),
        )
        for n, d in enumerate(kept, 1)
    )
    return CaseFile(provider.id, entries, deadlines(entries, times()))


def deadlines(entries: tuple[Entry, ...], known: Mapping[str, TimeToAnswer]) -> tuple[Deadline, ...]:
    """List what is due after entries that nothing has answered, the next one first; pure.

    An entry is answered by one that names it, or by a later one of a kind that ends it.
    """
    found = []
    for entry in entries:
        due = enforcement.deadline(entry.kind, entry.on, known)
        later = [e for e in entries if e.n > entry.n]
        answered = any(
            e.kind in _ANSWERS.get(entry.kind, ()) or (e.reply_to == entry.n and e.kind in _ENDS) for e in later
        )
        if due is not None and not answered:
            found.append(Deadline(entry, due[0], due[1], known[entry.kind].verification))
    return tuple(sorted(found, key=lambda d: d.by))


def times() -> dict[str, TimeToAnswer]:
    """Give the times to answer that ship with the definitions."""
    return load_times()


_ENDS = frozenset(kind for kinds in _ANSWERS.values() for kind in kinds)


def _chain(provider: Provider) -> str:
    return f"provider:{provider.id}"
