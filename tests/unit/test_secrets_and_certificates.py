"""Where secrets are kept, how certificates are watched, and what a signature says; none of it ever leaves."""

import base64
import json
import logging
import os
import ssl
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import pkcs12
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet, RSAKey
from pydantic import ValidationError

from dscr_bridge.config import Auth, Certificate, Secret, Source
from dscr_bridge.errors import BridgeError, ConfigError, RecordsUnreadable, SourceRefused, SourceUnavailable
from dscr_bridge.pull.auth import Login, login
from dscr_bridge.pull.certificates import certificate_ends, trust
from dscr_bridge.world import World

NOW = datetime(2026, 11, 9, 12, tzinfo=UTC)
CANARY = "c4nary-s3cret"
SHORT = 1024  # bits: what nobody may use


def written(path: Path, content: bytes | str) -> Path:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    path.chmod(0o600)
    return path


# Secrets


def test_a_secret_is_read_from_each_of_its_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import keyring
    from keyring.backend import KeyringBackend

    class Kept(KeyringBackend):
        priority = 1  # type: ignore[assignment]

        def get_password(self, service: str, username: str) -> str | None:
            return CANARY if (service, username) == ("dscr-bridge", "care-record") else None

        def set_password(self, service: str, username: str, password: str) -> None: ...
        def delete_password(self, service: str, username: str) -> None: ...

    before = keyring.get_keyring()
    keyring.set_keyring(Kept())
    try:
        monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
        monkeypatch.setenv("A_SECRET", CANARY)
        kept = written(tmp_path / "secret", f"{CANARY}\n")
        places: list[dict[str, Any]] = [
            {"file": kept}, {"env": "A_SECRET"}, {"credential": "secret"}, {"keyring": "dscr-bridge/care-record"},
            {"command": [sys.executable, "-c", f"print('{CANARY}')"]},
        ]  # fmt: skip
        assert [Secret.model_validate(place).secret_value() for place in places] == [CANARY] * 5
        with pytest.raises(ConfigError, match="has nothing under"):
            Secret(keyring="dscr-bridge/other").secret_value()
    finally:
        keyring.set_keyring(before)


@pytest.mark.parametrize(("place", "said"), [
    ({"credential": "secret"}, "systemd gave this program none"),
    ({"env": "NOT_THERE"}, "is not set"),
    ({"command": ["/not/there"]}, "cannot be run"),
    ({"command": [sys.executable, "-c", f"import sys; print('{CANARY}'); sys.exit('{CANARY}')"]}, "ended with 1"),
    ({"command": [sys.executable, "-c", ""]}, "said nothing"),
    ({"command": [sys.executable, "-c", "import os; os.write(1, bytes([255]))"]}, "cannot be run"),
])  # fmt: skip
def test_a_secret_that_is_not_there_is_one_sentence_without_it(place: dict[str, Any], said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    with pytest.raises(ConfigError) as caught:
        Secret.model_validate(place).secret_value()
    assert said in caught.value.what and CANARY not in repr(caught.value) and caught.value.__cause__ is None


@pytest.mark.skipif(os.name != "posix", reason="permissions are POSIX's")
def test_a_credential_that_others_can_read_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    written(tmp_path / "secret", CANARY).chmod(0o644)
    with pytest.raises(ConfigError, match="can be read or changed by other accounts"):
        Secret(credential="secret").secret_value()


@pytest.mark.parametrize("place", [{}, {"file": "a", "env": "B"}, {"credential": "../a"}, {"keyring": "one"}, {"command": []}])
def test_a_secret_has_one_place(place: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Secret.model_validate(place)


# Certificates


def certificate(folder: Path, days: int = 90, password: bytes | None = None) -> Any:
    key = rsa.generate_private_key(65537, 2048)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "us")])
    made = x509.CertificateBuilder(name, name, key.public_key(), 1, NOW - timedelta(days=99), NOW + timedelta(days=days)).sign(
        key, hashes.SHA256())  # fmt: skip
    locked = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, locked)
    written(folder / "us.key", pem)
    written(folder / "us.crt", made.public_bytes(serialization.Encoding.PEM))
    written(folder / "both.pem", made.public_bytes(serialization.Encoding.PEM) + pem)
    written(folder / "us.p12", pkcs12.serialize_key_and_certificates(b"us", key, made, None, locked))
    return key


def trusting(said: Certificate) -> ssl.SSLContext:
    source = Source(name="dscr", connector="x", url="https://records.example", certificate=said)
    return trust(source, NOW)


@pytest.mark.parametrize("password", [None, b"t3st"])
def test_pem_and_pkcs12_are_taken_with_and_without_a_password(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, password: bytes | None
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    monkeypatch.setattr("tempfile.tempdir", None)
    (tmp_path / "tmp").mkdir()
    certificate(tmp_path, password=password)
    secret = Secret(file=written(tmp_path / "password", password)) if password else None
    for said in (Certificate(file=tmp_path / "us.crt", key_file=tmp_path / "us.key", password=secret),
                 Certificate(file=tmp_path / "both.pem", password=secret),
                 Certificate(file=tmp_path / "us.p12", password=secret)):  # fmt: skip
        assert trusting(said).verify_mode is ssl.CERT_REQUIRED
        assert certificate_ends(said, NOW).days_left == 90 and not certificate_ends(said, NOW).soon
    assert not list((tmp_path / "tmp").iterdir())  # nothing of the key is left


def test_a_certificate_near_its_end_is_told_and_one_beyond_it_is_not_used(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    certificate(tmp_path, days=29)
    with caplog.at_level(logging.WARNING):
        trusting(Certificate(file=tmp_path / "both.pem"))
    assert [r.message for r in caplog.records] == ["pull.certificate_ends_soon"]
    certificate(tmp_path, days=-1)
    with pytest.raises(ConfigError, match="ended on 08 November 2026"):
        trusting(Certificate(file=tmp_path / "both.pem"))


def _other_key(folder: Path) -> Certificate:
    certificate(folder)
    (folder / "us.crt").rename(folder / "first.crt")
    certificate(folder)
    return Certificate(file=folder / "first.crt", key_file=folder / "us.key")


def _no_password(folder: Path) -> Certificate:
    certificate(folder, password=b"t3st")
    return Certificate(file=folder / "us.p12")


def _no_key(folder: Path) -> Certificate:
    certificate(folder)
    return Certificate(file=folder / "us.crt")


def _nothing(folder: Path) -> Certificate:
    return Certificate(file=folder / "us.crt")


def _open_to_all(folder: Path) -> Certificate:
    certificate(folder)
    (folder / "us.p12").chmod(0o644)
    return Certificate(file=folder / "us.p12")


@pytest.mark.parametrize("make", [_other_key, _no_password, _no_key, _nothing, _open_to_all])
def test_a_certificate_that_cannot_be_used_is_a_matter_of_configuration(
    tmp_path: Path, make: Callable[[Path], Certificate]
) -> None:
    with pytest.raises(ConfigError) as caught:
        trusting(make(tmp_path))
    assert caught.value.__cause__ is None and "PRIVATE" not in repr(caught.value)


# Signatures


def keys() -> dict[str, Any]:
    return {"RS384": rsa.generate_private_key(65537, 2048), "ES384": ec.generate_private_key(ec.SECP384R1())}


def pem(key: Any) -> bytes:
    return bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))


SMART = {"token_endpoint": "https://login.example/token", "token_endpoint_auth_signing_alg_values_supported": ["RS384", "ES384"]}


def make(secret: Path, answer: Callable[[httpx.Request], httpx.Response] | None = None, smart: Any = SMART, **auth: Any
         ) -> tuple[Login, list[httpx.Request]]:
    asked: list[httpx.Request] = []

    def note(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        if request.url.path.endswith("smart-configuration"):
            return httpx.Response(200, json=smart) if isinstance(smart, dict) else smart
        return answer(request) if answer else httpx.Response(200, json={"access_token": "t1", "expires_in": 300})

    said = Auth.model_validate({"kind": "smart-backend", "client_id": "dscr", "secret": {"file": secret}, "scope": "system/*.rs"} | auth)
    source = Source(name="dscr", connector="x", url="https://records.example/fhir", auth=said)
    return login(source, httpx.Client(transport=httpx.MockTransport(note)), World(now=lambda: NOW)), asked


@pytest.mark.parametrize("algorithm", ["RS384", "ES384"])
@pytest.mark.parametrize("form", ["pem", "jwk", "jwks"])
def test_an_assertion_says_who_we_are_for_minutes_to_one_server(tmp_path: Path, algorithm: str, form: str) -> None:
    """SMART App Launch 2.2, client authentication by asymmetric keys."""
    key = keys()[algorithm]
    kind: Any = RSAKey if algorithm == "RS384" else ECKey
    ours = kind.import_key(pem(key), {"kid": "k1"})
    content = {"pem": pem(key), "jwk": json.dumps(ours.as_dict(private=True)).encode(),
               "jwks": json.dumps(KeySet([ours]).as_dict(private=True)).encode()}[form]  # fmt: skip
    proof, asked = make(written(tmp_path / "key", content), **({"key_ids": ("k1",)} if form == "pem" else {}))
    assert proof.headers() == {"Authorization": "Bearer t1"}
    discovery, token = asked
    assert str(discovery.url) == "https://records.example/fhir/.well-known/smart-configuration"
    assert "Authorization" not in discovery.headers and str(token.url) == "https://login.example/token"
    form_sent = {k: v[0] for k, v in parse_qs(token.content.decode()).items()}
    signed = jwt.decode(form_sent.pop("client_assertion"), ours, algorithms=[algorithm])
    assert signed.header == {"alg": algorithm, "kid": "k1", "typ": "JWT"}
    assert (signed.claims["iss"], signed.claims["sub"], signed.claims["aud"]) == ("dscr", "dscr", "https://login.example/token")
    assert NOW.timestamp() < signed.claims["exp"] <= NOW.timestamp() + 300 and len(signed.claims["jti"]) == 32
    assert form_sent == {"grant_type": "client_credentials", "scope": "system/*.rs",
                         "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"}  # fmt: skip


def test_each_request_has_a_jti_of_its_own_and_keys_are_tried_in_turn(tmp_path: Path) -> None:
    both = keys()
    secret = written(tmp_path / "keys.pem", pem(both["RS384"]) + b"\n" + pem(both["ES384"]))
    heads: list[str] = []

    def only_the_old_one(request: httpx.Request) -> httpx.Response:
        assertion = parse_qs(request.content.decode())["client_assertion"][0]
        heads.append(assertion)
        kid = json.loads(base64.urlsafe_b64decode(assertion.split(".")[0] + "=="))["kid"]
        return httpx.Response(200, json={"access_token": "t"}) if kid == "old" else httpx.Response(400, json={"error": CANARY})

    proof, _ = make(secret, only_the_old_one, key_ids=("new", "old"))
    proof.headers()
    proof.renew(proof.headers())
    proof.headers()
    assert len(set(heads)) == len(heads) == 4


@pytest.mark.parametrize(("answer", "smart", "error", "what"), [
    (lambda r: httpx.Response(401, json={"error": CANARY}), SMART, SourceRefused, "it refused our login (401)."),
    (lambda r: httpx.Response(400, headers={"Date": "Mon, 09 Nov 2026 12:11:00 GMT"}), SMART, SourceRefused,
     "it refused our login (400); its clock is +660 seconds from ours."),
    (lambda r: httpx.Response(500), SMART, SourceUnavailable, "its login does not answer."),
    (None, SMART | {"token_endpoint_auth_signing_alg_values_supported": ["ES256"]}, SourceRefused,
     "it does not take signatures of our kind of key (RS384)."),
    (None, {"token_endpoint": f"http://{CANARY}.example/token"}, RecordsUnreadable, "it does not say where to log in."),
    (None, {"token_endpoint": "http://127.0.0.1/token"}, RecordsUnreadable, "it does not say where to log in."),
    (None, httpx.Response(404), RecordsUnreadable, "it does not say where to log in."),
    (None, httpx.Response(200, text=f"<html>{CANARY}"), RecordsUnreadable, "it does not say where to log in."),
    (lambda r: httpx.Response(200, json={"access_token": "a\r\nb"}), SMART, RecordsUnreadable,
     "its login answered, but not with a token."),
])  # fmt: skip
def test_a_signed_login_that_fails_is_one_sentence(
    tmp_path: Path, answer: Any, smart: Any, error: type[BridgeError], what: str
) -> None:
    proof, _ = make(written(tmp_path / "key", pem(keys()["RS384"])), answer, smart)
    with pytest.raises(error) as caught:
        proof.headers()
    assert caught.value.what == what and CANARY not in repr(caught.value) and caught.value.__cause__ is None


@pytest.mark.parametrize("content", [
    b"", CANARY.encode(), pem(ed25519.Ed25519PrivateKey.generate()), pem(ec.generate_private_key(ec.SECP256R1())),
    pem(rsa.generate_private_key(65537, SHORT)), b'{"keys": []}', f'{{"kty": "RSA", "d": "{CANARY}"}}'.encode(),
    json.dumps(RSAKey.import_key(pem(rsa.generate_private_key(65537, 2048))).as_dict(private=False)).encode(),
])  # fmt: skip
def test_what_is_no_private_key_of_the_two_kinds_is_refused_without_a_word_of_it(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(ConfigError) as caught:
        make(written(tmp_path / "key", content))
    assert "is not a private key for RS384" in caught.value.what and CANARY not in repr(caught.value)


def test_no_key_is_in_a_representation(tmp_path: Path) -> None:
    key = pem(keys()["RS384"])
    proof, _ = make(written(tmp_path / "key", key))
    proof.headers()
    assert "PRIVATE" not in repr(proof) and "t1" not in repr(proof)


@pytest.mark.parametrize(("granted", "asked", "permitted"), [
    (None, "system/*.rs", {"Encounter", "Patient"}), (None, "system/Encounter.rs", {"Encounter"}), (None, "", {"Encounter", "Patient"}),
    ("system/Encounter.rs", "system/*.rs", {"Encounter"}), ("system/Patient.read", "system/*.read", {"Patient"}),
])  # fmt: skip
def test_what_was_granted_is_compared_and_where_nothing_is_said_it_is_what_was_asked(
    tmp_path: Path, granted: str | None, asked: str, permitted: set[str]
) -> None:
    more = {} if granted is None else {"scope": granted}
    proof, _ = make(written(tmp_path / "key", pem(keys()["ES384"])),
                    lambda r: httpx.Response(200, json={"access_token": "t"} | more), scope=asked or None)  # fmt: skip
    proof.headers()
    assert {of for of in ("Encounter", "Patient") if proof.permits(of)} == permitted
