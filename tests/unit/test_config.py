"""The configuration names every mistake at once and never repeats a secret."""

from pathlib import Path

import pytest

from dscr_bridge.cli.operate import at_a_time
from dscr_bridge.config import Config, Secret, load
from dscr_bridge.errors import ConfigError

GOOD = """
data_folder = "work"
[receiver]
channel = "by-hand"
[[source]]
name = "rota"
connector = "staff-csv"
folder = "exports"
[[provider]]
id = "1-101614751"
name = "Meadow Care Ltd"
[[provider.location]]
id = "1-1234567890"
name = "Rose House"
care_types = ["care_home"]
sources = ["rota"]
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "config.toml"
    path.write_text(text)
    return path


def refusal(folder: Path, text: str) -> str:
    with pytest.raises(ConfigError) as refused:
        load(written(folder, text))
    return str(refused.value).replace(str(folder), "FOLDER")


def test_paths_are_relative_to_the_file(tmp_path: Path) -> None:
    config = load(written(tmp_path, GOOD))
    assert config.data_folder == tmp_path / "work"
    assert config.source[0].folder == tmp_path / "exports"


@pytest.mark.parametrize(("pages", "health", "taken"), [
    ("port = 8700", "port = 8700", True), ("port = 8700", "host = 'localhost'\nport = 8700", True),
    ("host = '0.0.0.0'\nport = 8700\npublic_url = 'https://b.example.org'\nlogin = 'accounts'", "port = 8700", True), ("port = 8700", "port = 8701", False),
    ("port = 8700", "host = '127.0.0.2'\nport = 8700", False), ("port = 0", "port = 0", False),
])  # fmt: skip
def test_pages_and_health_do_not_share_a_port(tmp_path: Path, pages: str, health: str, taken: bool) -> None:
    path = written(tmp_path, GOOD.replace("[receiver]", f"[pages]\n{pages}\n[health]\n{health}\n[receiver]"))
    if not taken:
        load(path)
        return
    with pytest.raises(ConfigError, match="health, port: the pages listen on 8700 already; give each a port of its own"):
        load(path)


def test_the_shipped_example_is_a_configuration() -> None:
    config = load(Path(__file__).parents[2] / "config.example.toml")
    assert [location.name for _, location in config.locations()] == ["Rose House"]


def test_all_mistakes_are_named_at_once_by_their_place(tmp_path: Path) -> None:
    text = GOOD.replace("data_folder", "data_foldr").replace('"by-hand"', '"by-hnd"').replace('["care_home"]', '["care_hom"]')
    text = text.replace('connector = "staff-csv"', "connector = 3").replace('id = "1-101614751"', 'id = "12"')
    assert refusal(tmp_path, text) == (
        "FOLDER/config.toml: 6 mistakes.\n"
        "  data_folder: is missing.\n"
        "  receiver, channel: must be one of 'receiver-api', 'portal', 'bulk-file' or 'by-hand'.\n"
        "  source 1 (rota), connector: must be text in quotes.\n"
        "  provider 1 (Meadow Care Ltd), id: is not a CQC id; copy it from the page on the CQC website, for example 1-1234567890.\n"
        "  provider 1 (Meadow Care Ltd), location 1 (Rose House), care_types 1: must be one of 'care_home' or 'home_care'.\n"
        '  data_foldr: is not a key here; did you mean "data_folder"?\n'
        "Nothing was read or sent. Mend the file and run: dscr-bridge validate"
    )


def test_what_must_hold_across_keys_is_checked_too(tmp_path: Path) -> None:
    text = GOOD.replace('sources = ["rota"]', 'sources = ["rotta"]')
    text += '[[provider.location]]\nid = "1-1234567890"\nname = "Twin"\ncare_types = ["home_care"]\n'
    said = refusal(tmp_path, text)
    assert 'location "1-1234567890": is there twice.' in said
    assert 'there is no source "rotta"; did you mean "rota"?' in said
    assert 'source "rota": no location uses it' in said


def test_one_identifier_cannot_mean_two_locations(tmp_path: Path) -> None:
    text = GOOD.replace('sources = ["rota"]', 'sources = ["rota"]\nidentifiers = ["V1"]')
    text += '[[provider.location]]\nid = "1-99999"\nname = "Twin"\ncare_types = ["home_care"]\nidentifiers = [" v1"]\n'
    assert "another location already goes by one of these identifiers" in refusal(tmp_path, text)


def test_a_secret_in_the_wrong_place_is_not_repeated(tmp_path: Path) -> None:
    text = GOOD.replace('folder = "exports"', 'url = "https://user:hunter2@x.example"\nauth = { kind = "bearer", secret = "hunter2" }')
    assert "hunter2" not in refusal(tmp_path, text)


def test_plain_http_is_taken_on_this_machine_only(tmp_path: Path) -> None:
    assert "must start with https://" in refusal(tmp_path, GOOD.replace('folder = "exports"', 'url = "http://x.example"'))
    config = load(written(tmp_path, GOOD.replace('folder = "exports"', 'url = "http://127.0.0.1:8080"')))
    assert config.source[0].url == "http://127.0.0.1:8080"


@pytest.mark.parametrize("text", ["data_folder = ", "= 1", "[[", "a = 1\na = 2"])
def test_a_file_that_is_not_toml_is_refused_with_its_place(tmp_path: Path, text: str) -> None:
    said = refusal(tmp_path, text)
    assert "this is not valid TOML" in said and "Nothing was read or sent." in said


def test_a_missing_file_and_a_binary_file_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="there is no such file in /"):
        load(tmp_path / "none.toml")
    (tmp_path / "b.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="cannot be read as text"):
        load(tmp_path / "b.toml")


def test_a_secret_file_that_others_can_read_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "s"
    path.write_text("hunter2\n")
    path.chmod(0o644)
    with pytest.raises(ConfigError, match="chmod 600"):
        Secret(file=path).secret_value()
    path.chmod(0o600)
    assert Secret(file=path).secret_value() == "hunter2"
    with pytest.raises(ConfigError, match="cannot be read"):
        Secret(file=tmp_path / "none").secret_value()
    with pytest.raises(ConfigError, match="DSCR_NOT_SET"):
        Secret(env="DSCR_NOT_SET").secret_value()
    monkeypatch.setenv("DSCR_SET", "x")
    assert Secret(env="DSCR_SET").secret_value() == "x"


def test_a_location_is_found_by_id_or_name(tmp_path: Path) -> None:
    config = load(written(tmp_path, GOOD))
    assert config.location(" rose house")[1].id == config.location("1-1234567890")[1].id
    with pytest.raises(ConfigError, match=r"1-1234567890 \(Rose House\)"):
        config.location("Lily House")


def test_only_a_loopback_simulator_counts_as_this_machine(tmp_path: Path) -> None:
    live = load(written(tmp_path, GOOD))
    assert not live.all_on_this_machine()
    simulator = GOOD.replace('channel = "by-hand"', 'channel = "receiver-api"\nenvironment = "simulator"\nurl = "http://127.0.0.1:1"')
    assert load(written(tmp_path, simulator)).all_on_this_machine()
    away = simulator.replace('folder = "exports"', 'url = "https://care.example"')
    assert not load(written(tmp_path, away)).all_on_this_machine()
    assert isinstance(live, Config)


def test_an_order_of_sources_names_tables_items_and_the_locations_own_sources(tmp_path: Path) -> None:
    text = GOOD + 'precedence = { staff_pst = ["rota"], hours = ["payroll"], ch_vax_flu_direct = ["rota"] }\n'
    said = refusal(tmp_path, text)
    assert 'precedence: "staff_pst" is neither a table nor an item; did you mean "staff_post"?' in said
    assert 'precedence, hours: "payroll" is not one of its sources' in said and "ch_vax" not in said


@pytest.mark.parametrize(("old", "new", "said"), [
    ('folder = "exports"', 'folder = "exports"\nurl = "https://a.example"', "needs one of url (a server), folder (files) or sftp"),
    ('folder = "exports"', 'url = "https://a.example"\nwatched = true', "only a folder can be watched"),
    ('folder = "exports"', 'folder = "exports"\nquiet_from = "22:00"', "needs both quiet_from and quiet_to"),
    ('folder = "exports"', 'url = "https://a.example"\nauth = { kind = "client-credentials", client_id = "a", token_url = "https://b.example" }',
     'auth of kind "client-credentials" needs secret, or the source a certificate'),
    ('folder = "exports"', 'url = "https://a.example"\nauth = { kind = "smart-backend", client_id = "a" }', "needs secret"),
    ('folder = "exports"', 'sftp = { host = "a", username = "b", host_key = "ssh-ed25519 AAAA" }', "needs either password or key"),
    ('folder = "exports"', 'sftp = { host = "a", username = "b", password = { env = "P" } }', "host_key: is missing"),
])  # fmt: skip
def test_a_source_that_does_not_hold_together_is_refused(tmp_path: Path, old: str, new: str, said: str) -> None:
    assert said in refusal(tmp_path, GOOD.replace(old, new))


def test_paths_of_certificates_and_keys_are_relative_to_the_file_too(tmp_path: Path) -> None:
    text = GOOD.replace('folder = "exports"', 'url = "https://a.example"\ncertificate = { file = "us.p12", password = { file = "pw" } }')
    certificate = load(written(tmp_path, text)).source[0].certificate
    assert certificate and certificate.file == tmp_path / "us.p12"
    assert certificate.password and certificate.password.file == tmp_path / "pw"


def test_where_returns_may_go_by_the_screens_of_a_platform_they_go_one_after_the_other(tmp_path: Path) -> None:
    fallback = """[[fallback]]
hours_before_close = 48
channel = "portal"
environment = "simulator"
url = "http://127.0.0.1:9"
portal = { script = "script.toml" }
"""
    assert at_a_time(load(written(tmp_path, GOOD)), 4) == 4
    assert at_a_time(load(written(tmp_path, GOOD.replace("[[source]]", f"{fallback}[[source]]"))), 4) == 1
