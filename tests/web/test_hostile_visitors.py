"""What somebody who means harm can try: forged forms, guessed passwords, borrowed addresses, stored markup, wrong roles."""

import re
import socket
from contextlib import ExitStack, closing
from datetime import timedelta
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from flask.testing import FlaskClient
from installed import ELM, RIVER, ROSE, WILLOWS, Site, declared, served_site

from dscr_bridge import acting, links, log
from dscr_bridge.accounts import Account, Role, hashed, new_key
from dscr_bridge.config import Config, Pages
from dscr_bridge.returns import CareType, LocationId, Obligation
from dscr_bridge.web import access
from dscr_bridge.web.app import make_app

PASSWORD = "correct horse battery"
HOME = f"/location/{ELM}/care_home"
GATEWAY = "https://pages.example.org"
EVERY_ACT = (f"{HOME}/month", f"{HOME}/approve", f"{HOME}/hold", f"{HOME}/accept/jump", f"{HOME}/nil",
             f"{HOME}/unchanged", f"{HOME}/confirm", f"{HOME}/pause", "/enforcement/case",
             f"{HOME}/item/ch_beds_occupied/declare", f"{HOME}/item/ch_beds_occupied/withdraw")  # fmt: skip
EVIL = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>{{7*7}}"


def client_of(site: Site) -> FlaskClient:
    return make_app(site.desk).test_client()


def csrf(answer: Any) -> str:
    found = re.search(rb'name="csrf" value="([^"]+)"', answer.data)
    assert found
    return found[1].decode()


def in_by_token(site: Site, acts_as: str = "registered manager", name: str = "Jo Example") -> FlaskClient:
    client = client_of(site)
    token = site.desk.door.token()
    form = client.get(f"/sign-in?token={token}")
    answer = client.post("/sign-in", data={"csrf": csrf(form), "token": token, "name": name, "acts_as": acts_as, "delegated_by": "Kim"})
    assert answer.status_code == 303
    return client


def with_accounts(serve: Any, *accounts: Account) -> Site:
    site: Site = serve(Pages(port=0))
    for one in accounts:
        site.desk.accounts.put(one)
    site.desk.settings = Pages(port=0, login="accounts")
    return site


def account(user: str, role: Role, *scope: str, standing: str = "") -> Account:
    return Account(user, f"Name of {user}", role, hashed(PASSWORD), standing, "", scope)


def in_by_password(client: FlaskClient, user: str, password: str = PASSWORD, **more: str) -> Any:
    return client.post("/sign-in", data={"csrf": csrf(client.get("/sign-in")), "user": user, "password": password, **more})


def test_a_page_that_fails_names_the_place_to_whoever_runs_it_with_traceback_and_nothing_to_the_visitor(
    serve: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    app = make_app(serve().desk)
    app.add_url_rule("/static/fails", "static_that_fails", lambda: {}["Ada Lovelace"])
    for asked in (False, True):
        log.name_places(asked)
        try:
            answer = app.test_client().get("/static/fails")
        finally:
            log.name_places(False)
        said = capsys.readouterr().err
        assert answer.status_code == 500 and (f"{Path(__file__).name}:" in said) is asked
        assert "Lovelace" not in said and b"Lovelace" not in answer.data and b"test_hostile" not in answer.data


def test_nobody_sees_anything_without_signing_in(serve: Any) -> None:
    site = serve()
    client = client_of(site)
    for path in ("/", HOME + "/", f"{HOME}/month", "/receipts", "/audit", "/sources", "/enforcement", f"{HOME}/evidence/2026-11.zip"):
        answer = client.get(path)
        assert answer.status_code == 302, path
        assert "/sign-in" in answer.headers["Location"]
    for path in EVERY_ACT:
        assert client.post(path).status_code == 403, path
    assert client.get("/api/v1/status").status_code == 401


def test_the_one_time_address_works_once_and_runs_out(serve: Any) -> None:
    site = serve()
    token = site.desk.door.token()
    client = client_of(site)
    assert b"Who are you?" in client.get(f"/sign-in?token={token}").data
    assert b"Who are you?" in client.get(f"/sign-in?token={token}").data  # a preview does not burn it
    data = {"token": token, "name": "Jo Example", "acts_as": "viewer"}
    assert client.post("/sign-in", data=data | {"csrf": csrf(client.get(f"/sign-in?token={token}"))}).status_code == 303
    other = client_of(site)
    again = other.post("/sign-in", data=data | {"csrf": csrf(other.get(f"/sign-in?token={site.desk.door.token()}"))})
    assert again.status_code == 403
    late = site.desk.door.token()
    site.clock.at += timedelta(minutes=31)
    assert b"one-time address" in client_of(site).get(f"/sign-in?token={late}").data
    forged = links.entry("another key", site.clock.at)
    assert not site.desk.door.holds(forged)


def test_no_form_is_taken_that_these_pages_did_not_make(serve: Any) -> None:
    site = serve()
    client, before = in_by_token(site), site.bridge.ledger.latest()
    token = csrf(client.get("/"))
    for path in EVERY_ACT:
        assert client.post(path, data={}).status_code == 403, path
        assert client.post(path, data={"csrf": "wrong"}).status_code == 403, path
        assert client.post(path, data={"csrf": token}, headers={"Origin": "https://evil.example"}).status_code == 403, path
        assert client.post(path, data={"csrf": token}, headers={"Sec-Fetch-Site": "cross-site"}).status_code == 403, path
        assert client.get(path).status_code in (405, 200, 404), path
    assert site.bridge.ledger.latest() == before
    other = in_by_token(site)
    assert client.post(f"{HOME}/pause", data={"csrf": csrf(other.get("/")), "on": "yes", "note": "x"}).status_code == 403


def test_passwords_cannot_be_tried_for_long(serve: Any) -> None:
    site = with_accounts(serve, account("jo", Role.APPROVER, standing="registered manager"))
    client = client_of(site)
    for _ in range(access.TRIES):
        assert in_by_password(client, "jo", "wrong password").status_code == 401
    assert in_by_password(client, "jo").status_code == 429  # even with the right one
    assert in_by_password(client, "somebody").status_code == 401
    site.clock.at += access.LOCKED_FOR + timedelta(seconds=1)
    assert in_by_password(client, "jo").status_code == 303
    names = [in_by_password(client_of(site), f"name{n}", "wrong").status_code for n in range(access.TRIES_FROM_ONE_ADDRESS + 1)]
    assert names[-1] == 429


def test_a_session_ends_by_itself_and_is_never_given_by_a_visitor(serve: Any) -> None:
    site = with_accounts(serve, account("jo", Role.VIEWER))
    client = client_of(site)
    client.set_cookie("dscr-bridge", "a-session-chosen-by-somebody-else")
    answer = in_by_password(client, "jo")
    cookie = next(c for c in answer.headers.getlist("Set-Cookie") if c.startswith("dscr-bridge="))
    assert "a-session-chosen" not in cookie and "HttpOnly" in cookie and "SameSite=Lax" in cookie
    assert client.get("/").status_code == 200
    site.clock.at += timedelta(minutes=site.desk.settings.idle_minutes + 1)
    assert client.get("/").status_code == 302
    site.desk.settings = site.desk.settings.model_copy(update={"public_url": GATEWAY})
    behind = client_of(site)
    form = behind.get("/sign-in", base_url=GATEWAY)
    answer = behind.post("/sign-in", base_url=GATEWAY, data={"csrf": csrf(form), "user": "jo", "password": PASSWORD})
    assert any(c.startswith("__Host-dscr-bridge=") and "Secure" in c for c in answer.headers.getlist("Set-Cookie"))


def test_who_came_in_as_what_and_how_stands_in_the_audit_trail(serve: Any) -> None:
    site = with_accounts(serve, account("jo", Role.APPROVER, standing="registered manager"), account("rose", Role.VIEWER, ROSE))
    in_by_password(client_of(site), "rose")
    client = client_of(site)
    in_by_password(client, "jo", "wrong password")
    in_by_password(client, "jo")
    provider, other = (f"provider:{p.id}" for p in site.bridge.config.provider)
    noted = {one: [(d.body["by"], d.body["detail"]) for d in site.bridge.ledger.events(one)] for one in (provider, other)}
    jo = ("Name of jo (registered manager)", {"role": "approver", "way": "password"})
    mine, others = sorted(noted.values(), key=len, reverse=True)
    assert mine == [("Name of rose", {"role": "viewer", "way": "password"}), jo] and others == [jo]
    page = client.get(f"/audit?of={provider}").data
    assert b"Signed in" in page and b"Name of jo (registered manager)" in page


@pytest.mark.parametrize("acts_as", ["supplier", "viewer"])
def test_a_supplier_or_an_auditor_can_decide_nothing(serve: Any, acts_as: str) -> None:
    site = serve()
    client, before = in_by_token(site, acts_as), site.bridge.ledger.latest()
    token = csrf(client.get("/"))
    for path in EVERY_ACT:
        answer = client.post(path, data={"csrf": token, "note": "x", "on": "yes", "reason": "no_staff", "reference": "r"})
        assert answer.status_code == 403, path
        assert b"Only a named person of the provider" in answer.data
    assert site.bridge.ledger.latest() == before
    assert client.post("/sources/drill", data={"csrf": token}).status_code == (403 if acts_as == "viewer" else 303)
    assert b"Approve and send" not in client.get(HOME + "/").data


def test_the_administrator_keeps_accounts_and_approves_nothing(serve: Any) -> None:
    site = with_accounts(serve, account("root", Role.ADMIN))
    client = client_of(site)
    in_by_password(client, "root")
    assert client.post(f"{HOME}/approve", data={"csrf": csrf(client.get("/"))}).status_code == 403
    with pytest.raises(ValueError, match="standing"):
        account("no standing", Role.APPROVER)
    with pytest.raises(ValueError, match="delegated"):
        Account("d", "D", Role.APPROVER, "x", "delegate")


def test_people_see_their_own_locations_only(serve: Any) -> None:
    site = with_accounts(serve, account("rose", Role.APPROVER, ROSE, standing="registered manager"), account("lost", Role.VIEWER, "1-999"))
    client = client_of(site)
    in_by_password(client, "rose")
    assert b"Rose Cottage" in client.get(f"/location/{ROSE}/care_home/").data
    for path in (HOME + "/", f"{HOME}/month", f"{HOME}/receipt/2026-11", f"{HOME}/evidence/2026-11.zip", f"/location/{ELM}/inspection", f"/location/{ELM}/beds"):
        assert client.get(path).status_code == 404, path
    assert b"Elm Court" not in client.get("/").data + client.get("/sources").data + client.get(f"/audit?of={ELM}").data + client.get("/enforcement").data
    assert client.post(f"{HOME}/hold", data={"csrf": csrf(client.get("/")), "note": "x"}).status_code == 404
    lost = client_of(site)
    in_by_password(lost, "lost")
    assert b"Rose" not in lost.get("/").data


def test_a_link_opens_one_location_for_one_account_and_only_with_its_password(serve: Any) -> None:
    site = with_accounts(serve, account("jo", Role.APPROVER, standing="registered manager"), account("kim", Role.VIEWER))
    token = links.made(site.desk.link_key, "jo", ROSE, "care_home", site.clock.at)
    client = client_of(site)
    form = client.get(f"/return/{token}")
    assert form.status_code == 200 and b"Rose Cottage" not in form.data
    data = {"csrf": csrf(form), "user": "jo", "password": PASSWORD, "link": token}
    answer = client.post("/sign-in", data=data)
    assert answer.status_code == 303 and answer.headers["Location"].endswith(f"/location/{ROSE}/care_home/month")
    assert client.get(HOME + "/").status_code == 404
    other = client_of(site)
    refused = other.post("/sign-in", data={"csrf": csrf(other.get(f"/return/{token}")), "user": "kim", "password": PASSWORD, "link": token})
    assert refused.status_code == 403
    assert client_of(site).get(f"/return/{token[:-2]}xx").status_code == 403
    site.clock.at += links.LASTS + timedelta(seconds=2)
    assert client_of(site).get(f"/return/{token}").status_code == 403


def test_nobody_is_sent_to_another_site_and_no_header_is_forged(serve: Any) -> None:
    site = with_accounts(serve, account("jo", Role.VIEWER))
    for then in ("https://evil.example/", "//evil.example", "/\\evil.example", "javascript:alert(1)", "/a\r\nSet-Cookie: x=1", "/%0d%0aX: y"):
        client = client_of(site)
        answer = in_by_password(client, "jo", then=then)
        there = answer.headers["Location"]
        assert there.startswith("/") and not there.startswith("//"), then
        assert "evil" not in there and "\n" not in there and "x=1" not in str(answer.headers.getlist("Set-Cookie"))
    client = client_of(site)
    assert client.get("/", headers={"Host": "evil.example"}).status_code == 400
    assert client.get("/", headers={"Host": "127.0.0.1.evil.example"}).status_code == 400


@pytest.mark.parametrize("path", [
    "/static/../app.py", "/static/..%2fapp.py", "/static/%2e%2e/%2e%2e/config.py", "/static/vendor/../../accounts.py",
    "/location/../../etc/passwd/care_home/", f"/location/{ELM}/care_home/receipt/..%2f..%2fsecret", f"/location/{ELM}/care_home/receipt/2026-13",
    f"/location/{ELM}/care_home/evidence/..%2f..%2f2026-11.zip", f"/location/{ELM}/home_care/", f"/location/{ELM}/care_home/item/../../x",
    f"/location/{ELM}/care_home/item/ch_nothing", "/audit?of=../../x&page=99999999999999999999",
])  # fmt: skip
def test_no_address_leads_out_of_the_pages(serve: Any, path: str) -> None:
    site = serve()
    client = in_by_token(site)
    answer = client.get(path)
    if path.startswith("/audit"):
        assert answer.status_code == 200 and b"Elm Court" in answer.data
    else:
        assert answer.status_code in (404, 308), path
    assert b"import " not in answer.data and b"root:" not in answer.data


def test_markup_in_every_text_that_people_can_write_stays_text(serve: Any) -> None:
    def renamed(config: Config) -> Config:
        (first, *rest) = config.provider
        (home, *more) = first.location
        home = home.model_copy(update={"name": EVIL[:110]})
        return config.model_copy(update={"provider": (first.model_copy(update={"name": EVIL, "location": (home, *more)}), *rest)})

    site = serve(None, renamed)
    client = in_by_token(site, name='Jo <b>"x"</b>')
    declared(site.bridge, site.folder, by="<script>alert(3)</script>")
    one = Obligation(LocationId(ELM), CareType.CARE_HOME, "2026-11")
    acting.hold(site.bridge, one, by="<script>alert(4)</script>", note=EVIL)
    site.bridge.ledger.decide(f"provider:{site.bridge.config.provider[0].id}", "case", f"2026-11-02/<b>{EVIL}", by=EVIL, note=EVIL, detail={"kind": "contact", "at": "2026-11-02"})
    client.post(f"{HOME}/count", data={"csrf": csrf(client.get("/"))})
    client.post(f"{HOME}/confirm", data={"csrf": csrf(client.get("/")), "reference": EVIL, "note": EVIL})
    pages = ["/", "/?q=" + EVIL, HOME + "/", f"{HOME}/month", f"{HOME}/history", f"{HOME}/item/ch_beds_occupied", f"/location/{ELM}/beds",
             "/receipts", f"{HOME}/receipt/2026-11", f"/audit?of={ELM}", f"/location/{ELM}/inspection", "/sources", "/enforcement"]  # fmt: skip
    for path in pages:
        answer = client.get(path)
        assert answer.status_code in (200, 404), path
        for raw in (b"<script", b"<img", b"<b>", b"onerror=alert(2)>", b"{{7*7}}49"):
            assert raw not in answer.data, (path, raw)
        assert b"default-src 'none'" in answer.headers["Content-Security-Policy"].encode()
        assert "script-src" not in answer.headers["Content-Security-Policy"]


def test_a_photo_that_is_none_is_not_kept_and_nothing_is_confirmed(serve: Any) -> None:
    site = serve()
    client = in_by_token(site)
    sent = {"csrf": csrf(client.get("/")), "reference": "Saved 10:34", "photo": (BytesIO(b"<html><script>"), "../../Mrs Example.png")}
    client.post(f"{HOME}/confirm", data=sent)
    assert "is not a JPEG, a PNG or a PDF" in client.get(HOME + "/").text
    late = {**sent, "photo": (BytesIO(b"%PDF-1.7"), "x.pdf"), "day": "2026-10-02", "clock": "10:00"}
    client.post(f"{HOME}/confirm", data=late)
    assert "outside the reporting window" in client.get(HOME + "/").text
    assert not list((site.bridge.config.data_folder / "attachments").glob("*"))
    assert client.post(f"{HOME}/hold", data={"csrf": sent["csrf"], "note": "x" * 300_000}).status_code == 413


def test_every_answer_carries_the_strict_headers(serve: Any) -> None:
    client = in_by_token(serve())
    for path in ("/", "/static/app.css", "/nothing", HOME + "/", "/api/v1/status", "/sign-in"):
        with client.get(path) as answer:
            headers = answer.headers
        assert headers["X-Content-Type-Options"] == "nosniff" and headers["X-Frame-Options"] == "DENY"
        assert "frame-ancestors 'none'" in headers["Content-Security-Policy"] and "unsafe" not in headers["Content-Security-Policy"]
        assert ("no-store" in headers["Cache-Control"]) is not path.startswith("/static")
        assert "Server" not in headers


def test_the_api_reads_for_a_supplier_and_approves_for_a_person_of_the_provider_only(serve: Any) -> None:
    site = serve()
    keys = {}
    for one in (account("sup", Role.SUPPLIER), account("jo", Role.APPROVER, standing="nominated individual"), account("river", Role.VIEWER, RIVER)):
        changed, keys[one.user] = new_key(one)
        site.desk.accounts.put(changed)
    client = client_of(site)

    def ask(who: str, method: str, path: str, **named: Any) -> Any:
        return client.open(f"/api/v1{path}", method=method, headers={"Authorization": f"Bearer {keys[who]}"}, **named)

    assert ask("sup", "GET", "/status").json["total"] == 5
    assert [r["location"] for r in ask("river", "GET", "/status").json["returns"]] == [RIVER]
    assert ask("river", "GET", f"/returns/{ELM}/care_home").status_code == 404
    counted = ask("sup", "POST", f"/returns/{ELM}/care_home/count").json
    assert counted["can_go"] and len(counted["figures_sha256"]) == 64
    exact = {"figures_sha256": counted["figures_sha256"]}
    for act, body in (
        ("approve", exact), ("hold", {"note": "x"}), ("accept", {"rule": "jump", "note": "x"}), ("unchanged", {}),
        ("declare", {"item": "ch_beds_occupied", "value": 1}), ("nil", {"reason": "paused", "looked_at": "x"}),
        ("confirm", {"reference": "x"}),
    ):  # fmt: skip
        assert ask("sup", "POST", f"/returns/{ELM}/care_home/{act}", json=body).status_code == 403
    assert ask("jo", "POST", f"/returns/{ELM}/care_home/approve", json={"figures_sha256": "0" * 64}).status_code == 409
    assert ask("jo", "POST", f"/returns/{ELM}/care_home/approve", data="{bad").status_code == 400
    done = ask("jo", "POST", f"/returns/{ELM}/care_home/approve", json=exact)
    assert done.status_code == 200 and done.json["standing"]["reason"] == "awaiting_confirmation"
    (approved,) = site.bridge.ledger.decisions(ELM, "return_approved")
    assert approved.by == "Name of jo (nominated individual)"
    keys["sup"] = "a wrong key that is long enough"
    answers = [ask("sup", "GET", "/status").status_code for _ in range(access.TRIES_FROM_ONE_ADDRESS + 1)]
    assert answers[0] == 401 and answers[-1] == 429


def test_every_act_of_the_pages_can_be_done_by_the_api_in_the_name_of_its_key(serve: Any) -> None:
    site = serve()
    jo, key = new_key(account("jo", Role.APPROVER, standing="nominated individual"))
    site.desk.accounts.put(jo)
    client = client_of(site)

    def ask(path: str, **body: Any) -> Any:
        # A forged form can bring a cookie along, never this header: so no token is asked for here.
        return client.post(f"/api/v1/returns/{path}", json=body, headers={"Authorization": f"Bearer {key}"})

    elm, willows = f"{ELM}/care_home", f"{WILLOWS}/home_care"
    assert client.post(f"/api/v1/returns/{elm}/declare", json={"item": "ch_beds_occupied", "value": 1}).status_code == 401
    assert ask(f"{elm}/declare", item="hc_service_users", value=1).status_code == 404
    assert ask(f"{elm}/declare", item="ch_beds_occupied", value="many").status_code == 409
    assert ask(f"{elm}/declare", item="ch_beds_occupied", value=1, until="2026-11-01T00:00:00Z").status_code == 400
    assert ask(f"{elm}/declare", item="ch_beds_occupied", value=1, until="2026-12-01").status_code == 400  # no zone
    said = ask(f"{elm}/declare", item="ch_visiting_accommodated", value="yes", until="2026-12-01T00:00:00Z").json
    assert next(f for f in said["figures"] if f["item"] == "ch_visiting_accommodated")["value"] == "yes"
    assert ask(f"{elm}/unchanged").json["can_go"]
    assert ask(f"{elm}/hold", note="The whiteboard says something else").json["standing"]["state"] == "held"
    assert ask(f"{elm}/confirm", reference="").status_code == 400
    done = ask(f"{elm}/confirm", reference="Saved 10:34", entered_at="2026-11-09T10:34:00Z").json
    assert done["standing"]["state"] == "confirmed_by_hand"
    assert ask(f"{willows}/nil", reason="paused", looked_at="The rota of this week").status_code == 409  # there are people
    nil = ask(f"{willows}/nil", reason="no_duty", looked_at="The letter of our adviser").json
    assert nil["standing"]["reason"] == "awaiting_confirmation"
    chains = [site.bridge.ledger.events(one) for one in (ELM, WILLOWS)]
    who = {e.body["by"] for events in chains for e in events if "by" in e.body}
    assert who - {"dscr-bridge"} == {"Name of jo (nominated individual)"}
    assert "Set-Cookie" not in client.get("/api/v1/status", headers={"Authorization": f"Bearer {key}"}).headers


def test_figures_that_changed_since_they_were_seen_are_not_approved(serve: Any) -> None:
    site = serve()
    client = in_by_token(site)
    client.post(f"{HOME}/count", data={"csrf": csrf(client.get("/"))})
    page = client.get(HOME + "/")
    seen = re.search(rb'name="figures" value="([0-9a-f]{64})"', page.data)
    assert seen
    declared(site.bridge, site.folder)
    client.post(f"{HOME}/approve", data={"csrf": csrf(page), "figures": seen[1].decode()})
    after = client.get(HOME + "/")
    assert b"figures have changed since you looked" in after.data
    assert site.bridge.ledger.decisions(ELM, "return_approved") == ()


def test_who_keeps_a_connection_open_is_hung_up_on_when_the_pages_end(tmp_path: Path) -> None:
    """A browser's idle connections were left open by the server, and found unclosed at some later moment."""
    with ExitStack() as running:
        site = served_site(tmp_path, running)
        visitor = running.enter_context(socket.create_connection(("127.0.0.1", urlsplit(site.address).port or 0), timeout=20))
        visitor.sendall(b"GET /about HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        assert visitor.recv(20).startswith(b"HTTP/1.1 200")
        kept = visitor.dup()
    with closing(kept):
        kept.settimeout(20)
        while kept.recv(65536):  # the rest of the page, and then the end
            pass


def test_beyond_this_machine_people_must_sign_in_through_tls() -> None:
    with pytest.raises(ValueError, match="people sign in"):
        Pages(host="0.0.0.0")  # noqa: S104
    with pytest.raises(ValueError, match="public_url"):
        Pages(host="192.0.2.1", login="accounts")
    with pytest.raises(ValueError, match="public_url"):
        Pages(host="192.0.2.1", login="accounts", public_url="http://127.0.0.1")
    assert Pages(host="192.0.2.1", login="accounts", public_url=GATEWAY).port == 8610


def test_the_files_behind_the_pages_are_their_owners_alone_and_hold_no_password(serve: Any) -> None:
    site = with_accounts(serve, account("jo", Role.VIEWER))
    for name in ("accounts.json", "links.secret"):
        assert (site.bridge.config.data_folder / "pages" / name).stat().st_mode & 0o077 == 0
    kept = site.desk.accounts.path.read_text()
    assert PASSWORD not in kept and "$argon2id$" in kept


def test_only_the_configured_gateway_is_believed_about_who_calls(serve: Any) -> None:
    """Behind a gateway all calls come from one address: without this, one guesser would lock everybody out."""
    seen: dict[str, str] = {}
    for gateway in (None, "127.0.0.1"):
        site = serve(Pages(port=0, gateway=gateway))
        site.desk.door.was_wrong = lambda user, address, g=gateway: seen.update({str(g): address})
        httpx.get(f"{site.address}/api/v1/status", headers={"X-Forwarded-For": "192.0.2.9"})
    assert seen == {"None": "127.0.0.1", "127.0.0.1": "192.0.2.9"}
