"""The pages' side of the provider's own sign-on: send somebody there, and take the answer."""

import hmac
from typing import Any

from flask import Blueprint, abort, make_response, redirect, render_template, request, url_for

from dscr_bridge import log
from dscr_bridge.errors import BridgeError
from dscr_bridge.web.app import cookie_name, set_cookie, the_desk
from dscr_bridge.web.desk import Desk
from dscr_bridge.web.door import enter_by_account, inside
from dscr_bridge.web.openid import SignOn

pages = Blueprint("sign_on", __name__)
_log = log.room("pages")


@pages.get("/sign-in/go")
def go() -> Any:
    """Send somebody to the sign-on; a cookie ties the answer to this browser."""
    desk = the_desk()
    sign_on = _sign_on(desk)
    link, then = request.args.get("link", "")[:500], inside(request.args.get("then", "/"))
    there, state = sign_on.begin(_back(desk), then, link)
    response = make_response(redirect(there, 303))
    set_cookie(response, desk, f"{cookie_name(desk)}-sign-on", state)
    return response


@pages.get("/sign-in/back")
def back() -> Any:
    """Take the answer of the sign-on, and let in whoever has an account here."""
    desk = the_desk()
    sign_on = _sign_on(desk)
    state, kept = request.args.get("state", ""), request.cookies.get(f"{cookie_name(desk)}-sign-on", "")
    if not kept or not hmac.compare_digest(state.encode(), kept.encode()):
        abort(403, "This sign-in did not begin in this browser. Sign in again.")
    try:
        name, begun = sign_on.end({k: v for k, v in request.args.items() if len(v) < 4000}, _back(desk))
    except BridgeError:
        _log.warning("sign_in_refused", kind="openid")
        raise
    account = desk.accounts.named(name)
    if account is None:
        _log.warning("sign_in_refused", kind="no_account")
        return render_template("sign_in_unknown.html", user=name), 403
    response = enter_by_account(account, begun.link, begun.then)
    response.delete_cookie(f"{cookie_name(desk)}-sign-on", path="/")
    return response


def _sign_on(desk: Desk) -> SignOn:
    if desk.sign_on is None:
        abort(404)
    return desk.sign_on


def _back(desk: Desk) -> str:
    """Give the address to come back to, as it is registered with the sign-on."""
    path = url_for("sign_on.back")
    return f"{desk.settings.public_url}{path}" if desk.settings.public_url else f"{request.host_url.rstrip('/')}{path}"
