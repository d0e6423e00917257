"""The simulated portal's pages as HTML: plain forms with labels, groups and landmarks, SIMULATED on every one."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby

from dscr_bridge.paper import listed, page, text
from dscr_bridge.sandbox.portal_screens import BED_TYPES, Question, Screen
from dscr_bridge.sandbox.portal_store import Held
from dscr_bridge.window import LONDON

# The purple is for tests: a picture that holds it shows more than it should.
HEADER_COLOUR = (106, 27, 154)

_STYLE = """
header { background: rgb(106, 27, 154); color: #fff; padding: .6rem 1rem; margin: 0 0 1.2rem }
header p { margin: 0; max-width: none; display: flex; gap: 2rem; flex-wrap: wrap }
nav ul, .plain { list-style: none; padding: 0; margin: .6rem 0 } nav li, .plain li { padding: .3rem 0 }
form { margin-top: 1rem } fieldset { border: 1px solid #b1b4b6; margin: 0 0 1.2rem; padding: .6rem 1rem }
legend { font-weight: 700; padding: 0 .4rem } label { display: block; margin: .7rem 0 .2rem; font-weight: 600 }
input, select, textarea { font: inherit; padding: .35rem .5rem; border: 2px solid #0b0c0c; width: 11rem }
textarea { width: 100%; height: 4rem } input[type=radio] { width: auto; margin-right: .5rem }
#user, #password { width: 24rem; max-width: 100% } td input { width: 5.2rem }
td, thead th { padding-right: .6rem } tbody td, tbody th { vertical-align: middle } .radio { font-weight: 400 }
button { font: inherit; font-weight: 700; padding: .5rem 1.2rem; background: #1d5f3a; color: #fff; border: 0;
  margin-top: .8rem }
a { color: #1a4f8b } a:focus, button:focus, input:focus { outline: 3px solid #ffbf47; outline-offset: 1px }
.said { border-left: 8px solid #1d5f3a; padding: .5rem 1rem; background: #eef5f0 }
.wrong { border: 3px solid #a51c10; padding: .5rem 1rem } .name { width: 16rem }
"""
_ABOUT = ('<p class="made">A simulation made by dscr-bridge. It is not Capacity Tracker, its screens were never seen '
          "by those who made it, and nothing typed here reaches anybody.</p>")  # fmt: skip


@dataclass(frozen=True)
class Visitor:
    """Who is signed in, as the header shows it."""

    name: str = ""


@dataclass(frozen=True)
class Place:
    """A location and which of its screens."""

    location: str
    name: str
    kind: str
    manager: str = ""

    @property
    def path(self) -> str:
        """The path of its pages."""
        return f"/location/{self.location}/{self.kind}"

    @property
    def called(self) -> str:
        """Its name, id and kind, as links and headings say it."""
        return f"{self.name} ({self.location}), {self.kind.replace('-', ' ')}"


def plain(title: str, body: str, visitor: Visitor | None = None) -> str:
    """Give a page with the portal's frame around it."""
    signed_in = f"<span>Signed in as {text(visitor.name)}</span>" if visitor else ""
    home = '<a href="/" style="color:#fff">Your locations</a>' if visitor else ""
    header = f"<header><p><strong>Simulated portal</strong>{home}{signed_in}</p></header>"
    return page(title, f"{header}{_ABOUT}<h1>{text(title)}</h1>{body}", simulated=True, style=_STYLE)


def login(token: str, wrong: str = "") -> str:
    """Ask for e-mail address and password."""
    return plain("Log in", _problem(wrong) + _form(
        token, '<label for="user">Email address</label><input id="user" name="user" autocomplete="username">'
        '<label for="password">Password</label><input id="password" name="password" type="password">', "Log in",
    ))  # fmt: skip


def code(token: str, wrong: str = "") -> str:
    """Ask for the code that was sent to a person's telephone."""
    return plain("Check your phone", _problem(wrong) + _form(
        token, '<label for="code">Security code</label><input id="code" name="code" inputmode="numeric">', "Continue",
    ))  # fmt: skip


def home(places: Sequence[Place], visitor: Visitor) -> str:
    """List the locations of an account."""
    links = "".join(f'<li><a href="{text(p.path)}">{text(p.called)}</a></li>' for p in places)
    return plain("Your locations", f'<nav aria-label="Your locations"><ul>{links}</ul></nav>', visitor)


def sections(place: Place, screens: Sequence[tuple[Screen, Held]], visitor: Visitor) -> str:
    """List the sections of a location, each with when it was last updated."""
    rows = "".join(
        f'<tr><td><a href="{text(place.path)}/{s.name}">{text(s.title)}</a></td><td>{_when(held.at)}</td></tr>'
        for s, held in screens
    )
    body = (
        f"<p>{text(place.called)}. Registered manager: {text(place.manager or 'not given')}.</p><table><thead><tr>"
        '<th scope="col">Section</th><th scope="col">Last updated (British time)</th></tr></thead>'
        f'<tbody>{rows}</tbody></table><p><a href="{text(place.path)}/held">What we hold</a></p>'
    )
    return plain("Update your information", body, visitor)


def form(
    place: Place, screen: Screen, held: Held, token: str, visitor: Visitor, *, saved: bool = False, wrong: str = ""
) -> str:
    """Ask the questions of a section."""
    asked = [q for q in screen.questions if q.kind == "whole"]
    grid = _grid(asked, held) if screen.grid else ""
    rest = [q for q in screen.questions if not (screen.grid and q in asked)]
    groups = "".join(_group(group, list(those), held) for group, those in groupby(rest, key=lambda q: q.group))
    said = '<div class="said" role="status">Your information has been saved</div>' if saved else ""
    body = (
        f'{said}{_problem(wrong)}<p>{text(place.called)}</p><p>{text(screen.intro)}</p>{_updated(held.at)}'
        f'{_form(token, grid + groups, screen.save)}<p><a href="{text(place.path)}">Back to all sections</a></p>'
    )
    return plain(screen.title, body, visitor)


def held(place: Place, screens: Iterable[tuple[Screen, Held]], visitor: Visitor) -> str:
    """Show everything that is held of a location, in the portal's other words."""
    parts = []
    for n, (screen, one) in enumerate(screens):
        rows = [(q.says, _shown(one.answers.get(q.key))) for q in screen.asked()]
        parts.append(f'<section aria-labelledby="s{n}"><h2 id="s{n}">{text(screen.title)}</h2>{_updated(one.at)}'
                     f"{listed(rows)}</section>")  # fmt: skip
    return plain("What we hold", f"<p>{text(place.called)}</p>{''.join(parts)}", visitor)


def email(place: Place, url: str, closes: str) -> str:
    """Show the e-mail that says that the window is open, with its two links."""
    return plain("An e-mail of the platform, simulated", (
        f"<p>To the contacts of {text(place.called)}.</p><p>The monthly collection is open until {text(closes)}.</p>"
        f'<ul class="plain"><li><a href="/">Review, update and save your information</a></li>'
        f'<li><a href="{text(url)}">Nothing to report, or nothing has changed</a></li></ul>'
    ))  # fmt: skip


def link(place: Place, said: str = "") -> str:
    """Ask which of the two quick answers is meant."""
    done = f'<div class="said" role="status">{text(said)}</div>' if said else ""
    return plain("Nothing to report, or nothing has changed", (
        f'{done}<p>{text(place.called)}</p><form method="post"><button name="what" value="unchanged">'
        'Save the information that you already hold</button> <button name="what" value="nil">Send a nil return'
        "</button></form>"
    ))  # fmt: skip


def maintenance() -> str:
    """Say that the portal is down for maintenance."""
    return plain("Planned maintenance", "<p>We are making improvements. Please come back later.</p>")


def news(visitor: Visitor) -> str:
    """Put news in the way of whoever has just logged in."""
    return plain("What is new", '<p>We have changed a few things.</p><p><a href="/">Continue</a></p>', visitor)


def british(at: datetime) -> str:
    """Write an instant in British time, to the minute."""
    there = at.astimezone(LONDON)
    return f"{there.day} {there:%B %Y %H:%M}"


def _form(token: str, fields: str, button: str) -> str:
    return (f'<form method="post" novalidate><input type="hidden" name="token" value="{text(token)}">{fields}'
            f'<div><button>{text(button)}</button></div></form>')  # fmt: skip


def _problem(words: str) -> str:
    said = f'<div class="wrong" role="alert"><strong>There is a problem</strong><p>{text(words)}</p></div>'
    return said if words else ""


def _updated(at: str | None) -> str:
    moment = datetime.fromisoformat(at) if at else None
    utc = f"{moment.day} {moment:%B %Y %H:%M}" if moment else "never"
    return listed([("Last updated (UTC)", text(utc)), ("Last updated (British time)", _when(at))])


def _when(at: str | None) -> str:
    return text(british(datetime.fromisoformat(at))) if at else "never"


def _shown(answer: str | None) -> str:
    return text(answer) if answer else "none"


def _grid(questions: Sequence[Question], held: Held) -> str:
    head = "".join(f'<th scope="col" id="c-{q.key}">{text(q.label)}</th>' for q in questions)
    rows = "".join(
        f'<tr><th scope="row" id="r-{n}">{text(bed_type)}</th>'
        + "".join(
            f'<td><input name="{q.key}.{n}" inputmode="numeric" aria-labelledby="r-{n} c-{q.key}" '
            f'value="{text(held.answers.get(f"{q.key}.{n}", ""))}"></td>'
            for q in questions
        )
        + "</tr>"
        for n, bed_type in enumerate(BED_TYPES)
    )
    return f'<table><thead><tr><td class="name"></td>{head}</tr></thead><tbody>{rows}</tbody></table>'


def _group(group: str, questions: Sequence[Question], held: Held) -> str:
    fields = "".join(_field(q, held.answers.get(q.key, "")) for q in questions)
    return f"<fieldset><legend>{text(group)}</legend>{fields}</fieldset>" if group else fields


def _field(question: Question, value: str) -> str:
    need = ' required aria-required="true"' if question.required else ""
    if question.kind == "choice":
        return _choice(question, value, need)
    label = f'<label for="f-{question.key}">{text(question.label)}</label>'
    named = f'id="f-{question.key}" name="{question.key}"{need}'
    if question.kind == "select":
        options = "".join(f"<option{' selected' if o == value else ''}>{text(o)}</option>" for o in question.options)
        return f'{label}<select {named}>{options}</select>'
    if question.kind == "text":
        return f"{label}<textarea {named}>{text(value)}</textarea>"
    return f'{label}<input inputmode="decimal" {named} value="{text(value)}">'


def _choice(question: Question, value: str, need: str) -> str:
    options = "".join(
        f'<label class="radio"><input type="radio" name="{question.key}" value="{text(o)}"{need}'
        f'{" checked" if o == value else ""}>{text(o)}</label>'
        for o in question.options
    )
    return f"<fieldset><legend>{text(question.label)}</legend>{options}</fieldset>"


def answers_of(screen: Screen, sent: Mapping[str, str]) -> dict[str, str]:
    """Take the answers of a screen out of what a form sent."""
    return {q.key: sent.get(q.key, "").strip() for q in screen.asked()}
