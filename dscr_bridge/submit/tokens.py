"""The receiver's access token: OAuth 2.0 client credentials (RFC 6749, 4.4), kept in memory while it is good."""

import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from urllib.parse import quote_plus

import httpx

from dscr_bridge.errors import ReceiverUnavailable, SubmissionRefused
from dscr_bridge.submit import answers

_EARLY = timedelta(seconds=30)  # a token that ends while it travels is no token
_MOST_BYTES = 65_536


class Tokens:
    """The token of one account; several threads share it."""

    def __init__(
        self, client: httpx.Client, url: str, client_id: str, secret: Callable[[], str], now: Callable[[], datetime]
    ) -> None:
        """Take the token endpoint and the account; `secret` is read only when a token is asked for."""
        self._client, self._url, self._client_id, self._secret, self._now = client, url, client_id, secret, now
        self._turn = threading.Lock()
        self._token: str | None = None
        self._until: datetime | None = None

    def current(self) -> str:
        """Give a token that is good now.  Raises ReceiverUnavailable or SubmissionRefused."""
        with self._turn:
            if self._token is None or self._until is None or self._now() >= self._until:
                self._ask()
            assert self._token is not None  # noqa: S101  (just asked for)
            return self._token

    def forget(self, token: str) -> None:
        """Drop a token that the receiver refused, unless another thread has renewed it already."""
        with self._turn:
            if self._token == token:
                self._token = None

    def _ask(self) -> None:
        account = httpx.BasicAuth(quote_plus(self._client_id), quote_plus(self._secret()))
        try:
            answer = self._client.post(self._url, data={"grant_type": "client_credentials"}, auth=account)
        except httpx.HTTPError:
            raise _later("did not answer") from None
        if answer.status_code in (400, 401, 403):
            raise SubmissionRefused(
                "The receiver's login", f"it refused our account ({answer.status_code}).", "Nothing was sent.",
                "Ask the receiver's support for a new client secret, and put it where the configuration says.",
            )  # fmt: skip
        try:
            if answer.status_code != 200 or len(answer.content) > _MOST_BYTES:
                raise answers.Unbelievable
            self._token, seconds = answers.token(answer.content)
        except answers.Unbelievable:
            raise _later(f"answered with something that is not a token ({answer.status_code})") from None
        self._until = self._now() + max(timedelta(seconds=seconds) - _EARLY, timedelta(seconds=seconds / 2))


def _later(what: str) -> ReceiverUnavailable:
    return ReceiverUnavailable(
        "The receiver's login", f"it {what}.", "Nothing was sent; a running bridge tries again by itself.",
        "If this goes on, check that the receiver can be reached from this computer.",
    )  # fmt: skip
