"""A bad month, told by real letters to a real mail server: the right people, the right words, and never a flood."""

import json
import logging
import re
import socket
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any

import httpx
import pytest
from installed import ELM, RIVER, ROSE, WILLOWS, Clock, declared, installation
from test_hostile_visitors import PASSWORD, account, client_of, csrf

from dscr_bridge import acting, deciding, notify
from dscr_bridge import bridge as flow
from dscr_bridge.accounts import Accounts, Role
from dscr_bridge.config import Alerts, Away, Calendar, Certificate, Config, Contact, Pages, Secret
from dscr_bridge.config.across import across
from dscr_bridge.mapping import published_to
from dscr_bridge.notify import carry as carrying
from dscr_bridge.notify import ladder
from dscr_bridge.notify.notice import Notice
from dscr_bridge.opening import Bridge, opened
from dscr_bridge.returns import CareType, LocationId, Obligation
from dscr_bridge.sandbox import processes
from dscr_bridge.window import named_window
from dscr_bridge.world import World


@dataclass
class Post:
    """What arrived: (whom, subject, text)."""

    letters: list[tuple[str, str, str]] = field(default_factory=list)
    times: list[datetime] = field(default_factory=list)
    clock: Clock = field(default_factory=Clock)

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        letter = message_from_bytes(envelope.content, policy=policy.default)
        body = letter.get_body(("plain", "html"))
        assert body is not None
        self.times.append(self.clock.at)
        self.letters.append((envelope.rcpt_tos[0].split("@")[0], str(letter["Subject"]), body.get_content()))
        return "250 OK"


@pytest.fixture
def post() -> Iterator[tuple[Post, int]]:
    """A mail server on this machine."""
    from aiosmtpd.controller import Controller

    received = Post()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    controller = Controller(received, hostname="127.0.0.1", port=port)
    controller.start()
    try:
        yield received, port
    finally:
        controller.stop()


def by_post(letters: Any) -> list[bool]:
    """Carry letters as the program of its own does, without starting one for each hour of a month."""
    try:
        return carrying.carry([{"to": to, "subject": one.subject, "text": one.text} for to, one in letters])
    finally:
        logging.disable(logging.NOTSET)


def contact(folder: Path, name: str, role: Any, port: int, *locations: str, away: tuple[Away, ...] = ()) -> Contact:
    where = folder / f"{name}.address"
    where.write_text(f"mailto://127.0.0.1:{port}/?from=bridge@example.org&to={name.lower()}@example.org&mode=insecure")
    where.chmod(0o600)
    return Contact(name=name, role=role, to=Secret(file=where), locations=locations, away=away)


def told(config: Config, *contacts: Contact) -> Config:
    return config.model_copy(update={"alerts": Alerts(contact=contacts)})


def through(bridge: Bridge, clock: Clock, until: datetime, carry: notify.Carry | None = None) -> None:
    """Ask as the daemon does, every hour."""
    while clock.at < until:
        if clock.at.hour % 4 == 1:
            flow.run_due(bridge)
        notify.tick(bridge, carry)
        clock.at += timedelta(hours=1)


@dataclass
class Kept:
    """A carrier that keeps the letters, for months that need no mail server."""

    letters: list[tuple[datetime, str, str, str]] = field(default_factory=list)
    clock: Clock = field(default_factory=Clock)
    down: bool = False

    def __call__(self, letters: Any) -> list[bool]:
        if self.down:
            return [False] * len(letters)
        self.letters += [(self.clock.at, one.contact.name, one.subject, one.text) for _, one in letters]
        return [True] * len(letters)


def test_a_real_letter_says_what_where_and_the_one_next_step_and_no_figure(tmp_path: Path, post: tuple[Post, int]) -> None:
    received, port = post
    clock = Clock(at=datetime(2026, 11, 9, 10, 40, tzinfo=UTC))
    config = told(installation(tmp_path), contact(tmp_path, "Jo", "manager", port, ROSE), contact(tmp_path, "Ivy", "supplier", port))
    with opened(config, clock.world()) as bridge:
        flow.run_due(bridge)
        assert notify.tick(bridge) == 3
        assert notify.tick(bridge) == 0  # said once
    jo = [letter for letter in received.letters if letter[0] == "jo"]
    assert [s for _, s, _ in jo] == ["Quercus Care (synthetic): several returns need somebody"]  # one letter, not one each
    text = jo[0][2]
    assert "the November 2026 window is open" in text and "Rose Cottage, care home, November 2026" in text
    assert "ready to be entered by hand" in text and "Next step: Type them in from the crib sheet" in text
    assert "0191 691 3729" in text
    assert all("Elm Court" not in text for _, _, text in jo)


@pytest.mark.filterwarnings("ignore:'imghdr' is deprecated")  # Apprise's own, at its first import
def test_a_bad_month_floods_nobody_and_misses_nothing(tmp_path: Path, post: tuple[Post, int]) -> None:
    received, port = post
    received.clock = clock = Clock(at=datetime(2026, 11, 7, 9, tzinfo=UTC))
    config = told(installation(tmp_path), contact(tmp_path, "Jo", "manager", port), contact(tmp_path, "Gil", "group", port), contact(tmp_path, "Ivy", "supplier", port))
    window = named_window("2026-11")
    one, other = (Obligation(LocationId(x), CareType.CARE_HOME, "2026-11") for x in (ELM, ROSE))
    with opened(config, clock.world()) as bridge:
        declared(bridge, tmp_path)
        through(bridge, clock, datetime(2026, 11, 10, 9, tzinfo=UTC), by_post)
        acting.hold(bridge, one, by="Jo Example", note="The whiteboard says something else")
        acting.confirm(bridge, other, by="Jo Example", reference="Saved", entered_at=clock.at)
        through(bridge, clock, datetime(2026, 11, 18, 9, tzinfo=UTC), by_post)
        kept = Kept([(at, to.title(), subject, text) for at, (to, subject, text) in zip(received.times, received.letters, strict=True)])
        by_contact = Counter(name for _, name, _, _ in kept.letters)
        about = [(at, name, text) for at, name, subject, text in kept.letters if subject.startswith("Elm Court") or "Elm Court" in text]
        events = bridge.ledger.events(f"provider:{bridge.config.provider[0].id}")
    # Eleven days asked 264 times, four returns open to the end, two providers: letters stay in the tens.
    assert by_contact["Jo"] <= 32 and by_contact["Gil"] <= 36 and by_contact["Ivy"] <= 12, by_contact
    assert any("held" in text and name == "Jo" for _, name, text in about)
    # Before the platform's own reminder at 48 hours, at the last call on Friday and on Monday, and in the last four hours.
    hours = sorted({round((window.closes_at - at).total_seconds() / 3600) for at, name, _ in about if name == "Jo"})
    assert any(48 < h <= 53 for h in hours) and any(h <= 4 for h in hours), hours
    calls = {(at.astimezone(window.closes_at.tzinfo).date(), at.astimezone(window.closes_at.tzinfo).hour) for at, name, _ in about if name == "Jo"}
    assert (date(2026, 11, 13), 14) in calls and (date(2026, 11, 16), 14) in calls
    assert any("without an accepted return" in text for _, _, text in about)
    # Somebody was told, and the ledger says whom.
    told_events = [e for e in events if e.kind == "decided" and e.body["kind"] == "told"]
    assert told_events and all(e.body["detail"]["to"] for e in told_events)
    # Nobody is woken at night but by what cannot wait.
    for at, _, subject, text in kept.letters:
        there = at.astimezone(window.closes_at.tzinfo)
        if there.hour >= 20 or there.hour < 7:
            assert "missed" in text or "Left until the close" in text or "window closed" in text, (there, subject)
    _no_figure(kept)


def _no_figure(kept: Kept) -> None:
    """Take away dates, times, contacts and counts of returns: no other number may be left."""
    known = r"[\w-]+\.(html|xlsx)|(November|October|December)( 2026)?|\d{1,2} (November|October|December)|0191 691 3729|8am|5pm|Left until the close: [\d a-z]+|open for \d+ of them|\d+ of \d+|\d+ (things|returns|more)|\* [a-z ]+: \d+|1-\d{10}|bulk-[a-z-]+[\d-]+\.xlsx|2026|COVID-19|-CoV-2"
    for _, _, subject, text in kept.letters:
        rest = re.sub(known, "", f"{subject}\n{text}")
        assert not re.search(r"\d", rest), rest


def test_a_source_that_comes_and_goes_is_told_to_the_supplier_and_not_each_time(tmp_path: Path) -> None:
    clock = Clock(at=datetime(2026, 11, 9, 11, tzinfo=UTC))
    kept = Kept(clock=clock)
    config = told(installation(tmp_path), contact(tmp_path, "Jo", "manager", 9), contact(tmp_path, "Ivy", "supplier", 9))
    one = Obligation(LocationId(ELM), CareType.CARE_HOME, "2026-11")
    with opened(config, clock.world()) as bridge:
        notify.tick(bridge, kept)
        kept.letters.clear()
        for _ in range(12):
            bridge.ledger.waiting(one, "source_down", clock.at)
            notify.tick(bridge, kept)
            clock.at += timedelta(minutes=10)
    assert [(name, subject) for _, name, subject, _ in kept.letters] == [("Ivy", "Elm Court, care home, November 2026")]
    assert "the supplier of the source" in kept.letters[0][3]


def test_what_was_told_as_trouble_is_told_as_done_and_the_month_ends_with_a_certificate(tmp_path: Path) -> None:
    clock = Clock(at=datetime(2026, 11, 9, 11, tzinfo=UTC))
    kept = Kept(clock=clock)
    config = told(installation(tmp_path), contact(tmp_path, "Jo", "manager", 9, RIVER, WILLOWS))
    with opened(config, clock.world()) as bridge:
        declared(bridge, tmp_path)
        flow.run_due(bridge)
        notify.tick(bridge, kept)
        for location, care_type in ((RIVER, "home_care"), (WILLOWS, "care_home"), (WILLOWS, "home_care")):
            acting.confirm(bridge, Obligation(LocationId(location), CareType(care_type), "2026-11"), by="Jo", reference="Saved", entered_at=clock.at)
        notify.tick(bridge, kept)
    assert any("every November 2026 return is done" in s + t for _, _, s, t in kept.letters)


def test_a_receipt_is_told_once_to_the_manager_where_nothing_had_been_wrong(tmp_path: Path) -> None:
    clock = Clock()
    kept = Kept(clock=clock)
    with processes.start("receiver", tmp_path / "receiver", clock=clock.at) as receiver:
        config = installation(tmp_path / "work", receiver_url=receiver.url)
        config = told(config, contact(tmp_path, "Jo", "manager", 9, ROSE), contact(tmp_path, "Gil", "group", 9))
        with opened(config, clock.world()) as bridge:
            notify.tick(bridge, kept)  # the window is open
            declared(bridge, tmp_path / "work")
            deciding.verify_items(bridge, "all", by="Sam Example", leave_out=None, provider=None)
            list(deciding.approve_edition(bridge, by="Sam Example", provider=None, fingerprint=None))
            rose = Obligation(LocationId(ROSE), CareType.CARE_HOME, "2026-11")
            (prepared,) = flow.prepare(bridge, [rose])
            flow.send(bridge, prepared)
            kept.letters.clear()
            notify.tick(bridge, kept)
            assert [(name, subject) for _, name, subject, _ in kept.letters] == [("Jo", "Rose Cottage, care home, November 2026")]
            text = kept.letters[0][3]
            assert "It was sent, accepted and read back: it is on record." in text and "Nothing is left to do." in text
            assert not re.search(r"\b\d+ (?:residents|beds|staff)", text)
            clock.at += timedelta(hours=30)
            notify.tick(bridge, kept)
            assert not [1 for _, _, subject, _ in kept.letters[1:] if subject.startswith("Rose Cottage")]


def test_a_letter_that_reached_nobody_is_tried_again_and_cover_stands_in(tmp_path: Path) -> None:
    clock = Clock(at=datetime(2026, 11, 9, 11, tzinfo=UTC))
    kept = Kept(clock=clock, down=True)
    away = (Away(first=date(2026, 11, 9), last=date(2026, 11, 10), cover="Kim"),)
    config = told(installation(tmp_path), contact(tmp_path, "Jo", "manager", 9, ELM, away=away), contact(tmp_path, "Kim", "manager", 9, ROSE))
    with opened(config, clock.world()) as bridge:
        assert notify.tick(bridge, kept) == 0
        assert bridge.ledger.decided("told") == ()
        kept.down = False
        assert notify.tick(bridge, kept) > 0
        assert {name for _, name, _, _ in kept.letters} == {"Kim"}
        clock.at += timedelta(days=2)
        kept.letters.clear()
        bridge.ledger.held(Obligation(LocationId(ELM), CareType.CARE_HOME, "2026-11"), "check_failed", ["jump"])
        notify.tick(bridge, kept)
        assert {name for _, name, _, _ in kept.letters} == {"Jo"}


def test_the_ladder_speaks_before_the_platform_does_and_counts_working_hours() -> None:
    november = dict((name, at) for at, name in ladder.rungs(named_window("2026-11"), ladder.Rungs(Alerts())) if name != "last call")
    assert november["52 hours"] < named_window("2026-11").closes_at - timedelta(hours=48)
    calls = {m: [f"{at:%a %d %H:%M}" for at, name in ladder.rungs(named_window(m), ladder.Rungs(Alerts())) if name == "last call"]
             for m in ("2026-11", "2026-10", "2026-02", "2025-04", "2028-04")}  # fmt: skip
    assert calls["2026-11"] == ["Fri 13 14:00", "Mon 16 14:00"]  # a weekend before the close
    assert calls["2026-10"] == ["Wed 14 14:00"]
    assert calls["2026-02"] == ["Fri 13 14:00", "Mon 16 14:00"]
    assert calls["2028-04"] == ["Thu 13 14:00", "Tue 18 14:00"]  # Easter: the close is the Tuesday after it


def test_a_letter_counts_the_hours_in_which_the_support_centre_works() -> None:
    november, by = named_window("2026-11"), ladder.Rungs(Alerts())
    assert ladder.support_hours(november, by, datetime(2026, 11, 13, 14, tzinfo=UTC)) == 3 + 9  # Friday from two, Monday
    assert ladder.support_hours(november, by, datetime(2026, 11, 14, 9, tzinfo=UTC)) == 9
    assert ladder.left(november, by, datetime(2026, 11, 13, 14, tzinfo=UTC)) == "3 days 10 hours; the platform's support centre is open for 12 of them"
    assert ladder.left(november, by, datetime(2026, 11, 16, 17, tzinfo=UTC)) == "7 hours; the platform's support centre is closed until then"
    closed = ladder.Rungs(Alerts(), Calendar(extra_bank_holidays=(date(2026, 11, 16),)))
    assert ladder.support_hours(november, closed, datetime(2026, 11, 14, 9, tzinfo=UTC)) == 0


def test_a_certificate_near_its_end_is_said_at_thirty_days_and_at_seven(tmp_path: Path) -> None:
    file = tmp_path / "client.pem"
    file.write_bytes(_certificate(ends=datetime(2026, 12, 1, 12, tzinfo=UTC)))
    file.chmod(0o600)
    clock = Clock(at=datetime(2026, 10, 20, 11, tzinfo=UTC))
    kept = Kept(clock=clock)
    config = told(installation(tmp_path), contact(tmp_path, "Ivy", "supplier", 9))
    (first, *rest) = config.source
    config = config.model_copy(update={"source": (first.model_copy(update={"certificate": Certificate(file=file)}), *rest)})
    with opened(config, clock.world()) as bridge:
        while clock.at < datetime(2026, 12, 3, tzinfo=UTC):
            notify.tick(bridge, kept)
            clock.at += timedelta(days=1)
    said = [(at.date().isoformat(), subject + text) for at, _, subject, text in kept.letters if "certificate for the source" in subject + text]
    assert [at for at, _ in said] == ["2026-11-02", "2026-11-25"], said
    assert "ends on 1 December 2026" in said[0][1]


def _certificate(ends: datetime) -> bytes:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "client-1")])
    made = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(1)
    signed = made.not_valid_before(datetime(2025, 1, 1, tzinfo=UTC)).not_valid_after(ends).sign(key, hashes.SHA256())
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return signed.public_bytes(serialization.Encoding.PEM) + pem


def test_between_windows_people_are_asked_about_the_contacts_and_told_of_the_table_of_holidays_once(tmp_path: Path) -> None:
    near_its_end = published_to() - timedelta(days=45)
    clock = Clock(at=datetime(near_its_end.year, near_its_end.month, 2, 10, tzinfo=UTC))
    kept = Kept(clock=clock)
    config = told(installation(tmp_path), contact(tmp_path, "Jo", "manager", 9), contact(tmp_path, "Ivy", "supplier", 9))
    with opened(config, clock.world()) as bridge:
        for _ in range(3):
            notify.tick(bridge, kept)
            clock.at += timedelta(days=1)
    texts: dict[str, list[str]] = {}
    for _, name, subject, text in kept.letters:
        texts.setdefault(name, []).append(f"{subject} {text}")
    providers = len(config.provider)  # each has its own contacts to confirm; the table is everybody's, and told once
    assert providers > 1 and sum(t.count("are the contacts still right?") for t in texts["Jo"]) == providers
    assert sum(t.count("The table of bank holidays is near its end") for t in texts["Ivy"]) == 1
    assert "later windows are computed" in texts["Ivy"][0] and "bank holidays" not in "".join(texts["Jo"])


def test_a_stale_source_is_told_to_the_supplier_with_the_page_where_people_reach_it(tmp_path: Path) -> None:
    clock = Clock(at=datetime(2026, 11, 9, 11, tzinfo=UTC))
    kept = Kept(clock=clock)
    config = told(installation(tmp_path), contact(tmp_path, "Jo", "manager", 9), contact(tmp_path, "Ivy", "supplier", 9))
    config = config.model_copy(update={"pages": Pages(login="accounts", public_url="https://pages.example.org")})
    with opened(config, clock.world()) as bridge:
        notify.tick(bridge, kept)
        kept.letters.clear()
        bridge.ledger.held(Obligation(LocationId(ELM), CareType.CARE_HOME, "2026-11"), "check_failed", ["stale_snapshot"])
        notify.tick(bridge, kept)
    assert {name for _, name, _, _ in kept.letters} == {"Jo", "Ivy"}
    text = kept.letters[0][3]
    assert "A source is stale" in text and "the supplier of the source" in text
    assert f"https://pages.example.org/location/{ELM}/care_home/" in text


def test_a_manager_who_never_comes_by_gets_a_link_and_approves_by_it(serve: Any, tmp_path: Path, caplog: Any) -> None:
    """From the letter to the approval: the link is Jo's, for one return, for 72 hours, and behind the sign-in."""
    folder = tmp_path.parent / f"{tmp_path.name}-addresses"
    folder.mkdir()
    jo = contact(folder, "Jo", "manager", 9, ELM).model_copy(update={"account": "jo"})
    pages = Pages(port=0, login="accounts", public_url="https://pages.example.org")
    ivy = contact(folder, "Ivy", "supplier", 9)

    def with_jo(config: Config) -> Config:
        Accounts.of(config.data_folder).put(account("jo", Role.APPROVER, standing="registered manager"))
        return told(config, jo, ivy).model_copy(update={"pages": pages})

    site = serve(None, with_jo)
    kept = Kept(clock=site.clock)
    caplog.set_level("DEBUG")
    site.bridge.ledger.held(Obligation(LocationId(ELM), CareType.CARE_HOME, "2026-11"), "check_failed", ["required_absent"])
    notify.tick(site.bridge, kept)
    (letter,) = [text for _, name, _, text in kept.letters if name == "Jo"]
    (link,) = re.findall(r"https://pages.example.org(/return/\S+)", letter)
    assert "works until Thursday 12 November, 10:35" in letter
    assert not any("/return/" in text for _, name, _, text in kept.letters if name == "Ivy")

    client = client_of(site)
    away = {"base_url": "https://pages.example.org"}
    form = client.get(link, **away)
    assert form.status_code == 200 and b"Elm Court" not in form.data
    entered = client.post("/sign-in", data={"csrf": csrf(form), "user": "jo", "password": PASSWORD, "link": link.rpartition("/")[2]}, **away)
    month = client.get(entered.headers["Location"], **away)
    assert b"Elm Court" in month.data
    here = f"/location/{ELM}/care_home"
    page = client.post(f"{here}/month", data={"csrf": csrf(month), "ch_visiting_accommodated": "yes"}, follow_redirects=True, **away)
    figures = re.search(rb'name="figures" value="([0-9a-f]{64})"', page.data)
    assert figures
    done = client.post(f"{here}/approve", data={"csrf": csrf(page), "figures": figures[1].decode()}, follow_redirects=True, **away)
    assert b"Approved. It now stands at" in done.data
    assert client.get(f"/location/{ROSE}/care_home/", **away).status_code == 404
    token = link.rpartition("/")[2]
    assert token not in caplog.text + str(site.bridge.ledger.decided("told")) + "".join(str(r.__dict__) for r in caplog.records)
    assert not any(token.encode() in p.read_bytes() for p in tmp_path.rglob("*") if p.is_file())
    site.clock.at += timedelta(hours=72, seconds=2)
    assert client_of(site).get(link, **away).status_code == 403


def test_a_letter_that_only_lists_many_returns_says_where_all_of_them_are(tmp_path: Path) -> None:
    config = told(installation(tmp_path), contact(tmp_path, "Jo", "manager", 9))
    pages = Pages(login="accounts", public_url="https://pages.example.org")
    many = [Notice(f"k{n}", "held", "held", frozenset({"manager"}), False, f"Return {n}", "Answer it.", "", (f"{ELM}/care_home/2026-{n:02}",))
            for n in range(1, notify.IN_FULL + 2)]  # fmt: skip
    for served, way in ((pages, "https://pages.example.org/"), (None, "")):
        with opened(config.model_copy(update={"pages": served}), Clock().world()) as bridge:
            (few,) = notify.letters(bridge, config.provider[0], many[:-1], Clock().at)
            (all_,) = notify.letters(bridge, config.provider[0], many, Clock().at)
        assert few.text.count("/location/") == (notify.IN_FULL if served else 0)
        assert all_.text.count("* Return") == len(many) and "/location/" not in all_.text
        assert all_.text.endswith(way or "Answer it.")


def test_links_in_letters_need_pages_where_people_sign_in(tmp_path: Path) -> None:
    with_account = contact(tmp_path, "Jo", "manager", 9).model_copy(update={"account": "jo"})
    for pages, wrong in ((None, 1), (Pages(port=0), 1), (Pages(login="accounts", public_url="https://pages.example.org"), 0)):
        config = told(installation(tmp_path), with_account).model_copy(update={"pages": pages})
        assert len([m for m in across(config) if "account" in m.where]) == wrong


def test_the_dead_mans_address_is_called_while_all_is_well(tmp_path: Path) -> None:
    called: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        called.append(str(request.url))
        return httpx.Response(200 if len(called) < 2 else 500)

    secret = tmp_path / "alive"
    secret.write_text("https://alive.example/ping/x")
    secret.chmod(0o600)
    clock = Clock()
    config = installation(tmp_path)
    config = config.model_copy(update={"alerts": Alerts(alive=Secret(file=secret))})
    with opened(config, clock.world()) as opened_bridge:
        world = World(now=lambda: clock.at, transport=httpx.MockTransport(answer))
        bridge = Bridge(config, world, opened_bridge.ledger, None)
        last = notify.still_alive(bridge, None)
        assert last == clock.at
        assert notify.still_alive(bridge, last) == last and len(called) == 1
        clock.at += timedelta(minutes=16)
        assert notify.still_alive(bridge, last) == last  # it failed: tried again next time
    assert json.dumps(called).count("alive.example") == 2
