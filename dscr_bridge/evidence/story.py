"""What an evidence pack tells, as blocks that both its page and its PDF are made of: five answers first."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from dscr_bridge.paper import in_words

TRIED = ("When (London)", "What happened", "About")
CHECK = "python3 verify.py"


@dataclass(frozen=True)
class Heading:
    """The title of what follows."""

    words: str


@dataclass(frozen=True)
class Paragraph:
    """Some sentences; `code` where they are to be typed."""

    words: str
    code: bool = False


@dataclass(frozen=True)
class Pairs:
    """Names and values; `answers` are the five that a lay reader wants first, and `good` says how they end."""

    rows: tuple[tuple[str, str], ...]
    answers: bool = False
    good: bool = True


@dataclass(frozen=True)
class Grid:
    """A table; without rows its `none` is said instead."""

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    none: str = ""


Block = Heading | Paragraph | Pairs | Grid


def title(case: Mapping[str, Any]) -> str:
    """Name the pack."""
    month = f"{date.fromisoformat(case['window'] + '-01'):%B %Y}"
    return f"Evidence: {case['location_name']}, {in_words(case['care_type']).lower()}, {month}"


def blocks(case: Mapping[str, Any]) -> list[Block]:
    """Tell an account, block by block."""
    good = case["state"] in ("on_record", "confirmed_by_hand")
    return [
        Pairs(tuple((a["question"], a["answer"]) for a in case["answers"]), answers=True, good=good),
        _about(case),
        *_due(case),
        *_figures(case),
        *_receipts(case),
        *_table("What was tried, and how it ended", TRIED, map(_tried, case["attempts"]),
                "Nothing was ever begun for this return."),
        *_table("When the other side did not answer", TRIED, map(_tried, case["outages"]),
                "The ledger knows of no such time."),
        *_table("What named people decided", ("When (London)", "What", "Who"), map(_decided, case["decisions"]),
                "Nothing."),
        *_table("Who was told", ("When (London)", "About what", "Whom"), map(_told, case["told"]), "Nobody was told."),
        *_table("Clocks", ("Our clock when an answer came (UTC)", "The receiver's clock in that answer (UTC)"),
                ((c["ours"], c["receivers"]) for c in case["clocks"][-20:]), "The receiver never told its time."),
        *_enforcement(case),
        *_check(case),
    ]  # fmt: skip


def _about(case: Mapping[str, Any]) -> Pairs:
    return _pairs(
        ("Location", f"{case['location_name']} ({case['location']})"),
        ("Provider", f"{case['provider']} ({case['provider_id']})"),
        ("State in the ledger", in_words(case["state"])),
        ("Approved by", case["approved_by"] or ""),
        ("How", in_words((case["channel"] or "").replace("-", "_"))),
        ("Pack made", case["made_at"]["london"]),
        ("Software", case["software"]),
    )


def _due(case: Mapping[str, Any]) -> list[Block]:
    due, edition = case["due"], case["edition"]
    calendar = "published by GOV.UK" if due["calendar"] == "published" else "computed; may have moved"
    return [
        Heading("What was due, and why"),
        _pairs(
            ("Rule", due["rule"]),
            ("Opened", due["opens"]["london"]),
            ("Closed", f"{due['closes']['london']} (the first moment after the window)"),
            ("Bank holidays", calendar),
            ("Asked by", f"{edition['notice']}, edition {edition['id']} of the definitions"),
            ("Edition's bytes", edition["sha256"]),
            ("Fingerprint of the definitions", case["fingerprint"] or ""),
        ),
    ]


def _figures(case: Mapping[str, Any]) -> list[Block]:
    figures = case["figures"]
    if not figures:
        return [Heading("The figures"), Paragraph("No figures are kept for this return.")]
    rows = ((f["title"], f["value"], f["how"], f["means"]) for f in figures["rows"])
    said = f"As at {figures['as_at']['london']}. A dash is a figure that there was not; it is never 0."
    head = ("Question", "Figure", "How", "What it means")
    return [
        *_table("The figures, as they were last counted or sent", head, rows, ""),
        Paragraph(said),
    ]  # fmt: skip


def _receipts(case: Mapping[str, Any]) -> list[Block]:
    inside = {True: "in the window", False: "after the window", None: "not known"}
    rows = [
        (in_words(s["section"]), s["reference"] or "none", s["received"]["london"] if s["received"] else "not received",
         inside[s["in_window"]]) for s in case["sections"]
    ]  # fmt: skip
    rows += [(f"Entered by hand by {b['by']}", b["reference"], b["at"]["london"], b["note"] or "")
             for b in case["by_hand"]]  # fmt: skip
    head = ("Section", "Receiver's reference", "Received, by the receiver's clock", "Counts as")
    return _table("Receipts", head, rows, "There is no receipt.")


def _enforcement(case: Mapping[str, Any]) -> list[Block]:
    standing = case["enforcement"]
    return [
        Heading("Where this leaves the location"),
        _pairs(
            ("Missed in a row", str(standing["missed_in_a_row"])),
            ("Missed in twelve months", str(standing["missed_in_twelve_months"])),
            ("Windows that this ledger knows", str(standing["windows_known"])),
        ),
    ]


def _check(case: Mapping[str, Any]) -> list[Block]:
    chain = case["chain"]
    return [
        Heading("How to check this pack"),
        Paragraph(
            "Every event in the ledger carries the hash of the one before. Run the small program in this folder, on "
            "any computer with Python 3 and without a network; it names every file, event or document that is not as "
            "it was:"
        ),
        Paragraph(CHECK, code=True),
        _pairs(("Chain", f"{chain['events']} events of {chain['name']}"), ("Head", chain["head"])),
        Paragraph("Every earlier receipt of this location names an event of the same chain."),
    ]


def _tried(event: Mapping[str, Any]) -> tuple[str, ...]:
    about = [
        in_words(event["section"]) if event["section"] else "",
        event["reference"] or "",
        (event["reason"] or "").replace("_", " "),
        ", ".join(r.replace("_", " ") for r in event["rules"]),
    ]
    return event["at"]["london"], event["what"], "; ".join(a for a in about if a)


def _decided(one: Mapping[str, Any]) -> tuple[str, ...]:
    note = f": {one['note']}" if one["note"] else ""
    about = str(one["about"]).rpartition("/")[2]
    shown = about if len(about) < 40 else f"{about[:16]}..."
    return one["at"]["london"], f"{in_words(one['kind'])} ({shown}){note}", one["by"]


def _told(one: Mapping[str, Any]) -> tuple[str, ...]:
    failed = f" (did not go through: {', '.join(one['failed'])})" if one["failed"] else ""
    return one["at"]["london"], one["about"], ", ".join(one["to"]) + failed


def _pairs(*rows: tuple[str, str]) -> Pairs:
    return Pairs(tuple(r for r in rows if r[1]))


def _table(said: str, head: Sequence[str], rows: Iterable[tuple[str, ...]], none: str) -> list[Block]:
    return [Heading(said), Grid(tuple(head), tuple(rows), none)]
