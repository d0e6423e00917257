"""An assessment as a page that a person prints or sends to a supplier; it fetches nothing."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from dscr_bridge import paper
from dscr_bridge.assess.document import as_document
from dscr_bridge.assess.shape import Assessment, Given, Grade, ItemLine, about
from dscr_bridge.assess.words import (
    ASKED,
    GIVEN,
    GRADES,
    MEANINGS,
    covered,
    fault_place,
    judged_how,
    merged,
    rule_words,
)
from dscr_bridge.paper import listed, sentence, text
from dscr_bridge.window import LONDON

_PANEL = {Grade.A: "good", Grade.B: "good", Grade.C: "look", Grade.D: "bad"}
_STYLE = """
table { table-layout: auto } .grade { font-size: 2.4rem; line-height: 1; margin-right: .8rem }
td.given { width: 14rem } .required::after { content: " *"; font-weight: 700 }
ul { margin: .3rem 0; padding-left: 1.2rem } li { margin: .3rem 0; max-width: 52rem }
@media (max-width: 40rem) { td.given { width: auto } }
"""


@dataclass(frozen=True)
class Written:
    """Where an assessment was written."""

    page: Path
    document: Path


def write(a: Assessment, folder: Path) -> Written:
    """Write page and JSON for their owner alone.  Raises OSError."""
    name = f"{a.source}-{a.made_at:%Y%m%d-%H%M%S}"
    written = Written(folder / f"{name}.html", folder / f"{name}.json")
    paper.write_whole(written.page, as_page(a).encode())
    paper.write_whole(written.document, (json.dumps(as_document(a), indent=1, ensure_ascii=False) + "\n").encode())
    return written


def as_page(a: Assessment) -> str:
    """Give the page as HTML text."""
    parts = [
        '<p class="made">Made by dscr-bridge for the provider and its supplier. It holds no figure and nothing of a '
        "person: numbers under six are not told, others are rounded to five.</p>",
        f"<h1>Assessment of the source {text(a.source)}</h1>",
        _grade(a), _about(a), _remarks(a), _items(a), _faults(a), _unmapped(a), _quirks(a), _gaps(a), _received(a),
    ]  # fmt: skip
    return paper.page(f"Assessment of {a.source}", "\n".join(filter(None, parts)), simulated=a.simulated, style=_STYLE)


def _grade(a: Assessment) -> str:
    given, asked = covered(a.items)
    failure = f"<p>{text(a.failure.what)} {text(a.failure.do)}</p>" if a.failure else ""
    return (
        f'<div class="panel {_PANEL[a.grade]}"><strong><span class="grade">{text(a.grade)}</span>'
        f"{text(sentence(GRADES[a.grade]))}.</strong><p>{given} of {asked} required items can be counted from this "
        f"source alone.</p>{failure}</div>"
    )


def _about(a: Assessment) -> str:
    made = a.made_at.astimezone(LONDON)
    return listed([
        ("Connector", text(f"{a.connector}, version {a.connector_version}")),
        ("Read by", text(a.way_in.replace("_", " "))),
        ("Locations", text(a.locations)),
        ("Edition of the notice", text(a.edition)),
        ("Assessed", text(f"{made.day} {made:%B %Y, %H:%M} (London)")),
        ("Software", text(a.software)),
    ])  # fmt: skip


def _remarks(a: Assessment) -> str:
    if not a.remarks:
        return ""
    rows = "".join(f"<li><b>{text(r.at_best)} at best.</b> {text(r.says)} {text(r.do)}</li>" for r in a.remarks)
    return f"<h2>What keeps it from a better grade</h2><ul>{rows}</ul>"


def _items(a: Assessment) -> str:
    parts = ["<h2>Items of the return</h2>", '<p class="quiet">An item marked * is required by the notice.</p>']
    for care_type in dict.fromkeys(line.care_type for line in a.items):
        mine = [line for line in a.items if line.care_type == care_type]
        parts.append(_table(
            f"{paper.in_words(care_type)}: from this source alone", ("Item", "Given", "Newest change"),
            [_item(line) for line in mine if line.given is not Given.NOT_READ]))  # fmt: skip
        others = [line.title for line in mine if line.given is Given.NOT_READ]
        if others:
            names = text("; ".join(others))
            parts.append(f"<p>Not for this source, whose connector reads no such records: {names}.</p>")
    return "\n".join(parts)


def _item(line: ItemLine) -> tuple[str, str, str]:
    said = GIVEN[line.given] + (f" ({line.reason.replace('_', ' ')})" if line.reason else "")
    if 0 < line.locations_given < line.locations:
        said += f"; at {line.locations_given} of {line.locations} locations"
    title = f'<span class="{"required" if line.required else ""}">{text(line.title)}</span>'
    return title, text(sentence(said)), line.newest.isoformat() if line.newest else _not_stated(line)


def _not_stated(line: ItemLine) -> str:
    return "not stated" if line.given in (Given.YES, Given.PARTLY) else ""


def _faults(a: Assessment) -> str:
    rows = [(text(fault_place(f)), text(sentence(rule_words(f.rule))), text(about(f.n))) for f in merged(a.faults)]
    return (
        f'<h2>Faults</h2><p class="quiet">{text(judged_how(a))}</p>'
        + _table("", ("Where", "What", "Records"), rows, "None was seen.")
    )  # fmt: skip


def _unmapped(a: Assessment) -> str:
    rows = [(text(u.resource), text(u.element), text(about(u.n)), text(u.says)) for u in a.unmapped]
    return "<h2>Codes and words on no list</h2>" + _table(
        "", ("In", "Element", "Values", "What to do"), rows, "Every code and word that was read is known.")  # fmt: skip


def _quirks(a: Assessment) -> str:
    if not a.quirks:
        return ""
    rows = "".join(f"<li>{text(sentence(q.says))}.{' <b>To mend.</b>' if q.mend else ''}</li>" for q in a.quirks)
    return f"<h2>Habits of the source</h2><ul>{rows}</ul>"


def _gaps(a: Assessment) -> str:
    rows = [
        (text(g.says), text(sentence(ASKED[g.mods])), text(g.mods_where), text(sentence(g.given.replace("_", " "))),
         text(sentence(MEANINGS[g.meaning])))
        for g in a.gaps if g.items or g.given != "not_read"
    ]  # fmt: skip
    return (
        f"<h2>Against MODS</h2><p class=\"quiet\">{text(a.standard)}</p>"
        + _table("", ("What a return needs", "In MODS", "Where", "Given", "What it means"), rows)
    )  # fmt: skip


def _received(a: Assessment) -> str:
    rows = [(text("no known type" if of == "?" else of), text(about(n))) for of, n in a.received.items()]
    return "<h2>What arrived</h2>" + _table("", ("Kind", "Records"), rows, "Nothing.")


def _table(caption: str, heads: Sequence[str], rows: Iterable[Sequence[str]], otherwise: str = "") -> str:
    body = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows)
    if not body:
        return f"<p>{text(otherwise)}</p>"
    head = "".join(f'<th scope="col">{text(h)}</th>' for h in heads)
    named = f"<caption>{text(caption)}</caption>" if caption else ""
    return f"<table>{named}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
