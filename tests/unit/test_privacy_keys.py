"""Keys live for one run, and NHS numbers are only ever keyed hashes."""

import hashlib
import os
import subprocess
import sys
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dscr_bridge.privacy import Decoding, Keys, nhs_number, record_keys
from dscr_bridge.privacy.keys import blake2b, siphash
from dscr_bridge.privacy.numbers import check_digit_passes
from dscr_bridge.returns import LocationId
from dscr_bridge.views.values import References

AS_AT = datetime(2026, 11, 9, 12, tzinfo=UTC)
HOME = LocationId("1-1000000001")


def decoding(keys: Keys | None = None) -> Decoding:
    return Decoding("dscr", keys or Keys(bytes(32)), AS_AT, {"1-1000000001": HOME, "ODS01": HOME}, provider="1-9")


def test_two_runs_have_no_key_in_common() -> None:
    values = [str(n) for n in range(500)]
    one, other = Keys(b"a" * 32), Keys(b"b" * 32)
    assert not {one.token("person", "s", v) for v in values} & {other.token("person", "s", v) for v in values}


def test_a_key_fits_64_bits_and_names_one_value_of_one_scope_and_realm() -> None:
    keys = Keys(bytes(32))
    tokens = {keys.token(scope, realm, v) for scope in "ab" for realm in "cd" for v in ("1", "2", "ü", "\ud800")}
    assert len(tokens) == 16
    assert all(-(2**63) <= t < 2**63 for t in tokens)
    assert keys.token("a", "c", "1") == Keys(bytes(32)).token("a", "c", "1")


@given(st.binary(min_size=32, max_size=32), st.text())
def test_without_siphash_a_key_is_the_keyed_blake2b_hash_of_scope_realm_and_value(run_key: bytes, value: str) -> None:
    text = f"person|dscr|{value}".encode("utf-8", "surrogatepass")
    whole = hashlib.blake2b(text, key=run_key, digest_size=8).digest()
    assert blake2b(run_key, "person|dscr|")(value) == int.from_bytes(whole, "big", signed=True)


@given(st.binary(min_size=32, max_size=32), st.text())
def test_a_key_is_made_by_siphash_of_run_key_scope_realm_and_value(run_key: bytes, value: str) -> None:
    assert sys.hash_info.algorithm.startswith("siphash")
    key = Keys(run_key).token("person", "dscr", value)
    assert key == siphash(run_key, "person|dscr|")(value) == hash(f"{run_key.decode('latin-1')}person|dscr|{value}")


def test_with_a_hash_seed_that_everybody_knows_a_key_cannot_be_found_without_the_run_key() -> None:
    code = ("import sys; from dscr_bridge.privacy import Keys; "
            "print(Keys(bytes.fromhex(sys.argv[1])).token('nhs-number', '', '9990000018'))")  # fmt: skip

    def told(run_key: str) -> str:
        done = subprocess.run([sys.executable, "-c", code, run_key], env={**os.environ, "PYTHONHASHSEED": "0"}, check=True, capture_output=True)
        return done.stdout.decode()

    assert told("61" * 32) == told("61" * 32) != told("62" * 32)


def test_a_run_key_of_another_length_is_refused() -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        Keys(b"short")


def test_a_run_key_is_not_shown() -> None:
    assert b"secret".hex() not in repr(decoding(Keys(b"secret" + bytes(26))))
    assert "secret" not in repr(decoding(Keys(b"secret" + bytes(26))))


def test_a_location_is_found_by_any_identifier_whatever_its_case_and_outer_spaces() -> None:
    assert [decoding().site(name) for name in (" ods01 ", "1-1000000001", "ODS02")] == [HOME, HOME, None]


def test_workers_are_joined_within_a_provider_and_numbers_everywhere_and_all_else_within_its_source() -> None:
    assert [decoding().realm(s) for s in ("worker", "nhs-number", "person")] == ["1-9", "", "dscr"]


def test_a_reference_has_the_key_of_the_resource_it_names() -> None:
    keys = record_keys(decoding())
    patient, anything = References("Patient", keys), References(None, keys)
    assert keys("Patient")("p1") == patient["Patient/p1"] == patient["https://a.example/Patient/p1"] == anything["Patient/p1"]
    assert keys("Patient")("p1") != keys("Location")("p1") == anything["Location/p1"]
    assert (patient["Location/p1"], anything["None/p1"]) == (None, None)
    assert anything["urn:uuid:0c3151bd-1cbf-4d64-b04d-cd9187a4c6e0"] is not None


@pytest.mark.parametrize("text", ["9434765919", "943 476 5919", " 943-476-5919 "])
def test_an_nhs_number_is_read_plain_or_grouped(text: str) -> None:
    number = nhs_number(text)
    assert number == ("9434765919", False)


@pytest.mark.parametrize("text", ["", "943476591", "94347659190", "943476591X", "943/476/5919", "\u0669434765919"])
def test_what_is_not_ten_digits_is_not_an_nhs_number(text: str) -> None:
    assert nhs_number(text) is None


@pytest.mark.parametrize("digit", "0123456789")
def test_repeated_digits_pass_the_check_digit_and_are_placeholders(digit: str) -> None:
    number = nhs_number(digit * 10)
    assert number is not None
    assert number.placeholder
    assert check_digit_passes(digit * 10)


def test_a_wrong_check_digit_cannot_join_two_persons() -> None:
    number = nhs_number("9434765918")
    assert number is not None
    assert number.placeholder


@given(st.integers(0, 999_999_999))
def test_at_most_one_check_digit_fits_any_nine_digits(nine: int) -> None:
    fitting = [d for d in "0123456789" if check_digit_passes(f"{nine:09}{d}")]
    weighted = sum(int(c) * w for c, w in zip(f"{nine:09}", range(10, 1, -1), strict=True)) % 11
    assert fitting == ([] if weighted == 1 else [str((11 - weighted) % 11)])
