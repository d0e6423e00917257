"""Make the application: every answer under a strict policy, every act by a signed-in person, every failure in words."""

import base64
import hashlib
import hmac
import re
from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar, cast
from urllib.parse import urlsplit

from flask import Blueprint, Flask, Response, abort, current_app, g, redirect, render_template, request, url_for
from markupsafe import Markup
from werkzeug.exceptions import HTTPException

from dscr_bridge import __version__, log
from dscr_bridge.config import Location, Provider, is_loopback
from dscr_bridge.errors import BridgeError
from dscr_bridge.paper import in_words
from dscr_bridge.returns import Obligation
from dscr_bridge.submit.by_hand import MOST_ATTACHED
from dscr_bridge.web import charts, words
from dscr_bridge.web.access import Person, Session, still_holds
from dscr_bridge.web.desk import Desk, obligation_of

POLICY = (
    "default-src 'none'; style-src 'self'{styles}; img-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'"
)
MOST_BYTES = 200_000
_STYLE = re.compile(rb"<style>(.*?)</style>", re.S)
_log = log.room("pages")
_Page = TypeVar("_Page", bound=Callable[..., Any])


def make_app(desk: Desk) -> Flask:
    """Make the WSGI application of one installation's pages."""
    from dscr_bridge.web import api, beds, door, items, proof, returns, sign_on, standing, wall

    app = Flask("dscr_bridge.web", static_folder="static", template_folder="templates")
    app.config.update(MAX_CONTENT_LENGTH=MOST_BYTES, MAX_FORM_PARTS=300)
    app.extensions["desk"] = desk
    app.jinja_options = {"autoescape": True, "trim_blocks": True, "lstrip_blocks": True}
    app.jinja_env.globals.update(
        words=words, in_words=in_words, charts=charts, version=__version__, csrf=_csrf_field, desk=desk
    )
    for room in (door, sign_on, wall, returns, items, beds, proof, standing, api):
        app.register_blueprint(cast(Blueprint, room.pages))
    app.before_request(_guard)
    app.after_request(_harden)
    app.register_error_handler(BridgeError, _expected)
    app.register_error_handler(HTTPException, _refused)
    app.register_error_handler(Exception, _unforeseen)
    return app


def the_desk() -> Desk:
    """The desk of this installation."""
    found: Desk = current_app.extensions["desk"]
    return found


def me() -> Person:
    """Who is asking; only behind `signed_in`."""
    person: Person = g.session.person
    return person


def flash(tone: str, text: str) -> None:
    """Say something on the next page; tone is good, look or bad."""
    g.session.flash.append((tone, text))


def signed_in(page: _Page) -> _Page:
    """Ask whoever is not signed in to do so first."""

    @wraps(page)
    def asked(*args: Any, **named: Any) -> Any:
        if g.session is None:
            return redirect(
                url_for("door.sign_in", then=request.full_path.rstrip("?") if request.method == "GET" else "/")
            )
        return page(*args, **named)

    return cast(_Page, asked)


def only(allowed: Callable[[Person], bool], why: str) -> Callable[[_Page], _Page]:
    """Let a page be used only by people of whom `allowed` is true; others are told why."""

    def on(page: _Page) -> _Page:
        @signed_in
        @wraps(page)
        def asked(*args: Any, **named: Any) -> Any:
            if not allowed(me()):
                abort(403, why)
            return page(*args, **named)

        return cast(_Page, asked)

    return on


approvers_only = only(
    lambda p: p.approves,
    "Only a named person of the provider answers, approves and holds; a supplier, "
    "an administrator or an auditor cannot.",
)


def mine(location_id: str) -> tuple[Provider, Location]:
    """Find a location of this person's; not found when it is none of theirs, without saying which."""
    desk = the_desk()
    for provider, location in desk.locations(me()):
        if location.id == location_id.upper():
            return provider, location
    abort(404)


def my_return(location_id: str, care_type: str, month: str | None = None) -> tuple[Provider, Location, Obligation]:
    """Find a return of this person's in a window (this one when left out)."""
    provider, location = mine(location_id)
    try:
        window = the_desk().bridge.window_named(month) if month else the_desk().bridge.window()
    except ValueError:
        abort(404)
    found = obligation_of(location, care_type, window.month)
    if found is None:
        abort(404)
    return provider, location, found


def _guard() -> Response | None:
    desk = the_desk()
    g.session = None
    if not _host_is_ours(desk):
        abort(400, "This address is not the one under which these pages are served.")
    if request.endpoint == "static":
        return None
    g.session = desk.door.session(request.cookies.get(cookie_name(desk)))
    if g.session is not None and not still_holds(g.session, desk.accounts):
        desk.door.let_out(g.session.id)
        g.session = None
    if request.endpoint == "returns.confirm" and g.session is not None and g.session.person.approves:
        request.max_content_length = MOST_BYTES + MOST_ATTACHED  # a photo may come with it
    if request.method not in ("GET", "HEAD", "OPTIONS") and not request.path.startswith("/api/"):
        _refuse_forged(desk, g.session)
    return None


def _host_is_ours(desk: Desk) -> bool:
    """Refuse names that other sites could point at this machine."""
    host = request.host.rpartition(":")[0] if ":" in request.host.rpartition("]")[2] else request.host
    if desk.settings.public_url and host == urlsplit(desk.settings.public_url).hostname:
        return True
    return host == "localhost" or is_loopback(f"http://{host}") or host == desk.settings.host


def _refuse_forged(desk: Desk, session: Session | None) -> None:
    origin = request.headers.get("Origin")
    ours = {request.host, urlsplit(desk.settings.public_url or "").netloc}
    if origin is not None and urlsplit(origin).netloc not in ours:
        abort(403, "The form did not come from these pages.")
    if request.headers.get("Sec-Fetch-Site", "same-origin") not in ("same-origin", "none"):
        abort(403, "The form did not come from these pages.")
    expected = session.csrf if session else request.cookies.get(f"{cookie_name(desk)}-form", "")
    if not expected or not hmac.compare_digest(expected.encode(), request.form.get("csrf", "").encode()):
        abort(
            403, "The form is too old or did not come from these pages. Go back, load the page again and try once more."
        )


def cookie_name(desk: Desk) -> str:
    """Name the cookie; behind TLS with the prefix that binds it to this host and to TLS."""
    return "__Host-dscr-bridge" if secure(desk) else "dscr-bridge"


def secure(desk: Desk) -> bool:
    """Say whether people reach the pages through TLS."""
    return bool(desk.settings.public_url and desk.settings.public_url.startswith("https://"))


def set_cookie(response: Response, desk: Desk, name: str, value: str) -> None:
    """Set a cookie that scripts cannot read and that no other site can have sent."""
    response.set_cookie(name, value, secure=secure(desk), httponly=True, samesite="Lax", path="/")


def printable(page: str) -> Response:
    """Serve a page that carries its own style, allowing that very style and nothing else."""
    body = page.encode()
    found = _STYLE.search(body)
    digest = base64.b64encode(hashlib.sha256(found[1]).digest()).decode() if found else ""
    g.style_hash = f"sha256-{digest}"
    return Response(body, content_type="text/html; charset=utf-8")


def _csrf_field() -> Markup:
    token = g.session.csrf if g.session else g.get("form_token", "")
    return Markup('<input type="hidden" name="csrf" value="{}">').format(token)


def _harden(response: Response) -> Response:
    styles = g.get("style_hash", "")
    policy = POLICY.format(styles=f" '{styles}'" if styles else "")
    response.headers.setdefault("Content-Security-Policy", policy)
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Referrer-Policy"] = "same-origin"
    response.headers["X-Frame-Options"] = "DENY"
    response.headers["Cross-Origin-Opener-Policy"] = "same-origin"
    response.headers["Cross-Origin-Resource-Policy"] = "same-origin"
    response.headers["Permissions-Policy"] = "camera=(), geolocation=(), microphone=()"
    if request.endpoint == "static":
        response.headers["Cache-Control"] = "public, max-age=3600"
    else:
        response.headers["Cache-Control"] = "no-store"
    return response


def _expected(failure: BridgeError) -> Any:
    if request.path.startswith("/api/"):
        return {"title": failure.what, "detail": f"{failure.now} {failure.do}"}, 409
    return render_template("failed.html", failure=failure), 409


def _refused(refusal: HTTPException) -> Any:
    code = refusal.code or 500
    if request.path.startswith("/api/"):
        return {"title": refusal.name, "detail": _said(refusal)}, code
    return render_template("refused.html", code=code, name=refusal.name, said=_said(refusal)), code


def _said(refusal: HTTPException) -> str:
    return refusal.description or "" if refusal.code in (400, 403, 409, 429) else ""


def _unforeseen(fault: Exception) -> Any:
    # Its text may hold anything: only its kind is kept.
    _log.error("page_failed", error=type(fault).__name__)
    log.frames(fault.__traceback__)
    if request.path.startswith("/api/"):
        return {"title": "Unforeseen fault", "detail": ""}, 500
    return render_template("refused.html", code=500, name="Something went wrong", said=""), 500
