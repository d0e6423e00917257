"""The simulated portal: a web application that a person or a browser can log in to, one save for each section.

It says on every page that it is a simulation.  Its screens are this project's own reading of public guidance; the
platform's own screens have not been seen.
"""

import hashlib
import hmac
import json
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from flask import Flask, Response, request, session
from werkzeug.exceptions import HTTPException

from dscr_bridge.returns import instant
from dscr_bridge.sandbox import portal_faults, portal_pages, portal_screens, registry, serving
from dscr_bridge.sandbox.levers import Levers
from dscr_bridge.sandbox.portal_pages import Place, Visitor
from dscr_bridge.sandbox.portal_screens import Screen
from dscr_bridge.sandbox.portal_store import PortalStore
from dscr_bridge.window import window_at

FILE = "portal.json"

# Published on purpose: they open nothing but a simulator on the loopback.
USER = "bridge@portal.invalid"
PASSWORD = "portal-only-not-a-secret"  # noqa: S105
CODE = "246810"


@dataclass(frozen=True)
class People:
    """What the portal shows of people and locations besides their ids; read from `portal.json`."""

    visitor: str = "Bridge account (simulated)"
    manager: str = "Sam Example (simulated)"
    names: Mapping[str, str] = field(default_factory=dict)


@dataclass
class Portal:
    """What the portal works with."""

    store: PortalStore
    known: registry.Registry
    people: People
    levers: Levers
    clock: Callable[[], datetime]
    key: bytes = field(default_factory=lambda: secrets.token_bytes(32))
    current: str = ""                                   # the one session that holds; a later log-in ends it
    sessions: int = 0
    pages: int = 0
    sleep: Callable[[float], None] = serving.wait

    def places(self) -> list[Place]:
        """List the locations and their kinds."""
        return [self.place(one, kind.replace("_", "-")) for one, kinds in (self.known.locations or {}).items()
                for kind in kinds]  # fmt: skip

    def place(self, location: str, kind: str) -> Place:
        """Name a location and kind."""
        return Place(location, self.people.names.get(location, f"Location {location}"), kind, self.people.manager)


def make(folder: Path, clock: Callable[[], datetime], levers: list[dict[str, Any]]) -> Flask:
    """Make the portal over its folder: `registry.json` and `portal.json` are read from it, the store is kept in it."""
    file = folder / FILE
    people = People(**json.loads(file.read_text("utf-8"))) if file.is_file() else People()
    portal = Portal(PortalStore(folder), registry.read(folder), people, Levers(portal_faults.KINDS, levers), clock)
    _begin(portal)
    app = Flask("dscr_bridge.sandbox", static_folder=None)
    app.extensions["portal"] = portal
    app.secret_key = portal.key
    app.config["MAX_CONTENT_LENGTH"] = serving.MOST_BYTES

    @app.after_request
    def stamped(response: Response) -> Response:
        return serving.stamp(response, portal.clock())

    @app.errorhandler(portal_faults.Answered)
    def answered(already: portal_faults.Answered) -> Response:
        return already.response

    @app.errorhandler(HTTPException)
    def refused(refusal: HTTPException) -> Response:
        # The framework's own pages would not say that this is a simulation.
        return _html(portal_pages.plain(refusal.name, "<p>The portal cannot answer that.</p>"), refusal.code or 500)

    _doors_of_logging_in(app, portal)
    _doors_of_a_location(app, portal)
    _doors_of_the_email(app, portal)
    _doors_of_the_simulator(app, portal)
    return app


def _begin(portal: Portal) -> None:
    """Let every location have what a person set up once and no bridge knows: an admission status."""
    for place in portal.places():
        for screen in portal_screens.SCREENS[place.kind]:
            chosen = {q.key: q.options[0] for q in screen.questions if q.kind == "select"}
            if chosen:
                portal.store.begin(place.location, place.kind, screen.name, chosen)


def write_people(folder: Path, people: People) -> None:
    """Write what the portal shows of people and locations, before it starts."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / FILE).write_text(json.dumps(vars(people), indent=1), "utf-8")


def _doors_of_logging_in(app: Flask, portal: Portal) -> None:
    @app.get("/login")
    def login() -> Response:
        _misbehave(portal, on="login")
        return _html(portal_pages.login(_token()))

    @app.post("/login")
    def log_in() -> Response:
        _misbehave(portal, on="login")
        known = (request.form.get("user"), request.form.get("password")) == (USER, PASSWORD)
        if not known or not _token_is_ours():
            return _html(portal_pages.login(_token(), "The email address or the password is wrong."))
        if portal.levers.take("mfa"):
            session["waits"] = True
            return _go("/code")
        return _welcome(portal)

    @app.get("/code")
    def code() -> Response:
        return _html(portal_pages.code(_token()))

    @app.post("/code")
    def give_code() -> Response:
        if not session.get("waits") or request.form.get("code") != CODE:
            return _html(portal_pages.code(_token(), "The code is wrong."))
        return _welcome(portal)

    @app.get("/")
    def home() -> Response:
        visitor = _enter(portal, on="home")
        if portal.levers.take("news"):
            return _html(portal_pages.news(visitor))
        return _html(portal_pages.home(portal.places(), visitor))


def _doors_of_a_location(app: Flask, portal: Portal) -> None:
    @app.get("/location/<location>/<kind>")
    def sections(location: str, kind: str) -> Response:
        visitor, place = _enter(portal, on="sections", location=location), _known(portal, location, kind)
        held = [(s, portal.store.held(location, kind, s.name)) for s in portal_screens.SCREENS[kind]]
        return _html(portal_pages.sections(place, held, visitor))

    @app.get("/location/<location>/<kind>/held")
    def held(location: str, kind: str) -> Response:
        visitor, place = _enter(portal, on="held", location=location), _known(portal, location, kind)
        both = [(s, portal.store.held(location, kind, s.name)) for s in portal_screens.SCREENS[kind]]
        facts = {"on": "held", "location": location}
        return _html(portal_faults.scripted(portal.levers, portal_pages.held(place, both, visitor), facts))

    @app.get("/location/<location>/<kind>/<name>")
    def form(location: str, kind: str, name: str) -> Response:
        facts = {"location": location, "screen": name}
        visitor, place = _enter(portal, on="open", **facts), _known(portal, location, kind)
        screen = _screen(portal, kind, name, facts)
        page = portal_pages.form(place, screen, portal.store.held(location, kind, name), _token(), visitor,
                                 saved=session.pop("saved", "") == request.path)  # fmt: skip
        if lever := portal.levers.take("person-edit", on="open", **facts):
            _edit(portal, location, kind, name, lever.value)
        return _html(portal_faults.scripted(portal.levers, page, {"on": "open", **facts}))

    @app.post("/location/<location>/<kind>/<name>")
    def save(location: str, kind: str, name: str) -> Response:
        return _save(portal, _known(portal, location, kind), name)


def _save(portal: Portal, place: Place, name: str) -> Response:
    facts = {"location": place.location, "screen": name}
    visitor = _enter(portal, on="save", **facts)
    screen = _screen(portal, place.kind, name, facts)
    before = portal.store.held(place.location, place.kind, name)
    answers = portal_pages.answers_of(screen, request.form)
    wrong = "Your page is too old." if not _token_is_ours() else portal_faults.mistakes(screen, answers)
    if lever := portal.levers.take("refused", **facts):
        wrong = str(lever.value or "A rule of the portal refuses this.")
    if wrong:
        typed = replace(before, answers=answers)
        return _html(portal_pages.form(place, screen, typed, _token(), visitor, wrong=wrong))
    lost = portal.levers.take("keeps-old", **facts)
    _keep(portal, place, name, before.answers if lost else answers, "lost" if lost else "form")
    if lever := portal.levers.take("person-edit", on="saved", **facts):
        _edit(portal, place.location, place.kind, name, lever.value)
    portal_faults.hang_up(portal.levers, portal.sleep, request.environ, facts)
    session["saved"] = request.path
    return _go(request.path)


def _doors_of_the_email(app: Flask, portal: Portal) -> None:
    @app.get("/email/<location>/<kind>")
    def email(location: str, kind: str) -> Response:
        place, window = _known(portal, location, kind), window_at(portal.clock())
        closes = f"the end of {window.closes_on:%A} {window.closes_on.day} {window.closes_on:%B}"
        return _html(portal_pages.email(place, f"/link/{location}/{kind}/{_seal(portal, location, kind)}", closes))

    @app.get("/link/<location>/<kind>/<seal>")
    def link(location: str, kind: str, seal: str) -> Response:
        return _html(portal_pages.link(_sealed(portal, location, kind, seal)))

    @app.post("/link/<location>/<kind>/<seal>")
    def answer(location: str, kind: str, seal: str) -> Response:
        place = _sealed(portal, location, kind, seal)
        what = request.form.get("what")
        if what == "nil":
            _keep(portal, place, "nil", {}, "nil")
            return _html(portal_pages.link(place, "Your nil return has been received"))
        if what != "unchanged":
            return _html(portal_pages.plain("Choose one of the two answers", "<p>Nothing was saved.</p>"), 400)
        for screen in portal_screens.SCREENS[kind]:
            standing = portal.store.held(location, kind, screen.name)
            _keep(portal, place, screen.name, standing.answers, "unchanged")
        return _html(portal_pages.link(place, "Your previous information has been saved"))


def _doors_of_the_simulator(app: Flask, portal: Portal) -> None:
    """Open the doors that only a simulator has; they answer this machine alone."""

    @app.before_request
    def loopback_only() -> Response | None:
        if not serving.from_loopback(request.environ):
            return Response("The simulator answers this machine only.", 403)
        return None

    @app.route("/simulator/levers", methods=["GET", "POST"])
    def levers() -> Response:
        try:
            if request.method == "POST":
                portal.levers.set(request.get_json(force=True))
        except (ValueError, TypeError, AttributeError):
            return Response(f"Send a list of levers: {', '.join(sorted(portal_faults.KINDS))}.", 400)
        return _json(portal.levers.shown())

    @app.get("/simulator/saves")
    def saves() -> Response:
        return _json(portal.store.saves())

    @app.post("/simulator/forget")
    def forget() -> Response:
        portal.store.forget()
        _begin(portal)
        portal.sessions = portal.pages = 0
        return _json([])

    @app.get("/simulator/visits")
    def visits() -> Response:
        return _json({"sessions": portal.sessions, "pages": portal.pages})

    @app.post("/simulator/edit")
    def edit() -> Response:
        change = request.get_json(force=True)
        _edit(portal, change["location"], change["kind"], change["screen"], change["answers"], change.get("at"))
        return _json(portal.store.saves()[-1])


def _enter(portal: Portal, **facts: str) -> Visitor:
    """Misbehave as the levers say, and let in only who is signed in; raises Answered."""
    portal.pages += 1
    _misbehave(portal, **facts)
    if portal.levers.take("session-ends", **facts):
        session.clear()
    if not session.get("id") or session["id"] != portal.current:
        raise portal_faults.Answered(_go("/login"))
    return Visitor(portal.people.visitor)


def _misbehave(portal: Portal, **facts: str) -> None:
    portal_faults.before(portal.levers, portal.sleep, request.environ, facts)


def _welcome(portal: Portal) -> Response:
    """Begin a session; as in many web applications, an account has one at a time."""
    session.clear()
    portal.current = session["id"] = secrets.token_hex(12)
    portal.sessions += 1
    return _go("/")


def _known(portal: Portal, location: str, kind: str) -> Place:
    if kind not in portal_screens.SCREENS or not portal.known.knows(location, kind.replace("-", "_")):
        raise portal_faults.Answered(_html(portal_pages.plain("Page not found", "<p>There is no such page.</p>"), 404))
    return portal.place(location, kind)


def _screen(portal: Portal, kind: str, name: str, facts: Mapping[str, str]) -> Screen:
    found = portal_screens.screen(kind, name)
    if found is None:
        raise portal_faults.Answered(_html(portal_pages.plain("Page not found", "<p>There is no such page.</p>"), 404))
    return portal_faults.changed(portal.levers, found, facts)


def _keep(portal: Portal, place: Place, screen: str, answers: Mapping[str, str], how: str) -> None:
    at = instant(portal.clock())
    portal.store.save(place.location, place.kind, screen, answers, at=at, who="account", how=how)


def _edit(
    portal: Portal, location: str, kind: str, screen: str, change: Mapping[str, str], at: str | None = None
) -> None:
    """Change answers as a person does in another window."""
    before = portal.store.held(location, kind, screen).answers
    portal.store.save(location, kind, screen, {**before, **change}, at=at or instant(portal.clock()), who="person",
                      how="edit")  # fmt: skip


def _seal(portal: Portal, location: str, kind: str) -> str:
    return hmac.new(portal.key, f"{location}|{kind}".encode(), hashlib.sha256).hexdigest()[:32]


def _sealed(portal: Portal, location: str, kind: str, seal: str) -> Place:
    place = _known(portal, location, kind)
    if not hmac.compare_digest(seal, _seal(portal, location, kind)):
        raise portal_faults.Answered(_html(portal_pages.plain("This link is no longer good", "<p>Log in.</p>"), 403))
    return place


def _token() -> str:
    session.setdefault("token", secrets.token_hex(12))
    return str(session["token"])


def _token_is_ours() -> bool:
    return hmac.compare_digest(request.form.get("token", ""), str(session.get("token", "none")))


def _go(path: str) -> Response:
    # Only ever to our own pages.
    return Response(status=303, headers={"Location": urlsplit(path).path})


def _html(page: str, status: int = 200) -> Response:
    return Response(page, status, content_type="text/html; charset=utf-8")


def _json(answer: Any) -> Response:
    return Response(json.dumps(answer), content_type="application/json")
