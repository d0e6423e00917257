"""The drill before a window: each line green, amber or red, and each that is not green says what to do."""

import socket
import ssl
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "peers"))

import certificates
from cryptography.hazmat.primitives import serialization

from dscr_bridge import config as configuration
from dscr_bridge.accounts import Account, Accounts, Role
from dscr_bridge.config import Config
from dscr_bridge.drill import Line, check_file, machine, naming, network, of_files, people
from dscr_bridge.errors import ConfigError, SourceRefused, SourceUnavailable
from dscr_bridge.opening import opened
from dscr_bridge.reading import read_sources
from dscr_bridge.returns import LocationId
from dscr_bridge.sandbox import homes, settings
from dscr_bridge.tables import Records
from dscr_bridge.world import World

NOW = datetime(2026, 11, 3, 9, tzinfo=UTC)
CONFIG = """
data_folder = "data"
{more}
[[alerts.contact]]
name = "Jo Example"
role = "manager"
to = {{ env = "NOBODY" }}
{left}
[[provider]]
id = "1-1000000101"
name = "Meadow Care"
[[provider.location]]
id = "1-1000000001"
name = "Rose House"
care_types = ["care_home"]
{sources}
"""
TWO = '[[platform_user]]\nname = "Sam Example"\n[[platform_user]]\nname = "Kit Example"\n'


def configured(folder: Path, more: str = "", left: str = "") -> Config:
    (folder / "config.toml").write_text(CONFIG.format(more=more, left=left, sources='sources = ["dscr"]' if "[[source]]" in more else ""), "utf-8")
    return configuration.load(folder / "config.toml")


def colours(lines: Iterator[Line]) -> list[tuple[str, str]]:
    found = list(lines)
    for line in found:
        if line.failure or line.warning:
            assert line.do or (line.failure and line.failure.do), line
    return [(line.what, "red" if line.failure else "amber" if line.warning else "green") for line in found]


def test_people_are_asked_about_each_month_and_again_when_a_list_changes(tmp_path: Path) -> None:
    clock = [NOW]
    world = World(now=lambda: clock[0])
    with opened(configured(tmp_path, TWO), world) as bridge:
        assert colours(people.lines(bridge)) == [("platform users", "green"), ("people", "amber")]
        asked = list(people.lines(bridge))[-1].says
        assert "Jo Example" in asked and "Sam Example, Kit Example" in asked
        people.confirm(bridge, by="Sam Example")
        assert colours(people.lines(bridge)) == [("platform users", "green"), ("people", "green")]
        clock[0] += timedelta(days=31)
        assert colours(people.lines(bridge))[-1] == ("people", "amber")
        people.confirm(bridge, by="Sam Example")
        with pytest.raises(ConfigError):
            people.confirm(bridge, by=" ")
    with opened(configured(tmp_path, TWO.replace("Kit", "Pat")), world) as bridge:
        assert colours(people.lines(bridge))[-1] == ("people", "amber")


def test_whoever_is_marked_as_left_is_told_and_no_longer_counts_as_a_user(tmp_path: Path) -> None:
    more, left = TWO + "left = 2026-11-03\n", "left = 2026-10-31\n"
    with opened(configured(tmp_path, more, left), World(now=lambda: NOW)) as bridge:
        said = [line.says for line in people.lines(bridge)]
        assert colours(people.lines(bridge))[:3] == [("people", "amber"), ("people", "amber"), ("platform users", "amber")]
    assert said[0] == "Jo Example, contact (manager), is marked as left."
    assert said[1] == "Kit Example, platform user, is marked as left."
    assert "Rose House" in said[2]
    with opened(configured(tmp_path, more.replace("11-03", "11-04")), World(now=lambda: NOW)) as bridge:
        assert colours(people.lines(bridge))[0] == ("platform users", "green")


def test_a_letter_whose_link_opens_nothing_is_told(tmp_path: Path) -> None:
    config = configured(tmp_path, TWO)
    jo = config.alerts.contact[0].model_copy(update={"account": "jo"})
    config = config.model_copy(update={"alerts": config.alerts.model_copy(update={"contact": (jo,)})})
    accounts = Accounts.of(config.data_folder)
    with opened(config, World(now=lambda: NOW)) as bridge:
        assert "there is no such account" in next(people.lines(bridge)).says
        accounts.put(Account("jo", "Jo Example", Role.VIEWER, ""))
        assert "its role is viewer" in next(people.lines(bridge)).says
        accounts.put(Account("jo", "Jo Example", Role.APPROVER, "", "registered manager"))
        assert colours(people.lines(bridge))[0] == ("platform users", "green")


@pytest.mark.parametrize(("free", "colour"), [(20_000, "green"), (400, "amber"), (10, "red")])
def test_a_disk_that_fills_up_is_told(tmp_path: Path, free: int, colour: str) -> None:
    with opened(configured(tmp_path), World(now=lambda: NOW)) as bridge:
        lines = machine.lines(bridge, lambda _folder: free * 1024 * 1024)
        assert colours(lines) == [("disk", colour), ("bank holidays", "green")]


def test_a_close_that_rests_on_computed_bank_holidays_is_told(tmp_path: Path) -> None:
    with opened(configured(tmp_path), World(now=lambda: datetime(2039, 12, 1, tzinfo=UTC))) as bridge:
        line = list(machine.lines(bridge))[1]
        assert line.warning and "2039-12 and 2040-01" in line.says


@dataclass
class Server:
    """A server that says one thing."""

    port: int
    says: Callable[[], bytes]


@contextmanager
def serving(says: Callable[[], bytes], tls: ssl.SSLContext | None = None) -> Iterator[int]:
    listener = socket.create_server(("127.0.0.1", 0))
    stopping = threading.Event()

    def serve() -> None:
        while not stopping.is_set():
            try:
                plain, _ = listener.accept()
            except OSError:
                return
            try:
                with tls.wrap_socket(plain, server_side=True) if tls else plain as one:
                    one.settimeout(30)
                    one.recv(4096)
                    one.sendall(says())
            except OSError:
                continue

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        stopping.set()
        # Closing alone does not wake a waiting accept.
        with socket.create_connection(listener.getsockname()):
            pass
        listener.close()
        thread.join(30)


def answer(clock: datetime, body: bytes = b"") -> bytes:
    head = f"HTTP/1.1 200 OK\r\nDate: {format_datetime(clock, usegmt=True)}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    return head.encode() + body


SOURCE = '[[source]]\nname = "dscr"\nconnector = "rest-json-example"\nurl = "{url}"\nauth = {{ kind = "key-for-token", secret = {{ env = "X" }} }}\n{more}\n'


def met(folder: Path, url: str, more: str = "", now: datetime | None = None) -> list[Line]:
    with opened(configured(folder, SOURCE.format(url=url, more=more)), World(now=lambda: now or datetime.now(UTC))) as bridge:
        return list(network.lines(bridge))


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> tuple[ssl.SSLContext, Path]:
    """A server's TLS with a certificate that lasts thirty days, and the file of its authority."""
    folder = tmp_path_factory.mktemp("certificates")
    ca = certificates.authority("Test authority")
    certificates.certificate(folder, "server", ca, server="localhost")
    (folder / "ca.crt").write_bytes(ca.certificate.public_bytes(serialization.Encoding.PEM))
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(folder / "server.crt", folder / "server.key")
    return tls, folder / "ca.crt"


def test_a_certificate_is_watched_and_one_that_cannot_be_trusted_is_red(tmp_path: Path, secured: Any) -> None:
    tls, ca = secured
    with serving(lambda: answer(datetime.now(UTC)), tls) as port:
        url, trusted = f"https://localhost:{port}/fhir", f'ca_file = "{ca}"'
        assert colours(iter(met(tmp_path, url, trusted))) == [("source dscr", "green")]
        (line,) = met(tmp_path, url, trusted, datetime.now(UTC) + timedelta(days=12))
        assert line.warning and "its certificate ends on" in line.says
        (line,) = met(tmp_path, url)
        assert isinstance(line.failure, SourceRefused) and "certificate" in line.failure.what


def test_a_clock_that_is_off_is_told_with_its_offset(tmp_path: Path) -> None:
    with serving(lambda: answer(datetime.now(UTC) + timedelta(seconds=95))) as port:
        lines = met(tmp_path, f"http://127.0.0.1:{port}/x")
    assert colours(iter(lines)) == [("source dscr", "green"), ("clock of source dscr", "amber")]
    assert "+9" in lines[1].says


def test_a_name_that_is_not_known_and_a_port_where_nobody_listens_are_red(tmp_path: Path) -> None:
    (line,) = met(tmp_path, "https://care-record.invalid/fhir")
    assert isinstance(line.failure, SourceUnavailable) and "DNS" in line.failure.what
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    (line,) = met(tmp_path, f"http://127.0.0.1:{port}/fhir")
    assert isinstance(line.failure, SourceUnavailable) and "reached" in line.failure.what


def test_what_is_no_web_server_is_reached_and_has_no_clock(tmp_path: Path) -> None:
    with serving(lambda: b"SSH-2.0-hello\r\n") as port:
        assert colours(iter(met(tmp_path, f"http://127.0.0.1:{port}"))) == [("source dscr", "green")]


@pytest.mark.parametrize(("said", "colour"), [
    (b"fl=1\nloc=GB\nip=x\n", "green"), (b'{"country": "FR"}', "amber"), (b"<html>hello</html>", "amber"),
])
def test_where_we_come_from_is_told_where_an_address_says_it(tmp_path: Path, said: bytes, colour: str) -> None:
    with serving(lambda: answer(datetime.now(UTC), said)) as port:
        config = configured(tmp_path, f'egress_check = "http://127.0.0.1:{port}/trace"\n')
        with opened(config, World(now=lambda: NOW)) as bridge:
            found = colours(network.lines(bridge))
    assert found == [("where we come from", colour)]


def test_our_own_certificate_is_watched(tmp_path: Path) -> None:
    certificates.certificate(tmp_path, "client", certificates.authority("Test authority"), days=10)
    more = f'certificate = {{ file = "{tmp_path}/client.crt", key_file = "{tmp_path}/client.key" }}'
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    lines = met(tmp_path, f"https://127.0.0.1:{port}", more)
    assert colours(iter(lines)) == [("our certificate for dscr", "amber"), ("source dscr", "red")]
    ended = met(tmp_path, f"https://127.0.0.1:{port}", more, datetime.now(UTC) + timedelta(days=40))
    assert colours(iter(ended)) == [("our certificate for dscr", "red"), ("source dscr", "red")]


def test_a_connector_is_checked_by_its_folder_however_it_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A newcomer wrote `validate our-rota`, and was told that no connector of that name is shipped."""
    (tmp_path / "our-rota").mkdir()
    (tmp_path / "our-rota" / "connector.toml").write_text('name = "our-rota"\ntitle = "Our Rota"\nversion = "1"\nlike = "staff-csv"\nreads_with = ["tabular_files"]\n')
    monkeypatch.chdir(tmp_path)
    for way in ("our-rota", "our-rota/connector.toml", "./our-rota"):
        check_file(Path(way))


def test_a_simulated_network_has_no_names(tmp_path: Path) -> None:
    import httpx

    world = replace(World(now=lambda: NOW), transport=httpx.MockTransport(lambda _: httpx.Response(500)))
    with opened(configured(tmp_path), world) as bridge:
        assert list(network.lines(bridge)) == []


def named_by(folder: Path, identifiers: str, posts: str = "1-1000000002") -> list[str]:
    """What the drill says of the names of Rose Cottage, whose rota calls it `posts`."""
    settings.write_settings(folder, homes.write_homes(folder / "homes", NOW), mode="review")
    text = (folder / "config.toml").read_text("utf-8")
    ours = next(part for part in text.split("[[provider.location]]") if "1-1000000002" in part)
    (rota,) = (folder / "homes" / "rose-cottage" / "rota").glob("posts*.csv")
    rota.write_text(rota.read_text("utf-8").replace("1-1000000002", posts), "utf-8")
    (folder / "config.toml").write_text(text.replace(ours, ours.replace('"ZZ102"', identifiers)), "utf-8")
    with opened(configuration.load(folder / "config.toml"), World(now=lambda: NOW)) as bridge:
        read = read_sources(bridge, [LocationId("1-1000000002")], NOW)
        found = list(naming.lines(bridge, read.records))
    assert all(line.do for line in found if line.warning)
    return [("! " if line.warning else "") + line.says for line in found]


def test_what_the_records_call_a_location_is_compared_with_its_identifiers(tmp_path: Path) -> None:
    """Never a name that a record holds; and a name that no record uses is told, because it may be a slip."""
    assert named_by(tmp_path / "a", '"ZZ999"') == [
        "the records name every location; none of them uses the configured identifier ZZ999"]  # fmt: skip
    assert named_by(tmp_path / "b", '"ROSE-7"', posts="rose-7") == ["the records name every location"]
    (said,) = named_by(tmp_path / "c", '"ZZ102"', posts="Canary00001Zq")
    assert said.startswith("! 20 rows of rose-cottage-rota left out, naming another location than Rose Cottage")
    assert "Canary" not in said


def test_a_server_whose_records_name_no_configured_location_is_told(tmp_path: Path) -> None:
    text = CONFIG.format(more='[[source]]\nname = "dscr"\nconnector = "uk-core-fhir"\nfolder = "."', left="", sources='sources = ["dscr"]\nidentifiers = ["A1", "A2", "A3", "A4", "A5", "A6"]')
    (tmp_path / "config.toml").write_text(text, "utf-8")
    with opened(configuration.load(tmp_path / "config.toml"), World(now=lambda: NOW)) as bridge:
        read = Records("dscr", received=Counter({"Location": 3}))
        (line,) = naming.lines(bridge, [read])
        assert line.warning and line.says == "no record of dscr names Rose House, by its CQC id or by its identifiers."
        read.named = frozenset({"1-1000000001"})
        (line,) = naming.lines(bridge, [read])
        assert not line.warning and line.says.endswith("identifiers A1, A2, A3, A4, A5 and 1 more")
        assert list(naming.lines(bridge, [Records("dscr")])) == []  # nothing came: that is told already


def test_plain_validation_looks_for_the_folders_of_sources(tmp_path: Path) -> None:
    config = configured(tmp_path, '[[source]]\nname = "dscr"\nconnector = "staff-csv"\nfolder = "exports"')
    (missing,) = [line for line in of_files(config, NOW.date()) if line.failure]
    assert missing.what == "folder of dscr" and missing.failure is not None and missing.failure.exit_code == 20
    (tmp_path / "exports").mkdir()
    lines = {line.what: line for line in of_files(config, NOW.date())}
    assert lines["folders"].says == "of every source are there" and not any(line.failure for line in lines.values())
