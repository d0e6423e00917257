"""The channel `by-hand`: a crib sheet that prints, in the order of the platform's screens, for a person to type in."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dscr_bridge import paper
from dscr_bridge.errors import DefinitionError
from dscr_bridge.paper import in_words, listed, sentence, text
from dscr_bridge.returns import CheckedReturn, Figure, Return, number
from dscr_bridge.submit import Capabilities
from dscr_bridge.window import LONDON, Window

CAPABILITIES = Capabilities(
    idempotent=False, read_back=False, receipt_levels=(), correctable=True, overwrites=True, by_person=True
)

_STYLE = """
.big { font-size: 1.5rem; line-height: 1.1; padding-right: 1.6rem; font-weight: 700; text-align: right;
  white-space: nowrap; font-variant-numeric: tabular-nums }
td.part { padding-left: 1.6rem; color: #484949 } .big.part { font-size: 1.2rem; font-weight: 600 }
tbody td { vertical-align: middle } td.before { font-weight: 400 }
.box { width: 3.6rem; text-align: center } .box span { display: inline-block; width: 1.35rem; height: 1.35rem;
  border: 2px solid #0b0c0c; border-radius: 2px; vertical-align: middle }
.person { display: inline-block; border: 1px solid #0b0c0c; padding: 0 .4rem; font-size: .85rem; font-weight: 600 }
.sign { display: grid; grid-template-columns: 1fr 1fr; gap: 2.2rem 2rem; margin-top: 1.6rem; break-inside: avoid }
.sign div { border-top: 1px solid #0b0c0c; padding-top: .25rem; font-size: .9rem }
h1 { margin-bottom: .6rem }
"""


@dataclass(frozen=True)
class Screen:
    """One screen of the platform."""

    name: str
    title: str
    says: str
    items: tuple[str, ...]


@dataclass(frozen=True)
class Layout:
    """The order of the screens and what only a person knows."""

    note: str
    screens: tuple[Screen, ...]
    person: Mapping[str, str]  # item -> why no system can know it


def load_layout(path: Path) -> Layout:
    """Read `channels/crib-sheet.toml`.  Raises DefinitionError."""
    try:
        content = tomllib.loads(path.read_text("utf-8"))
        screens = tuple(
            Screen(s["name"], s["title"], s.get("says", ""), tuple(s.get("items", ()))) for s in content["section"]
        )
        return Layout(content.get("note", ""), screens, {p["item"]: p["why"] for p in content.get("person", ())})
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise DefinitionError(
            path.name, "the layout of the crib sheet cannot be read.", "No crib sheet was made.",
            "Each [[section]] needs name and title, each [[person]] item and why; the shipped file is an example.",
        ) from None  # fmt: skip


def crib_sheet(
    checked: CheckedReturn, layout: Layout, *, window: Window, name: str = "",
    wordings: Mapping[str, str] | None = None, previous: Return | None = None, simulated: bool = False,
) -> str:  # fmt: skip
    """Give the crib sheet of a return as one HTML page that prints.

    `name` is what people call the location; `wordings` the edition's wording of each item; `previous` the return of
    the window before, to show what changed.
    """
    ret = checked.checked
    last: dict[str, Figure] = {f.item: f for f in previous.figures} if previous else {}
    words = dict(wordings or {})
    screens = [
        _screen(n, screen, [ret.figure(i) for i in items], words, layout.person, last)
        for n, (screen, items) in enumerate(_ordered(checked, layout), 1)
    ]
    title = f"{name or ret.obligation.location}: {window.opens_on:%B %Y} return, to type in by hand"
    body = "\n".join([_head(title, ret, window, layout), *screens, _not_asked(checked, words), _SIGN])
    return paper.page(title, body, simulated=simulated, style=_STYLE)


def write(folder: Path, checked: CheckedReturn, sheet: str) -> Path:
    """Write a crib sheet as `<location>-<care type>-<window>-crib-sheet.html`.  Raises OSError."""
    location, care_type, window = checked.checked.obligation.id.split("/")
    path = folder / f"{location}-{care_type}-{window}-crib-sheet.html"
    paper.write_whole(path, sheet.encode())
    return path


def _ordered(checked: CheckedReturn, layout: Layout) -> list[tuple[Screen, list[str]]]:
    known = {s.name: s for s in layout.screens}
    names = [s.name for s in layout.screens if s.name in checked.sections]
    names += [name for name in checked.sections if name not in known]
    ordered = []
    for name in names:
        screen = known.get(name) or Screen(name, in_words(name), "", ())
        there: list[str] = [str(item) for item in checked.sections[name]]
        first = [item for item in screen.items if item in there]
        ordered.append((screen, first + [item for item in there if item not in first]))
    return ordered


def _head(title: str, ret: Return, window: Window, layout: Layout) -> str:
    closes = window.closes_on
    as_at = ret.as_at.astimezone(LONDON)
    note = f'<p class="quiet">{text(layout.note)}</p>' if layout.note else ""
    return (
        '<p class="made">Made by dscr-bridge. Not a document of DHSC, the NHS or Capacity Tracker.</p>'
        f'<h1>{text(title)}</h1><div class="panel look"><strong>Type in and save by the end of '
        f"{closes:%A} {closes.day} {closes:%B %Y}</strong>Then confirm it, so that the bridge stops asking: "
        f"<span class=\"hash\">dscr-bridge confirm {text(ret.obligation.location)}</span></div>"
        + listed([
            ("CQC location ID", text(ret.obligation.location)),
            ("Return", text(in_words(ret.obligation.care_type))),
            ("Figures as at", text(f"{as_at.day} {as_at:%B %Y, %H:%M}")),
            ("Definitions", text(f"edition {ret.edition}")),
        ]) + note
    )  # fmt: skip


def _screen(
    n: int, screen: Screen, figures: list[Figure], words: Mapping[str, str], person: Mapping[str, str],
    last: Mapping[str, Figure],
) -> str:  # fmt: skip
    rows = "".join(_rows(f, words, person, last) for f in figures)
    before = '<th scope="col" class="figure">Last time</th>' if last else ""
    return (
        f"<h2>{n}. {text(screen.title)}</h2>{f'<p>{text(screen.says)}</p>' if screen.says else ''}<table><thead><tr>"
        f'<th scope="col" class="box">Done</th><th scope="col">Question</th>{before}'
        f'<th scope="col" class="figure">Type in</th></tr></thead><tbody>{rows}</tbody></table>'
    )


def _rows(figure: Figure, words: Mapping[str, str], person: Mapping[str, str], last: Mapping[str, Figure]) -> str:
    label = _label(figure.item, words)
    if figure.item in person:
        label += f'<br><span class="person">You decide</span> {text(person[figure.item])}'
    old = last.get(figure.item)
    total = _row(label, _value(figure.value), _value(old.value) if old else "none", bool(last))
    parts = sorted((bed_type, n) for bed_type, n in (figure.by or {}).items())
    was = (old.by if old else None) or {}
    return total + "".join(
        _row(text(in_words(bed_type)), str(n), str(was.get(bed_type, "none")), bool(last), "part")
        for bed_type, n in parts
    )


def _label(item: str, words: Mapping[str, str]) -> str:
    return text(sentence(words.get(item, "")) or in_words(item))


def _row(label: str, value: str, old: str, show_old: bool, part: str = "") -> str:
    before = f'<td class="figure before">{text(old)}</td>' if show_old else ""
    return (
        f'<tr><td class="box"><span></span></td><td class="{part}">{label}</td>{before}'
        f'<td class="big {part}">{text(value)}</td></tr>'
    )


def _value(value: Any) -> str:
    plain = number(value)
    if plain is None:
        return "leave empty"
    return in_words(plain) if isinstance(plain, str) else f"{plain:,}"


def _not_asked(checked: CheckedReturn, words: Mapping[str, str]) -> str:
    if not checked.left_out:
        return ""
    items = "".join(
        f"<li>{_label(item, words)}: {text(in_words(reason).lower())}</li>"
        for item, reason in checked.left_out
    )
    return f"<h2>Not on this sheet</h2><p>If the screen asks for it, answer it yourself.</p><ul>{items}</ul>"


_SIGN = """<div class="sign"><div>Typed in and saved by</div><div>Date and time that the platform shows</div>
<div>Reference or message that the platform shows</div><div>Confirmed with dscr-bridge by</div></div>"""
