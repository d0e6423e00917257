"""Sign in, sign out, and the signed links to one return."""

import secrets
from dataclasses import replace
from typing import Any

from flask import Blueprint, Response, abort, g, make_response, redirect, render_template, request, url_for

from dscr_bridge import links, log
from dscr_bridge.accounts import STANDINGS, Account, Role
from dscr_bridge.errors import BridgeError, ConfigError
from dscr_bridge.web.access import Person, person_of
from dscr_bridge.web.app import cookie_name, set_cookie, the_desk
from dscr_bridge.web.desk import Desk

pages = Blueprint("door", __name__)
_log = log.room("pages")
_ON_THIS_MACHINE = {
    "nominated individual": (Role.APPROVER, "nominated individual"),
    "registered manager": (Role.APPROVER, "registered manager"),
    "delegate": (Role.APPROVER, "delegate"),
    "supplier": (Role.SUPPLIER, ""),
    "viewer": (Role.VIEWER, ""),
}


@pages.get("/sign-in")
def sign_in() -> Any:
    """Ask who it is: by the one-time address on this machine, or by user name and password."""
    desk, token = the_desk(), request.args.get("token", "")
    if desk.settings.login == "token":
        return _form("sign_in_here.html", token=token, good=desk.door.holds(token), standings=STANDINGS)
    if desk.sign_on is not None:
        return _form("sign_in_by.html", then=inside(request.args.get("then", "/")), link="")
    return _form("sign_in.html", then=inside(request.args.get("then", "/")))


@pages.post("/sign-in")
def signing_in() -> Any:
    """Let somebody in."""
    desk = the_desk()
    if desk.sign_on is not None:
        abort(404)
    return _by_token() if desk.settings.login == "token" else _by_password()


@pages.post("/sign-out")
def sign_out() -> Any:
    """End the session."""
    desk = the_desk()
    if g.session is not None:
        desk.door.let_out(g.session.id)
    response = make_response(redirect(url_for("door.sign_in")))
    response.delete_cookie(cookie_name(desk), path="/")
    return response


@pages.get("/return/<token>")
def one_return(token: str) -> Any:
    """Open a signed link: the password or the sign-on comes next, and the session sees that one location."""
    desk = the_desk()
    found = links.read(desk.link_key, token, desk.now())
    account = desk.accounts.named(found[0]) if found else None
    if found is None or account is None:
        abort(403, "This link has run out or is not genuine. Ask for a new one.")
    if desk.sign_on is not None:
        return _form("sign_in_by.html", then="", link=token)
    return _form("sign_in.html", user=account.user, link=token, then="")


def _by_token() -> Any:
    desk, form = the_desk(), request.form
    name = " ".join(form.get("name", "").split())
    acts_as = form.get("acts_as", "")
    delegated_by = " ".join(form.get("delegated_by", "").split())
    wrong = {}
    if not 2 <= len(name) <= 80 or not name.isprintable():
        wrong["name"] = "Enter your first and last name"
    if acts_as not in _ON_THIS_MACHINE:
        wrong["acts_as"] = "Say as what you are here"
    if acts_as == "delegate" and not 2 <= len(delegated_by) <= 80:
        wrong["delegated_by"] = "Enter the name of the person who delegated to you"
    if wrong:
        return _form("sign_in_here.html", 422, token=form.get("token", ""), good=True, standings=STANDINGS, wrong=wrong)
    if not desk.door.use(form.get("token", "")):
        return _form("sign_in_here.html", 403, token="", good=False, standings=STANDINGS)
    role, standing = _ON_THIS_MACHINE[acts_as]
    return _enter(Person(name, role, standing, delegated_by if acts_as == "delegate" else ""), "/", "one-time address")


def _by_password() -> Any:
    desk, form = the_desk(), request.form
    user, address = form.get("user", "").strip()[:120], request.remote_addr or ""
    then = inside(form.get("then", "/"))
    if desk.door.waits(user, address):
        _log.warning("sign_in_locked")
        return _form("sign_in.html", 429, user=user, link=form.get("link", ""), then=then, locked=True)
    account = desk.accounts.check(user, form.get("password", "")[:1000])
    if account is None:
        desk.door.was_wrong(user, address)
        _log.warning("sign_in_refused")
        return _form("sign_in.html", 401, user=user, link=form.get("link", ""), then=then, refused=True)
    desk.door.was_right(user)
    return enter_by_account(account, form.get("link", ""), then)


def enter_by_account(account: Account, link: str, then: str) -> Response:
    """Let in whoever has proved to be somebody; a link narrows what the account may see, and never widens it."""
    desk = the_desk()
    person = person_of(account, desk.bridge.config)
    if not link:
        return _enter(person, then, "sign-on" if desk.sign_on else "password", account)
    found = links.read(desk.link_key, link, desk.now())
    if found is None or found[0] != account.user:
        abort(403, "This link is not for this account.")
    known = [one for p, one in desk.bridge.config.locations() if one.id == found[1] and person.sees(p.id, one.id)]
    if not known:
        raise ConfigError("Link", "this location is not this account's.", "Nothing was shown.", "Ask for a new link.")
    month = url_for("returns.month_page", location_id=found[1], care_type=found[2])
    return _enter(replace(person, scope=(found[1],)), month, "signed link", account)


def _note(desk: Desk, person: Person, way: str) -> None:
    """Put who came in, as what and how, into the audit trail of every provider that this person can see."""
    try:
        with desk.bridge.ledger.together():
            for provider in sorted({p.id for p, _ in desk.locations(person)}):
                desk.bridge.ledger.decide(
                    f"provider:{provider}", "signed_in", person.user or person.name, by=person.signs_as,
                    detail={"role": person.role.value, "way": way},
                )  # fmt: skip
    except BridgeError as failure:
        # A ledger that takes nothing is just what somebody may have come to look at.
        _log.error("sign_in_not_noted", error=type(failure).__name__)


def _enter(person: Person, then: str, way: str, account: Account | None = None) -> Response:
    desk = the_desk()
    session = desk.door.let_in(person, account)
    _note(desk, person, way)
    _log.info("signed_in", mode=person.role.value)
    response = make_response(redirect(then, 303))
    set_cookie(response, desk, cookie_name(desk), session.id)
    response.delete_cookie(f"{cookie_name(desk)}-form", path="/")
    return response


def _form(template: str, status: int = 200, **named: Any) -> Response:
    """Show a form to somebody who has no session yet; its token stands in a cookie of its own."""
    desk = the_desk()
    g.session = None
    g.form_token = secrets.token_urlsafe(24)
    response = make_response(render_template(template, **({"wrong": {}, "form": request.form} | named)), status)
    set_cookie(response, desk, f"{cookie_name(desk)}-form", g.form_token)
    return response


def inside(then: str) -> str:
    """Keep to addresses of these pages: never send anybody elsewhere."""
    safe = then.startswith("/") and not then.startswith(("//", "/\\")) and then.isprintable() and "\\" not in then
    return then if safe else "/"
