"""The page of an evidence pack: five answers first, then everything behind them; it prints and fetches nothing."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any

from dscr_bridge import paper
from dscr_bridge.paper import in_words, listed, text

_STYLE = """
.answers dt { font-size: 1.05rem } .answers dd { font-size: 1.05rem; margin-bottom: .35rem }
td.when { width: 15rem } ul { margin: .3rem 0; padding-left: 1.2rem }
table { table-layout: auto } pre { overflow-wrap: anywhere; white-space: pre-wrap; font-size: .85rem }
"""


def page(case: Mapping[str, Any]) -> str:
    """Give the printable page of an account as HTML text."""
    title = f"Evidence: {case['location_name']}, {in_words(case['care_type']).lower()}, {_month(case['window'])}"
    parts = [
        '<p class="made">Made by dscr-bridge for the provider&#x27;s own use, for example with representations. '
        "It is not a document of DHSC, the NHS or Capacity Tracker.</p>",
        f"<h1>{text(title)}</h1>",
        _answers(case),
        _about(case),
        _due(case),
        _sections(case),
        _table(
            "What was tried, and how it ended",
            ("When (London)", "What happened", "About"),
            map(_tried, case["attempts"]),
            "Nothing was ever begun for this return.",
        ),
        _table(
            "When the other side did not answer",
            ("When (London)", "What happened", "About"),
            map(_tried, case["outages"]),
            "The ledger knows of no such time.",
        ),
        _table(
            "What named people decided", ("When (London)", "What", "Who"), map(_decided, case["decisions"]), "Nothing."
        ),
        _table("Who was told", ("When (London)", "About what", "Whom"), map(_told, case["told"]), "Nobody was told."),
        _clock(case),
        _enforcement(case),
        _check(case),
    ]
    return paper.page(title, "\n".join(p for p in parts if p), simulated=case["simulated"], style=_STYLE)


def _answers(case: Mapping[str, Any]) -> str:
    good = case["state"] in ("on_record", "confirmed_by_hand")
    rows = "".join(f"<dt>{text(a['question'])}</dt><dd>{text(a['answer'])}</dd>" for a in case["answers"])
    return f'<div class="panel {"good" if good else "bad"} answers"><dl>{rows}</dl></div>'


def _about(case: Mapping[str, Any]) -> str:
    return listed([
        ("Location", text(f"{case['location_name']} ({case['location']})")),
        ("Provider", text(f"{case['provider']} ({case['provider_id']})")),
        ("State in the ledger", text(in_words(case["state"]))),
        ("Approved by", text(case["approved_by"] or "")),
        ("How", text(in_words((case["channel"] or "").replace("-", "_")))),
        ("Pack made", text(case["made_at"]["london"])),
        ("Software", text(case["software"])),
    ])  # fmt: skip


def _due(case: Mapping[str, Any]) -> str:
    due, edition = case["due"], case["edition"]
    return "<h2>What was due, and why</h2>" + listed(
        [
            ("Rule", text(due["rule"])),
            ("Opened", text(due["opens"]["london"])),
            ("Closed", text(f"{due['closes']['london']} (the first moment after the window)")),
            (
                "Bank holidays",
                text("published by GOV.UK" if due["calendar"] == "published" else "computed; may have moved"),
            ),
            ("Asked by", text(f"{edition['notice']}, edition {edition['id']} of the definitions")),
            ("Edition's bytes", _hash(edition["sha256"])),
            ("Fingerprint of the definitions", _hash(case["fingerprint"])),
        ]
    )


def _sections(case: Mapping[str, Any]) -> str:
    rows = [(s["section"], s) for s in case["sections"]]
    cells = [
        (
            text(in_words(name)),
            text(s["reference"] or "none"),
            text(s["received"]["london"] if s["received"] else "not received"),
            text({True: "in the window", False: "after the window", None: "not known"}[s["in_window"]]),
        )
        for name, s in rows
    ]
    if case["by_hand"]:
        cells += [
            (
                text(f"Entered by hand by {b['by']}"),
                text(b["reference"]),
                text(b["at"]["london"]),
                text(b["note"] or ""),
            )
            for b in case["by_hand"]
        ]
    figures = (
        "<p>The figures with their definitions stand in receipt.html.</p>"
        if case["sections"] or case["by_hand"]
        else ""
    )
    head = ("Section", "Receiver's reference", "Received, by the receiver's clock", "Counts as")
    return _table("Receipts", head, cells, "There is no receipt.") + figures


def _tried(event: Mapping[str, Any]) -> Sequence[str]:
    about = [
        in_words(event["section"]) if event["section"] else "",
        event["reference"] or "",
        (event["reason"] or "").replace("_", " "),
        ", ".join(r.replace("_", " ") for r in event["rules"]),
    ]
    return text(event["at"]["london"]), text(event["what"]), text("; ".join(a for a in about if a))


def _decided(one: Mapping[str, Any]) -> Sequence[str]:
    note = f": {one['note']}" if one["note"] else ""
    about = str(one["about"]).rpartition("/")[2]
    shown = about if len(about) < 40 else f"{about[:16]}..."
    return text(one["at"]["london"]), text(f"{in_words(one['kind'])} ({shown}){note}"), text(one["by"])


def _told(one: Mapping[str, Any]) -> Sequence[str]:
    failed = f" (did not go through: {', '.join(one['failed'])})" if one["failed"] else ""
    return text(one["at"]["london"]), text(one["about"]), text(", ".join(one["to"]) + failed)


def _clock(case: Mapping[str, Any]) -> str:
    cells = [(text(c["ours"]), text(c["receivers"])) for c in case["clocks"][-20:]]
    return _table("Clocks", ("Our clock when an answer came (UTC)", "The receiver's clock in that answer (UTC)"), cells,
                  "The receiver never told its time.")  # fmt: skip


def _enforcement(case: Mapping[str, Any]) -> str:
    standing = case["enforcement"]
    return "<h2>Where this leaves the location</h2>" + listed([
        ("Missed in a row", text(standing["missed_in_a_row"])),
        ("Missed in twelve months", text(standing["missed_in_twelve_months"])),
        ("Windows that this ledger knows", text(standing["windows_known"])),
    ])  # fmt: skip


def _check(case: Mapping[str, Any]) -> str:
    chain = case["chain"]
    return (
        "<h2>How to check this pack</h2><p>Every event in the ledger carries the hash of the one before. Run the small "
        "program in this folder, on any computer with Python 3 and without a network; it names every file, event or "
        "document that is not as it was:</p><pre>python3 verify.py</pre>"
        + listed([("Chain", text(f"{chain['events']} events of {chain['name']}")), ("Head", _hash(chain["head"]))])
        + "<p>Every earlier receipt of this location names an event of the same chain.</p>"
    )


def _table(title: str, head: Sequence[str], rows: Iterable[Sequence[str]], none: str) -> str:
    cells = list(rows)
    if not cells:
        return f"<h2>{text(title)}</h2><p>{text(none)}</p>"
    top = "".join(f'<th scope="col">{text(h)}</th>' for h in head)
    body = "".join("<tr>" + "".join(f"<td>{c}</td>" for c in row) + "</tr>" for row in cells)
    return f"<h2>{text(title)}</h2><table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>"


def _hash(digest: str | None) -> str:
    return f'<span class="hash">{text(digest)}</span>' if digest else ""


def _month(window: str) -> str:
    return f"{date.fromisoformat(f'{window}-01'):%B %Y}"
