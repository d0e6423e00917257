"""The page of an evidence pack: five answers first, then everything behind them; it prints and fetches nothing."""

import re
from collections.abc import Mapping
from typing import Any

from dscr_bridge import paper
from dscr_bridge.evidence.story import Block, Grid, Heading, Pairs, Paragraph, blocks, title
from dscr_bridge.paper import listed, text

MADE = (
    "Made by dscr-bridge for the provider's own use, for example with representations. "
    "It is not a document of DHSC, the NHS or Capacity Tracker."
)
_HASH = re.compile(r"[0-9a-f]{64}")
_STYLE = """
.answers dt { font-size: 1.05rem } .answers dd { font-size: 1.05rem; margin-bottom: .35rem }
ul { margin: .3rem 0; padding-left: 1.2rem } td:first-child { min-width: 9rem }
table { table-layout: auto } pre { overflow-wrap: anywhere; white-space: pre-wrap; font-size: .85rem }
"""


def page(case: Mapping[str, Any]) -> str:
    """Give the printable page of an account as HTML text."""
    said = title(case)
    parts = [f'<p class="made">{text(MADE)}</p>', f"<h1>{text(said)}</h1>", *map(_html, blocks(case))]
    return paper.page(said, "\n".join(parts), simulated=case["simulated"], style=_STYLE)


def _html(block: Block) -> str:
    match block:
        case Heading(words):
            return f"<h2>{text(words)}</h2>"
        case Paragraph(words, code):
            return f"<pre>{text(words)}</pre>" if code else f"<p>{text(words)}</p>"
        case Pairs(rows, answers, good):
            if not answers:
                return listed([(name, _cell(value)) for name, value in rows])
            told = "".join(f"<dt>{text(q)}</dt><dd>{text(a)}</dd>" for q, a in rows)
            return f'<div class="panel {"good" if good else "bad"} answers"><dl>{told}</dl></div>'
        case Grid(head, rows, none):
            return _table(head, rows) if rows else f"<p>{text(none)}</p>"


def _table(head: tuple[str, ...], rows: tuple[tuple[str, ...], ...]) -> str:
    top = "".join(f'<th scope="col">{text(h)}</th>' for h in head)
    body = "".join("<tr>" + "".join(f"<td>{_cell(c)}</td>" for c in row) + "</tr>" for row in rows)
    return f"<table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>"


def _cell(words: str) -> str:
    return f'<span class="hash">{words}</span>' if _HASH.fullmatch(words) else text(words)
