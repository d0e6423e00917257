"""Logins against software that this project did not write: a certified OpenID provider, nginx gates, a SMART FHIR server."""

import base64
import importlib.util
import json
import os
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import astuple
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from joserfc.jwk import ECKey, KeySet, RSAKey

from dscr_bridge.config import Limits, Source
from dscr_bridge.connector import load
from dscr_bridge.errors import BridgeError, ConfigError, RecordsUnreadable, SourceRefused, SourceUnavailable
from dscr_bridge.mapping.codes import load_codes
from dscr_bridge.privacy import Decoding, Keys
from dscr_bridge.pull import pull
from dscr_bridge.pull.asking import connected
from dscr_bridge.returns import LocationId
from dscr_bridge.sandbox import homes
from dscr_bridge.tables import Reading, Records
from dscr_bridge.world import World

pytestmark = pytest.mark.peer

AS_AT = datetime(2026, 11, 9, 12, 0, tzinfo=UTC)
HOME = LocationId("1-1000000001")
CODES = load_codes()


def _sibling(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"peers_{name}", Path(__file__).with_name(f"{name}.py"))
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


CERTIFICATES, NGINX, OIDC, RESOURCES, SEKMET = map(_sibling, ("certificates", "nginx", "oidc", "resources", "sekmet"))


def installed(what: str, install: Callable[[], Any]) -> Any:
    """Give what an installation gives; skip loudly without it, fail where DSCR_REQUIRE_PEERS=1."""
    try:
        return install()
    except (subprocess.CalledProcessError, OSError):
        missing = f"{what} cannot be had: nothing was tested against it"
    if os.environ.get("DSCR_REQUIRE_PEERS") == "1":
        pytest.fail(missing)
    pytest.skip(missing)


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    named = os.environ.get("DSCR_PEER_CACHE")
    return Path(named) if named else tmp_path_factory.mktemp("peers")


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Certificates: of a server, of us, of us by another authority, of us and ended, of a server of another name."""
    folder = tmp_path_factory.mktemp("tls")
    ours, other = CERTIFICATES.authority("dscr-bridge test CA"), CERTIFICATES.authority("another CA")
    (folder / "ca.crt").write_bytes(ours.certificate.public_bytes(CERTIFICATES.serialization.Encoding.PEM))
    for name, by, how in (("server", ours, {"server": "localhost"}), ("wrong-name", ours, {"server": "elsewhere.example"}),
                          ("client", ours, {}), ("other", other, {}), ("ended", ours, {"days": -1})):  # fmt: skip
        CERTIFICATES.certificate(folder, name, by, **how)
    return folder


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Private keys as PEM and as a JSON Web Key Set, and the public set that a supplier registers."""
    folder = tmp_path_factory.mktemp("keys")
    made = {"rs384": rsa.generate_private_key(65537, 2048), "es384": ec.generate_private_key(ec.SECP384R1()),
            "stranger": rsa.generate_private_key(65537, 2048)}  # fmt: skip
    jwks = []
    for name, key in made.items():
        pem = CERTIFICATES.pem(key)
        CERTIFICATES._write(folder / f"{name}.pem", pem)
        kind: Any = ECKey if name == "es384" else RSAKey
        jwk = kind.import_key(pem, {"kid": name, "use": "sig", "alg": "ES384" if name == "es384" else "RS384"})
        jwks.append(jwk)
    CERTIFICATES._write(folder / "private.json", json.dumps(KeySet(jwks[:2]).as_dict(private=True)).encode())
    (folder / "jwks.json").write_text(json.dumps(KeySet(jwks[:2]).as_dict(private=False)))
    both = (folder / "stranger.pem").read_bytes() + (folder / "rs384.pem").read_bytes()
    CERTIFICATES._write(folder / "rolling.pem", both)
    CERTIFICATES._write(folder / "secret", b"s3cret")
    CERTIFICATES._write(folder / "wrong", b"wrong")
    CERTIFICATES._write(folder / "password", CERTIFICATES.PASSWORD.encode())
    return folder


@pytest.fixture(scope="module")
def provider(cache: Path, tls: Path, keys: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    home = installed("oidc-provider of npm", lambda: OIDC.installed(cache))
    jwks = json.loads((keys / "jwks.json").read_text())
    with OIDC.running(home, tmp_path_factory.mktemp("oidc"), tls, jwks) as urls:
        yield urls


def source(url: str, auth: dict[str, Any], **more: Any) -> Source:
    return Source.model_validate({"name": "peer", "connector": "uk-core-fhir", "url": url, "auth": auth,
                                  "limits": Limits(timeout_seconds=5)} | more)  # fmt: skip


def token(said: Source) -> dict[str, Any]:
    """Log in; gives what the token says."""
    with connected(said, World(sleep=lambda seconds: None)) as asking:
        (header,) = asking.login.headers().values()
        assert asking.login.permits("Encounter")
    part = header.removeprefix("Bearer ").split(".")[1]
    return dict(json.loads(base64.urlsafe_b64decode(part + "==")))


@pytest.mark.parametrize("client", ["basic", "post"])
def test_a_secret_is_taken_in_the_header_or_in_the_body(provider: dict[str, str], keys: Path, client: str) -> None:
    auth = {"kind": "client-credentials", "token_url": f"{provider['http']}/token", "client_id": client,
            "secret": {"file": keys / "secret"}, "scope": "system/*.read"}  # fmt: skip
    said = token(source("http://127.0.0.1:9", auth))
    assert (said["client_id"], said["scope"]) == (client, "system/*.read")


@pytest.mark.parametrize(("secret", "key_ids"), [
    ("private.json", ()), ("rs384.pem", ("rs384",)), ("es384.pem", ("es384",)), ("rolling.pem", ("stranger", "rs384")),
])  # fmt: skip
def test_a_signature_is_taken_and_while_keys_change_the_next_one_is_tried(
    provider: dict[str, str], keys: Path, secret: str, key_ids: tuple[str, ...]
) -> None:
    auth = {"kind": "smart-backend", "token_url": f"{provider['http']}/token", "client_id": "signed",
            "secret": {"file": keys / secret}, "key_ids": key_ids, "scope": "system/*.read"}  # fmt: skip
    said = source("http://127.0.0.1:9", auth)
    assert token(said)["client_id"] == "signed"
    assert token(said)["client_id"] == "signed"  # a new jti each time: the provider takes none twice


def test_a_key_that_nobody_registered_is_one_sentence(provider: dict[str, str], keys: Path) -> None:
    auth = {"kind": "smart-backend", "token_url": f"{provider['http']}/token", "client_id": "signed",
            "secret": {"file": keys / "stranger.pem"}}  # fmt: skip
    with pytest.raises(SourceRefused, match="it refused our login"):
        token(source("http://127.0.0.1:9", auth))


@pytest.mark.parametrize("kind", ["pem", "p12"])
def test_a_client_certificate_proves_who_we_are_and_the_token_is_bound_to_it(
    provider: dict[str, str], tls: Path, keys: Path, kind: str
) -> None:
    """RFC 8705."""
    certificate: dict[str, Any] = {"file": tls / "client.crt", "key_file": tls / "client.key"}
    if kind == "p12":
        certificate = {"file": tls / "client.p12", "password": {"file": keys / "password"}}
    auth = {"kind": "client-credentials", "token_url": f"{provider['https']}/token", "client_id": "certified"}
    said = token(source(provider["https"], auth, certificate=certificate, ca_file=tls / "ca.crt"))
    ours = x509.load_pem_x509_certificate((tls / "client.crt").read_bytes()).fingerprint(hashes.SHA256())
    assert said["cnf"]["x5t#S256"] == base64.urlsafe_b64encode(ours).decode().rstrip("=")


def test_a_certificate_of_another_authority_is_refused_and_one_that_has_ended_is_not_even_shown(
    provider: dict[str, str], tls: Path
) -> None:
    auth = {"kind": "client-credentials", "token_url": f"{provider['https']}/token", "client_id": "certified"}

    def by(name: str) -> Source:
        certificate = {"file": tls / f"{name}.crt", "key_file": tls / f"{name}.key"}
        return source(provider["https"], auth, certificate=certificate, ca_file=tls / "ca.crt")

    with pytest.raises(SourceRefused, match="it refused our login"):
        token(by("other"))
    with pytest.raises(ConfigError, match="ended on"):
        token(by("ended"))


@pytest.fixture(scope="module")
def gates(
    cache: Path, tls: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Any, dict[int, dict[str, int]]]]:
    """An independent FHIR server behind each of the gates in turn: it writes the gate's address into its links."""
    nginx = installed("nginx", NGINX.installed)
    program = installed(SEKMET.WANTED, lambda: SEKMET.installed(cache))
    homes_folder = tmp_path_factory.mktemp("homes")
    homes.write_homes(homes_folder, AS_AT)
    resources = RESOURCES.with_ids(next(p.parent for p in sorted(homes_folder.rglob("Encounter*.ndjson"))))
    upstream, *ports = NGINX.free_ports(8)
    made = NGINX.Gates(*ports)
    folder = tmp_path_factory.mktemp("store")
    # Links without an origin of their own would do; sekmet writes its own, so it is told the gate's at each start.
    with NGINX.running(nginx, tmp_path_factory.mktemp("nginx"), tls, upstream, made):

        def behind(public: str) -> Any:
            return SEKMET.running(program, folder, public=public, port=upstream)

        with behind("") as base:
            SEKMET.load(base, resources)
        yield made, behind


def read(said: Source) -> Records:
    decoding = Decoding("peer", Keys(bytes(32)), AS_AT, {HOME: HOME})
    return pull(said, load("uk-core-fhir", CODES), decoding, CODES, World())


def test_one_home_is_read_through_each_gate_that_lets_us_in(gates: Any, tls: Path, keys: Path) -> None:
    made, behind = gates
    certificate = {"file": tls / "client.p12", "password": {"file": keys / "password"}}
    CERTIFICATES._write(keys / "api-key", NGINX.KEY.encode())
    found = []
    for public, how in (
        (f"https://localhost:{made.certificate}", {"certificate": certificate, "ca_file": tls / "ca.crt"}),
        (f"http://127.0.0.1:{made.api_key}", {"auth": {"kind": "api-key", "secret": {"file": keys / "api-key"}}}),
        (f"http://127.0.0.1:{made.busy}", {}),
        (f"http://127.0.0.1:{made.down}", {}),
    ):
        with behind(f"{public}/fhir"):
            found.append(read(source(f"{public}/fhir", **({"auth": {"kind": "none"}} | how))))  # type: ignore[arg-type]
    assert set(found[0].reading.values()) == {Reading.READ} and found[0].received["Encounter"] > 40
    rows = [{table: sorted(r, key=repr) for table, r in one.rows.items()} for one in found]
    assert rows[0] == rows[1] == rows[2] == rows[3]


def test_what_the_other_gates_say_is_one_sentence(gates: Any, tls: Path, keys: Path) -> None:
    made, _ = gates
    none, wrong = {"kind": "none"}, {"kind": "api-key", "secret": {"file": keys / "wrong"}}
    other = {"certificate": {"file": tls / "other.crt", "key_file": tls / "other.key"}, "ca_file": tls / "ca.crt"}
    cases: list[tuple[Source, type[BridgeError], str]] = [
        (source(f"http://127.0.0.1:{made.api_key}/fhir", wrong), SourceRefused, "it refused our login (401)."),
        (source(f"http://127.0.0.1:{made.elsewhere}/fhir", none), SourceRefused, "it sent us on to another address (302)."),
        (source(f"http://127.0.0.1:{made.login_page}/fhir", none), RecordsUnreadable, "it answered with a web page"),
        (source(f"https://localhost:{made.wrong_name}/fhir", none, ca_file=tls / "ca.crt"), SourceRefused,
         "its certificate cannot be trusted."),
        (source(f"https://localhost:{made.certificate}/fhir", none), SourceRefused, "its certificate cannot be trusted."),
        (source(f"https://localhost:{made.certificate}/fhir", none, **other), SourceRefused,
         "what stands in front of it does not let us in (400)."),
    ]  # fmt: skip
    assert len(set(astuple(made))) == 7
    for said, error, what in cases:
        with pytest.raises(error) as caught:
            read(said)
        assert caught.value.what.startswith(what)


def test_a_smart_fhir_server_is_found_logged_in_to_and_read(cache: Path, keys: Path, tmp_path: Path) -> None:
    """By its own description; with a token that ends while it is read."""
    program = installed(SEKMET.WANTED, lambda: SEKMET.installed(cache))
    public = [k for k in json.loads((keys / "jwks.json").read_text())["keys"] if k["kty"] == "RSA"]
    login = {"types": ["smart"], "token_lifetime": 60,
             "smart_clients": [{"client_id": "dscr", "jwks": {"keys": public}, "scopes": "system/*.rs system/*.read"}]}  # fmt: skip
    with SEKMET.running(program, tmp_path, login=login) as base:
        auth = {"kind": "smart-backend", "client_id": "dscr", "secret": {"file": keys / "rs384.pem"}, "key_ids": ("rs384",),
                "scope": "system/*.rs"}  # fmt: skip
        with connected(source(base, auth), World()) as asking:
            assert asking.get("Location", f"{base}/Location").status == 200
            asking.login.headers()
            object.__setattr__(asking.login, "_bearer", "spoilt.by.us")
            assert asking.get("Location", f"{base}/Location").status == 200  # one login more after a 401
        with pytest.raises((SourceRefused, SourceUnavailable)), connected(source(base, {"kind": "none"}), World()) as asking:
            asking.get("Location", f"{base}/Location")
