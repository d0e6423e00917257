"""A signed receipt shows whether a byte of it was changed since, to anybody who has the public key."""

import json
import subprocess
import sys
from datetime import UTC, datetime

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from dscr_bridge import config as configuration
from dscr_bridge import signing
from dscr_bridge.errors import ConfigError
from dscr_bridge.opening import opened
from dscr_bridge.returns import canonical
from dscr_bridge.sandbox import homes, settings
from dscr_bridge.world import World

# RFC 8032, 7.1, test 2: the seed and its public key.
SEED = bytes.fromhex("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb")
PUBLIC = bytes.fromhex("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c")
DOCUMENT = {"format": "dscr-bridge receipt 1", "location": "1-1000000001", "sections": [{"figures": [{"value": 3}]}]}


def pem(key) -> str:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


@pytest.fixture
def key():
    return signing.load_key(pem(ed25519.Ed25519PrivateKey.from_private_bytes(SEED)))


def test_a_signed_receipt_holds_and_says_by_whom(key):
    made = json.loads(json.dumps(signing.signed(DOCUMENT, key)))
    assert signing.holds(made) and signing.holds(made, signing.public_key_of(key))
    assert made["signature"]["algorithm"] == "Ed25519"
    assert key.public_key().public_bytes_raw() == PUBLIC
    assert signing.signed(made, key) == made


@pytest.mark.parametrize("change", [
    lambda d: d["sections"][0]["figures"][0].update(value=4),
    lambda d: d.update(location="1-1000000002"),
    lambda d: d.update(added=1),
    lambda d: d.pop("format"),
    lambda d: d["signature"].update(algorithm="none"),
    lambda d: d["signature"].update(value="AAAA"),
    lambda d: d["signature"].update(value="not base64"),
    lambda d: d["signature"].update(public_key="AAAA"),
    lambda d: d["signature"].pop("public_key"),
    lambda d: d.update(signature=None),
    lambda d: d.pop("signature"),
])
def test_whatever_is_changed_is_seen(key, change):
    made = json.loads(json.dumps(signing.signed(DOCUMENT, key)))
    change(made)
    assert not signing.holds(made)


def test_another_key_is_another_provider(key):
    other = signing.signed(DOCUMENT, ed25519.Ed25519PrivateKey.generate())
    assert signing.holds(other) and not signing.holds(other, signing.public_key_of(key))


@pytest.mark.parametrize("text", ["", "no key", pem(ec.generate_private_key(ec.SECP256R1()))])
def test_another_kind_of_key_is_refused_without_a_word_of_it(text):
    with pytest.raises(ConfigError) as error:
        signing.load_key(text)
    assert "Ed25519" in error.value.what
    assert not any(line in str(error.value) for line in text.splitlines() if line)


def test_a_receipt_is_signed_where_a_key_is_configured_and_checked_by_the_command_line(tmp_path, key):
    expected = homes.write_homes(tmp_path / "homes", datetime(2026, 11, 9, 12, tzinfo=UTC))
    config = settings.write_settings(tmp_path, expected)
    secret = tmp_path / "receipt-key.pem"
    secret.write_text(pem(key))
    secret.chmod(0o600)
    config.write_text(config.read_text().replace('data_folder = "data"', 'data_folder = "data"\nreceipt_key.file = "receipt-key.pem"', 1))
    with opened(configuration.load(config), World(now=lambda: datetime(2026, 11, 9, 12, tzinfo=UTC), simulated=True)) as bridge:
        assert signing.public_key_of(bridge.receipt_key) == signing.public_key_of(key)
    good, bad = tmp_path / "good.json", tmp_path / "bad.json"
    good.write_bytes(canonical(signing.signed(DOCUMENT, key)))
    bad.write_bytes(canonical(signing.signed(DOCUMENT, key) | {"location": "1-1000000009"}))
    check = [sys.executable, "-m", "dscr_bridge", "--config", str(config), "verify", "--public-key", signing.public_key_of(key)]
    fine = subprocess.run([*check, "--receipt", str(good)], capture_output=True, text=True)
    assert fine.returncode == 0 and "good.json: ✓ the signature holds." in fine.stdout
    both = subprocess.run([*check, "--receipt", str(good), "--receipt", str(bad)], capture_output=True, text=True)
    assert both.returncode == 1 and "bad.json: ✗" in both.stdout
    secret.write_text("no key")
    with pytest.raises(ConfigError, match="Ed25519"), opened(configuration.load(config), World(simulated=True)):
        pass
