"""Proving to a source who we are, and never more than that."""

import base64
import json
import ssl
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import httpx
import pytest

from dscr_bridge.config import Auth, Source
from dscr_bridge.errors import BridgeError, ConfigError, RecordsUnreadable, SourceRefused, SourceUnavailable
from dscr_bridge.pull.auth import Login, login
from dscr_bridge.pull.certificates import trust
from dscr_bridge.world import World

SECRET = "s3cret/with+signs"


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.at = datetime(2026, 11, 9, 12, tzinfo=UTC)

    def now(self) -> datetime:
        return self.at


@pytest.fixture(autouse=True)
def _secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCE_SECRET", SECRET)


def make(
    answer: Callable[[httpx.Request], httpx.Response], clock: Clock | None = None, **auth: Any
) -> tuple[Login, list[httpx.Request]]:
    asked: list[httpx.Request] = []

    def note(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return answer(request)

    said = {
        "kind": "client-credentials",
        "token_url": "https://login.example/token",
        "client_id": "dscr",
        "secret": {"env": "SOURCE_SECRET"},
    } | auth
    source = Source(
        name="dscr", connector="uk-core-fhir", url="https://records.example/fhir", auth=Auth.model_validate(said)
    )
    client = httpx.Client(transport=httpx.MockTransport(note))
    return login(source, client, World(now=(clock or Clock()).now)), asked


def token(**more: Any) -> httpx.Response:
    return httpx.Response(200, json={"access_token": "t1", "token_type": "Bearer", "expires_in": 300} | more)


@pytest.mark.parametrize(("auth", "headers"), [
    ({"kind": "none"}, {}),
    ({"kind": "basic", "username": "u"}, {"Authorization": "Basic " + base64.b64encode(f"u:{SECRET}".encode()).decode()}),
    ({"kind": "bearer"}, {"Authorization": f"Bearer {SECRET}"}),
    ({"kind": "api-key", "header": "X-Care-Key"}, {"X-Care-Key": SECRET}),
])  # fmt: skip
def test_fixed_logins_are_a_header_and_have_nothing_new_to_try(auth: dict[str, Any], headers: dict[str, str]) -> None:
    proof, asked = make(lambda request: token(), **auth)
    assert proof.headers() == headers
    assert not proof.renew() and proof.permits("Encounter") and not asked


def test_a_token_is_kept_until_shortly_before_its_end() -> None:
    clock = Clock()
    proof, asked = make(lambda request: token(access_token=f"t{len(asked)}"), clock)
    assert proof.headers() == proof.headers() == {"Authorization": "Bearer t1"}
    clock.at += timedelta(seconds=269)
    assert proof.headers() == {"Authorization": "Bearer t1"}
    clock.at += timedelta(seconds=2)
    assert proof.headers() == {"Authorization": "Bearer t2"}


def test_a_refused_token_is_asked_for_again() -> None:
    proof, asked = make(lambda request: token(access_token=f"t{len(asked)}"))
    proof.headers()
    assert proof.renew()
    assert proof.headers() == {"Authorization": "Bearer t2"}


def test_client_and_secret_are_form_encoded_and_then_tried_in_the_body() -> None:
    """RFC 6749, 2.3.1."""

    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(401) if "Authorization" in request.headers else token()

    proof, asked = make(answer, scope="system/*.rs")
    assert proof.headers() == {"Authorization": "Bearer t1"}
    basic, in_body = asked
    assert base64.b64decode(basic.headers["Authorization"].split()[1]).decode() == "dscr:s3cret%2Fwith%2Bsigns"
    assert parse_qs(basic.content.decode()) == {"grant_type": ["client_credentials"], "scope": ["system/*.rs"]}
    assert parse_qs(in_body.content.decode())["client_secret"] == [SECRET]


@pytest.mark.parametrize(("granted", "permitted"), [
    (None, {"Encounter", "Immunization"}), ("", {"Encounter", "Immunization"}), ("openid profile", {"Encounter", "Immunization"}),
    ("system/*.read", {"Encounter", "Immunization"}), ("system/Encounter.rs system/Patient.read", {"Encounter"}),
    ("system/Immunization.cruds?category=flu", {"Immunization"}),
])  # fmt: skip
def test_what_was_granted_is_compared_with_what_is_needed(granted: str | None, permitted: set[str]) -> None:
    proof, _ = make(lambda request: token(scope=granted))
    proof.headers()
    assert {of for of in ("Encounter", "Immunization") if proof.permits(of)} == permitted


@pytest.mark.parametrize("lasts", [None, "300", "soon", -5, 10**12, [], 300.5])
def test_any_lifetime_is_survived(lasts: Any) -> None:
    proof, _ = make(lambda request: token(expires_in=lasts))
    assert proof.headers() == {"Authorization": "Bearer t1"}


def _down(request: httpx.Request) -> httpx.Response:
    raise httpx.ConnectTimeout("to https://login.example/?secret=CANARY")


@pytest.mark.parametrize(("answer", "error", "what"), [
    (lambda r: httpx.Response(401, json={"error_description": "CANARY"}), SourceRefused, "it refused our login (401)."),
    (lambda r: httpx.Response(400, json={"error": "invalid_scope"}), SourceRefused, "it refused our login (400)."),
    (lambda r: httpx.Response(403), SourceRefused, "it refused our login (403)."),
    (lambda r: httpx.Response(500, text="CANARY"), SourceUnavailable, "its login does not answer."),
    (lambda r: httpx.Response(302, headers={"Location": "https://CANARY.example"}), SourceUnavailable, "its login does not answer."),
    (_down, SourceUnavailable, "its login does not answer."),
    (lambda r: httpx.Response(200, text="<html>CANARY"), RecordsUnreadable, "its login answered, but not with a token."),
    (lambda r: httpx.Response(200, json=["CANARY"]), RecordsUnreadable, "its login answered, but not with a token."),
    (lambda r: httpx.Response(200, json={"access_token": ""}), RecordsUnreadable, "its login answered, but not with a token."),
])  # fmt: skip
def test_a_login_that_fails_is_one_sentence_of_our_own(
    answer: Callable[[httpx.Request], httpx.Response], error: type[BridgeError], what: str
) -> None:
    proof, _ = make(answer)
    with pytest.raises(error) as caught:
        proof.headers()
    assert caught.value.what == what
    assert "CANARY" not in repr(caught.value) and caught.value.__cause__ is None
    assert all((caught.value.where, caught.value.now, caught.value.do))


def test_neither_secret_nor_token_is_in_a_representation() -> None:
    proof, _ = make(lambda request: token(access_token="t0ken"))
    proof.headers()
    assert "t0ken" not in repr(proof) and SECRET not in repr(proof)


def test_a_private_authority_is_read_by_path_or_refused(tmp_path: Path) -> None:
    def trusting(ca_file: Path | None) -> ssl.SSLContext:
        source = Source(name="dscr", connector="uk-core-fhir", url="https://records.example/fhir", ca_file=ca_file)
        return trust(source, Clock().at)

    assert trusting(None).verify_mode.name == "CERT_REQUIRED"
    (tmp_path / "ca.pem").write_text(json.dumps("no certificate"))
    for name in ("ca.pem", "missing.pem"):
        with pytest.raises(ConfigError, match="cannot be read as PEM"):
            trusting(tmp_path / name)
