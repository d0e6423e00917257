"""The documents as printable pages: facts in tables, what only the provider can answer marked as open."""

from collections.abc import Iterable, Sequence
from itertools import groupby

from dscr_bridge.assurance.facts import Field, Flow, both_times
from dscr_bridge.assurance.hazards import LIKELIHOOD, RATINGS, SEVERITY, Hazard
from dscr_bridge.assurance.kept import Kept
from dscr_bridge.assurance.questions import Question
from dscr_bridge.opening import SOFTWARE, Bridge
from dscr_bridge.paper import in_words, listed, text

STYLE = """
table { table-layout: auto } .open { border: 2px dashed #8a5a00; padding: .4rem .7rem; margin: .4rem 0 }
.missing { font-weight: 700; color: #a51c10 } code { font-size: .88em; overflow-wrap: anywhere }
.hazard { break-inside: avoid; border-top: 2px solid #0b0c0c; margin-top: 1.4rem; padding-top: .2rem }
.hazard h2 { margin-top: .5rem } ul { margin: .2rem 0; padding-left: 1.2rem }
"""


def head(title: str, bridge: Bridge, basis: str) -> str:
    """Give what stands at the top of every document: whose it is, of when, and made from what."""
    providers = ", ".join(f"{p.name} ({p.id})" for p in bridge.config.provider)
    return (
        '<p class="made">Made by dscr-bridge from its live configuration, for the provider&#x27;s own files. '
        "It is a starting point: it is neither legal advice nor an approval by anybody.</p>"
        f"<h1>{text(title)}</h1>"
        + listed([
            ("Provider", text(providers)), ("Made", text(both_times(bridge.world.now()))), ("Software", text(SOFTWARE)),
            ("Made from", f'<span class="hash">{text(basis)}</span>'),
        ])
    )  # fmt: skip


def data_flow(rows: Sequence[Flow]) -> str:
    """Show every way that data takes."""
    cells = [
        (text(f.source), text(f.target), text(f.what), "Yes" if f.identifies else "No", text(f.by), text(f.guarded_by))
        for f in rows
    ]
    top = ("From", "To", "What", "Can identify a person", "By", "Guarded by")
    return (
        "<p>Records come in, are keyed and counted in memory, and only figures go on. Nothing flows back into a care "
        "record.</p>" + _table("Every way that data takes", top, cells)
    )  # fmt: skip


def fields(rows: Sequence[Field]) -> str:
    """Show everything that is read, by source."""
    parts = [
        f"<p>{len(rows)} elements and headers are read. Whatever is not in this list is never decoded. No column can "
        "hold text that a person wrote: a value becomes what the last column says, or it is rejected and counted.</p>"
    ]
    for source, its in groupby(rows, key=lambda f: f.source):
        cells = [
            (text(in_words(f.table)), text(in_words(f.column)), f"<code>{text(f.read_from)}</code>", text(f.becomes))
            for f in its
        ]
        parts.append(f"<h2>{text(source)}</h2>" + _table("", ("Table", "Column", "Read from", "Becomes"), cells))
    return "\n".join(parts)


def retention(rows: Sequence[Kept]) -> str:
    """Show what is kept, where, for how long and how it ends."""
    cells = [(text(k.what), text(k.identifies), text(k.where), text(k.how_long), text(k.ends)) for k in rows]
    top = ("What", "Whom it can identify", "Where", "How long", "How it ends")
    return _table("What is kept", top, cells) + _open("Put the provider's own schedule beside it, and who checks it.")


def dpia(rows: Sequence[Question]) -> str:
    """Show the questions of a DPIA with what is known from here, and what is open."""
    parts = []
    for n, one in enumerate(rows, 1):
        known = "".join(f"<li>{text(k)}</li>" for k in one.known)
        parts.append(f"<h2>{n}. {text(one.question)}</h2>" + (f"<ul>{known}</ul>" if known else "")
                     + (_open(one.open) if one.open else ""))  # fmt: skip
    return "\n".join(parts)


def hazards(rows: Sequence[Hazard]) -> str:
    """Show the hazard log, those with a control that is not in place first in the summary."""
    worst = sorted(rows, key=lambda h: (-h.residual, -h.rating, h.id))
    cells = [(text(h.id), text(h.title), text(h.rating), text(h.residual), _gap(h)) for h in worst]
    summary = _table("Summary, worst first", ("Hazard", "What", "Risk before", "Risk with controls", "Controls"), cells)
    intro = (
        "<p>In the shape of DCB0129 (the maker&#x27;s log) and DCB0160 (the provider&#x27;s). Severity and likelihood "
        "run from 1 to 5. Where this configuration has not every control in place, the risk stays as it was before.</p>"
        "<p>The risk rating: " + "; ".join(f"{n}, {text(says)}" for n, says in enumerate(RATINGS, 1)) + ".</p>"
        + _open("Name the clinical safety officer, score each hazard for your own homes, close or accept it, and sign.")
    )  # fmt: skip
    return intro + summary + "".join(_hazard(h) for h in rows)


def _hazard(one: Hazard) -> str:
    controls = "".join(
        f"<li>{text(c.says)} <em>({text(c.owner)})</em>{'' if c.in_place else f' {_MISSING}'}</li>"
        for c in one.controls
    )
    before = _scored(one.severity, one.likelihood)
    after = _scored(one.residual_severity, one.residual_likelihood)
    said = after if all(c.in_place for c in one.controls) else "as before, until every control is in place"
    return (
        f'<section class="hazard"><h2>{text(one.id)}: {text(one.title)}</h2>'
        + listed([
            ("Cause", text(one.cause)), ("Effect", text(one.effect)),
            ("Before controls", text(f"{before}: risk {one.rating}")), ("Controls", f"<ul>{controls}</ul>"),
            ("With controls", text(f"{said}: risk {one.residual}")),
            ("Status", "Open, for the clinical safety officer"),
        ]) + "</section>"
    )  # fmt: skip


def _scored(severity: int, likelihood: int) -> str:
    return f"{SEVERITY[severity - 1]} ({severity}) by {LIKELIHOOD[likelihood - 1].lower()} likelihood ({likelihood})"


_MISSING = '<span class="missing">NOT IN PLACE</span>'


def _gap(one: Hazard) -> str:
    missing = sum(1 for c in one.controls if not c.in_place)
    return f'<span class="missing">{missing} not in place</span>' if missing else "all in place"


def _open(words: str) -> str:
    return f'<p class="open"><strong>For you to answer:</strong> {text(words)}</p>'


def _table(title: str, head_: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    top = "".join(f'<th scope="col">{text(h)}</th>' for h in head_)
    body = "".join("<tr>" + "".join(f"<td>{c}</td>" for c in row) + "</tr>" for row in rows)
    caption = f"<h2>{text(title)}</h2>" if title else ""
    return f"{caption}<table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>"
