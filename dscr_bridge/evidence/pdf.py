"""The PDF of an evidence pack: the same blocks as its page, for an e-mail or a post room; no network, no browser.

The typeface comes with a package, so that a Welsh house name is printed as it is spelt.
"""

from collections.abc import Mapping
from datetime import datetime
from functools import partial
from importlib.resources import files
from typing import TYPE_CHECKING, Any, cast

from dscr_bridge.evidence.page import MADE
from dscr_bridge.evidence.story import Block, Grid, Heading, Pairs, Paragraph, blocks, title

if TYPE_CHECKING:
    from fpdf import FPDF

_FACE = "Source Sans Pro"
_MARGIN, _NAMES = 16, 46  # millimetres: the margin of the page, the column of names
_GOOD, _BAD, _LINE = (29, 95, 58), (165, 28, 16), (177, 180, 182)


def pdf(account: Mapping[str, Any]) -> bytes:
    """Give an account as PDF, A4; the same account gives the same bytes."""
    made = _document(account)
    said = title(account)
    _text(made, MADE, 8.5, grey=True)
    made.ln(1)
    made.start_section(said)
    _text(made, said, 19, bold=True)
    made.ln(2)
    for block in blocks(account):
        _put(made, block)
    return bytes(made.output())


def _document(account: Mapping[str, Any]) -> "FPDF":
    from fpdf import FPDF

    stamp = "SIMULATED: not a real return"

    class Paper(FPDF):  # header and footer are asked for by name, at every page
        def header(self) -> None:
            if account["simulated"]:
                self.set_font(_FACE, "B", 9)
                self.cell(0, 6, stamp, align="C", new_x="LMARGIN", new_y="NEXT", border=1)
                self.ln(3)

        def footer(self) -> None:
            self.set_y(-12)
            self.set_font(_FACE, "", 8)
            about = f"{account['location']}, {account['window']}"
            self.cell(0, 6, f"{about}. Page {self.page_no()} of {{nb}}", align="R")

    made = Paper(format="A4")
    made.set_margins(_MARGIN, 14)
    made.set_auto_page_break(True, 16)
    made.set_creation_date(datetime.fromisoformat(account["made_at"]["utc"]))
    made.set_title(("SIMULATED: " if account["simulated"] else "") + title(account))
    made.set_author("dscr-bridge")
    made.set_lang("en-GB")
    typefaces = files("font_source_sans_pro") / "files"
    for style, name in (("", "Regular"), ("B", "Semibold")):
        made.add_font(_FACE, style, str(typefaces / f"SourceSansPro-{name}.ttf"))
    made.add_page()
    return made


def _put(made: "FPDF", block: Block) -> None:
    match block:
        case Heading(words):
            if made.will_page_break(30):  # a heading never stands alone at the foot of a page
                made.add_page()
            made.ln(3)
            made.start_section(words, level=1)
            _text(made, words, 13, bold=True)
            made.ln(1)
        case Paragraph(words, code):
            _text(made, words, 10, bold=code)
            made.ln(1)
        case Pairs(rows, answers, good):
            _pairs(made, rows, 11 if answers else 9.5, (_GOOD if good else _BAD) if answers else None)
        case Grid(head, rows, none):
            _table(made, head, rows) if rows else _text(made, none, 10)


def _pairs(made: "FPDF", rows: tuple[tuple[str, str], ...], size: float, bar: tuple[int, int, int] | None) -> None:
    top, first_page = made.get_y(), made.page_no()
    for name, value in rows:
        made.set_font(_FACE, "", size)
        tall = made.multi_cell(made.epw - _NAMES, size * 0.46, value, dry_run=True, output="HEIGHT")
        if made.will_page_break(cast(float, tall)):
            made.add_page()
        y = made.get_y()
        made.set_x(made.l_margin + 3)
        made.set_font(_FACE, "B", size)
        made.multi_cell(_NAMES - 5, size * 0.46, name, align="L")
        below = made.get_y()
        made.set_xy(made.l_margin + _NAMES, y)
        made.set_font(_FACE, "", size)
        made.multi_cell(made.epw - _NAMES, size * 0.46, value, align="L", new_x="LMARGIN", new_y="NEXT")
        made.set_y(max(below, made.get_y()) + 0.8)
    if bar is not None and made.page_no() == first_page:
        made.set_fill_color(*bar)
        made.rect(made.l_margin - 2, top, 1.6, made.get_y() - top, style="F")
        made.set_fill_color(255, 255, 255)  # else the tables take it over
    made.ln(2)


def _table(made: "FPDF", head: tuple[str, ...], rows: tuple[tuple[str, ...], ...]) -> None:
    from fpdf.enums import TableBordersLayout
    from fpdf.fonts import FontFace

    made.set_font(_FACE, "", 9)
    made.set_draw_color(*_LINE)
    widths = {2: (1, 1), 3: (5, 7, 5), 4: (6, 3, 5, 8)}[len(head)]
    put = partial(
        made.table,
        borders_layout=TableBordersLayout.HORIZONTAL_LINES,
        line_height=4.4,
        padding=(0.7, 1.5, 0.7, 0),
        text_align="LEFT",
        v_align="TOP",
        headings_style=FontFace(emphasis="BOLD"),
    )
    with put(col_widths=widths) as table:
        for row in (head, *rows):
            cells = table.row()
            for words in row:
                cells.cell(words)
    made.ln(2)


def _text(made: "FPDF", words: str, size: float, *, bold: bool = False, grey: bool = False) -> None:
    made.set_font(_FACE, "B" if bold else "", size)
    made.set_text_color(*((72, 73, 73) if grey else (11, 12, 12)))
    made.multi_cell(0, size * 0.46, words, align="L", new_x="LMARGIN", new_y="NEXT")
    made.set_text_color(11, 12, 12)
