"""A real browser whose requests are carried by a transport in this process, where the world gives one.

The browser follows redirects and keeps cookies as ever; only what would leave through a socket is answered here.
Chromium's own Fetch domain is used, since Playwright's routes are not asked about redirects.
"""

import base64
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import httpx

if TYPE_CHECKING:
    from playwright.sync_api import CDPSession, Page


class Carrier:
    """Carries the requests of a browser's pages."""

    def __init__(self, transport: httpx.BaseTransport) -> None:
        """Take the way on which requests go."""
        self._transport = transport
        self._failure: BaseException | None = None

    def join(self, page: "Page") -> None:
        """Carry the requests of a page from now on; must be called in the browser's thread."""
        session = page.context.new_cdp_session(page)
        session.on("Fetch.requestPaused", lambda paused: self._carry(session, paused))
        session.send("Fetch.enable", {"patterns": [{"urlPattern": "*"}]})

    def require_whole(self) -> None:
        """Raise what the transport raised that is no failure of a network; a browser would swallow it."""
        if self._failure is not None:
            raise self._failure

    def _carry(self, session: "CDPSession", paused: dict[str, Any]) -> None:
        about = {"requestId": paused["requestId"]}
        try:
            response = self._transport.handle_request(_request(paused["request"]))
            answered = "Fetch.fulfillRequest", about | _answer(response)
        except httpx.TransportError as failure:
            answered = "Fetch.failRequest", about | {"errorReason": _reason(failure)}
        except BaseException as failure:  # noqa: BLE001  (an event's handler cannot raise: `require_whole` does)
            self._failure = failure
            # An aborted request would leave the old page standing, as if nothing had come yet.
            answered = "Fetch.failRequest", about | {"errorReason": "ConnectionFailed"}
        with suppress(Exception):  # a page that is being left needs no answer any more
            session.send(*answered)


def _request(asked: dict[str, Any]) -> httpx.Request:
    content = (asked.get("postData") or "").encode()
    return httpx.Request(asked["method"], asked["url"], headers=asked["headers"], content=content)


def _answer(response: httpx.Response) -> dict[str, Any]:
    headers = [{"name": name, "value": value} for name, value in response.headers.multi_items()]
    body = base64.b64encode(response.read()).decode()
    return {"responseCode": response.status_code, "responseHeaders": headers, "body": body}


def _reason(failure: httpx.TransportError) -> str:
    if isinstance(failure, httpx.TimeoutException):
        return "TimedOut"
    return "ConnectionRefused" if isinstance(failure, httpx.ConnectError) else "ConnectionReset"
