"""The channel `by-hand`: a crib sheet that prints, in the order of the platform's screens, for a person to type in."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dscr_bridge import paper
from dscr_bridge.errors import ConfigError
from dscr_bridge.mapping import Edition
from dscr_bridge.mapping.nil import nil_reasons
from dscr_bridge.paper import in_words, listed, sentence, text
from dscr_bridge.returns import CheckedReturn, Figure, ItemId, Kind, Obligation, Problem, Return, State, number
from dscr_bridge.submit import Capabilities
from dscr_bridge.submit.crib_layout import Layout, Screen
from dscr_bridge.window import LONDON, Window

_KINDS: Mapping[Kind, str] = {
    Kind.FULL: "return", Kind.UNCHANGED: "return (unchanged)", Kind.NIL: "nil return", Kind.CORRECTION: "correction",
}  # fmt: skip
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
h1 { margin-bottom: .6rem } .help { break-inside: avoid; margin-top: 2rem }
.big.words { white-space: normal; font-size: 1.05rem } .before { width: 9.5rem }
.changed { display: inline-block; margin-right: .3rem; border: 1px solid #8a5a00; color: #6b4500; font-size: .78rem;
  padding: 0 .35rem;
  font-weight: 600 }
"""
_LONG = 9  # characters that fit beside the question in large figures


@dataclass(frozen=True)
class Draft:
    """What is known of a return that has not passed its checks: for a person who has to settle the rest."""

    checked: Return
    sections: Mapping[str, tuple[ItemId, ...]]
    left_out: tuple[tuple[ItemId, str], ...] = ()


def draft(ret: Return, edition: Edition) -> Draft:
    """Lay out what is known of a return: every required item, known or not, and every other that has a figure."""
    sections: dict[str, tuple[ItemId, ...]] = {}
    for item in edition.items_for(ret.obligation.care_type):
        figure = ret.figure(item.id)
        if figure.state is not State.NOT_ASKED and item.is_required:
            sections[item.section] = (*sections.get(item.section, ()), item.id)
    return Draft(ret, sections)


def crib_sheet(
    checked: CheckedReturn | Draft, layout: Layout, *, window: Window, name: str = "",
    wordings: Mapping[str, str] | None = None, previous: Return | None = None, simulated: bool = False,
    contacts: Sequence[Mapping[str, str]] = (), about: str = "", confirm_with: str = "",
    unsettled: Sequence[Problem] = (),
) -> str:  # fmt: skip
    """Give the crib sheet of a return as one HTML page that prints.

    `name` is what people call the location; `wordings` the edition's wording of each item; `previous` the return of
    the window before, to show what changed; `contacts` whom to ask for which cause.  `about` says what it is for where
    that is no reporting window, and `confirm_with` by which command it is confirmed then.  `unsettled` is what stands
    in the way of a draft.
    """
    ret = checked.checked
    last: dict[str, Figure] = {f.item: f for f in previous.figures} if previous else {}
    words = dict(wordings or {})
    absent = "find out" if isinstance(checked, Draft) else "leave empty"
    screens = (
        [_nil(ret)]
        if ret.kind is Kind.NIL
        else [
            _screen(n, screen, [ret.figure(i) for i in items], words, layout.person, last, absent)
            for n, (screen, items) in enumerate(ordered(checked.sections, layout), 1)
        ]
    )
    what = about or f"{window.opens_on:%B %Y} {_KINDS[ret.kind]}"
    by_hand = "to choose by hand" if ret.kind is Kind.NIL else "to type in by hand"
    title = f"{name or ret.obligation.location}: {what}, {by_hand}"
    confirm = f"with {confirm_with}" if confirm_with else "on the page of this return, or with " \
        f'dscr-bridge confirm {ret.obligation.location} --reference "WHAT IT SHOWED" --by "NAME"'
    parts = [_head(title, ret, window, layout, confirm), _unsettled(checked, unsettled), *screens]
    body = "\n".join([*parts, _not_asked(checked, words), _SIGN, _help(contacts)])
    return paper.page(title, body, simulated=simulated, style=_STYLE)


def write(folder: Path, checked: CheckedReturn | Draft, sheet: str) -> Path:
    """Write a crib sheet as `<location>-<care type>-<window>-crib-sheet.html`.  Raises OSError."""
    path = path_of(folder, checked.checked.obligation)
    paper.write_whole(path, sheet.encode())
    return path


def path_of(folder: Path, obligation: Obligation) -> Path:
    """Give the file of a return's crib sheet."""
    location, care_type, window = obligation.id.split("/")
    return folder / f"{location}-{care_type}-{window}-crib-sheet.html"


@dataclass(frozen=True)
class Attached:
    """A photo or PDF of what the platform showed, kept outside the ledger; the ledger holds its fingerprint."""

    file: str
    sha256: str
    bytes: int


MOST_ATTACHED = 20_000_000
_PICTURES = {b"\xff\xd8\xff": ".jpg", b"\x89PNG\r\n\x1a\n": ".png", b"%PDF-": ".pdf"}


def read_attachment(source: Path) -> bytes:
    """Read a photo or PDF that a person names; empty where that is no file, or above 20 MB, which `attach` refuses."""
    try:
        return source.read_bytes() if source.stat().st_size <= MOST_ATTACHED else b""
    except OSError:
        return b""


def attach(folder: Path, obligation: Obligation, content: bytes) -> Attached:
    """Keep a photo (JPEG, PNG) or a PDF under a name of our own.

    Raises ConfigError for anything else, judged by its first bytes and never by its name, or above 20 MB.
    """
    kind = next((ending for magic, ending in _PICTURES.items() if content.startswith(magic)), None)
    if kind is None or len(content) > MOST_ATTACHED:
        raise ConfigError(
            "The attachment", "it is not a JPEG, a PNG or a PDF of at most 20 MB.", "Nothing was recorded.",
            "Take a photo or a screenshot of what the platform shows, and give that.",
        )  # fmt: skip
    digest = hashlib.sha256(content).hexdigest()
    name = f"{obligation.id.replace('/', '-')}-{digest[:12]}{kind}"
    paper.write_whole(folder / name, content)
    return Attached(name, digest, len(content))


def ordered(sections: Mapping[str, Sequence[str]], layout: Layout) -> list[tuple[Screen, list[str]]]:
    """Give sections with their items in the order of the screens; what no screen lists follows as it stands."""
    known = {s.name: s for s in layout.screens}
    names = [s.name for s in layout.screens if s.name in sections]
    names += [name for name in sections if name not in known]
    found = []
    for name in names:
        screen = known.get(name) or Screen(name, in_words(name), "", ())
        there: list[str] = [str(item) for item in sections[name]]
        first = [item for item in screen.items if item in there]
        found.append((screen, first + [item for item in there if item not in first]))
    return found


def _head(title: str, ret: Return, window: Window, layout: Layout, confirm: str) -> str:
    closes = window.closes_on
    as_at = ret.as_at.astimezone(LONDON)
    note = f'<p class="quiet">{text(layout.note)}</p>' if layout.note else ""
    return (
        '<p class="made">Made by dscr-bridge. Not a document of DHSC, the NHS or Capacity Tracker.</p>'
        f'<h1>{text(title)}</h1><div class="panel look"><strong>Type in and save by the end of '
        f"{closes:%A} {closes.day} {closes:%B %Y}</strong>Then confirm it, so that the bridge stops asking, "
        f"{text(confirm)}</div>"
        + listed([
            ("CQC location ID", text(ret.obligation.location)),
            ("Return", text(in_words(ret.obligation.care_type))),
            ("Figures as at", text(f"{as_at.day} {as_at:%B %Y, %H:%M}")),
            ("Definitions", text(f"edition {ret.edition}")),
        ]) + note
    )  # fmt: skip


def _unsettled(checked: CheckedReturn | Draft, unsettled: Sequence[Problem]) -> str:
    """Say of a draft that it has not passed its checks, and what stands in the way."""
    if isinstance(checked, CheckedReturn):
        return ""
    reasons = "".join(f"<li>{text(p.message)}</li>" for p in unsettled)
    return (
        '<div class="panel bad"><strong>Not checked: settle this first</strong>These figures have not passed their '
        "checks. What is not known is never a zero: find it out, or leave it empty.</div>"
        + (f"<ul>{reasons}</ul>" if reasons else "")
    )


def _nil(ret: Return) -> str:
    """Say how to give a nil return: no figure is typed."""
    says = nil_reasons()[str(ret.nil_reason)]
    return (
        "<h2>Nothing to report</h2><p>Choose the nil return: the platform&#x27;s e-mail at the opening of "
        "the window holds "
        f"a link for it. Type in no figures.</p>{listed([('Reason', text(says))])}"
    )


def _screen(
    n: int, screen: Screen, figures: list[Figure], words: Mapping[str, str], person: Mapping[str, str],
    last: Mapping[str, Figure], absent: str,
) -> str:  # fmt: skip
    rows = "".join(_rows(f, words, person, last, absent) for f in figures)
    before = '<th scope="col" class="figure before">Last time</th>' if last else ""
    return (
        f"<h2>{n}. {text(screen.title)}</h2>{f'<p>{text(screen.says)}</p>' if screen.says else ''}<table><thead><tr>"
        f'<th scope="col" class="box">Done</th><th scope="col">Question</th>{before}'
        f'<th scope="col" class="figure">Type in</th></tr></thead><tbody>{rows}</tbody></table>'
    )


def _rows(
    figure: Figure, words: Mapping[str, str], person: Mapping[str, str], last: Mapping[str, Figure], absent: str
) -> str:  # fmt: skip
    label = _label(figure.item, words)
    if figure.item in person:
        label += f'<br><span class="person">You decide</span> {text(person[figure.item])}'
    old = last.get(figure.item)
    total = _row(label, _value(figure.value, absent), _value(old.value) if old else "none", bool(last))
    parts = sorted((bed_type, n) for bed_type, n in (figure.by or {}).items())
    was = old.by if old else None  # none: it is not known how it was split then, which is not the same as a change
    return total + "".join(
        _row(
            text(in_words(bed_type)), str(n), "" if was is None else str(was.get(bed_type, "none")), bool(last), "part"
        )
        for bed_type, n in parts
    )


def _label(item: str, words: Mapping[str, str]) -> str:
    return text(sentence(words.get(item, "")) or in_words(item))


def _row(label: str, value: str, old: str, show_old: bool, part: str = "") -> str:
    same = not old or value.replace(",", "") == old.replace(",", "")
    changed = "" if same else '<span class="changed">changed</span> '
    before = f'<td class="figure before">{changed}{text(old)}</td>' if show_old else ""
    long = "" if len(value) <= _LONG else " words"
    return (
        f'<tr><td class="box"><span></span></td><td class="{part}">{label}</td>{before}'
        f'<td class="big {part}{long}">{text(value)}</td></tr>'
    )


def _value(value: Any, absent: str = "leave empty") -> str:
    plain = number(value)
    if plain is None:
        return absent
    return in_words(plain) if isinstance(plain, str) else f"{plain:,}"


def _help(contacts: Sequence[Mapping[str, str]]) -> str:
    if not contacts:
        return ""
    rows = "".join(
        f"<tr><td>{text(c['says'])}</td><td><strong>{text(c['name'])}</strong><br>{text(c['how'])}"
        f'<br><span class="quiet">{text(c["when"])}</span></td></tr>'
        for c in contacts
    )
    return ('<div class="help"><h2>Whom to ask</h2><table><thead><tr><th scope="col">About what</th>'
            f'<th scope="col">Whom</th></tr></thead><tbody>{rows}</tbody></table></div>')  # fmt: skip


def _not_asked(checked: CheckedReturn | Draft, words: Mapping[str, str]) -> str:
    if not checked.left_out:
        return ""
    items = "".join(
        f"<li>{_label(item, words)}: {text(in_words(reason).lower())}</li>" for item, reason in checked.left_out
    )
    return f"<h2>Not on this sheet</h2><p>If the screen asks for it, answer it yourself.</p><ul>{items}</ul>"


_SIGN = """<div class="sign"><div>Typed in and saved by</div><div>Date and time that the platform shows</div>
<div>Reference or message that the platform shows</div><div>Confirmed with dscr-bridge by</div></div>"""
