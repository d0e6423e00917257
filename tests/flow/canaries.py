"""Searches for canaries: every token and NHS number of the synthetic homes, raw and in the encodings that could hide one."""

import base64
import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from urllib.parse import quote

_TOKEN = re.compile(rb"canary\d{5}zq", re.IGNORECASE)
# The tokens all begin alike, so their beginning tells of any of them in an encoding that keeps the order of bytes.
_START = b"Canary"


def found_in(everything: Mapping[str, bytes], canaries: Iterable[str]) -> list[str]:
    """Name every place that holds a canary, and in which form."""
    needles = _needles(frozenset(canaries))
    return [f"{where}: {form}" for where, content in everything.items() for form in _forms_in(content, needles)]


def _forms_in(content: bytes, needles: tuple[tuple[str, bytes], ...]) -> Iterator[str]:
    if _TOKEN.search(content):
        yield "token"
    digests = set(re.findall(rb"[0-9a-f]{32,}", content.lower()))
    for form, needle in needles:
        if needle in content if form != "digest" else any(needle in digest for digest in digests):
            yield form


@lru_cache(maxsize=4)
def _needles(canaries: frozenset[str]) -> tuple[tuple[str, bytes], ...]:
    numbers = sorted(c for c in canaries if c.isdigit())
    tokens = sorted(canaries - set(numbers))
    assert tokens and numbers and all(_TOKEN.fullmatch(t.encode()) for t in tokens)
    found = [("token in base64", _base64(_START, shift)) for shift in range(3)]
    found += [("token in hex", _START.hex().encode()), ("token in capital hex", _START.hex().upper().encode()),
              ("token reversed", b"yranaC")]  # fmt: skip
    for number in numbers:
        found += [(f"NHS number {form}", needle) for form, needle in _disguises(number)]
        found += [("digest", hashlib.new(kind, number.encode()).hexdigest().encode()) for kind in ("md5", "sha1", "sha256")]
    for token in tokens[::50]:  # hashing says nothing about the token's place, so some stand for all
        found += [("digest", hashlib.new(kind, token.encode()).hexdigest().encode()) for kind in ("md5", "sha1", "sha256")]
    return tuple(found)


def _disguises(number: str) -> Iterator[tuple[str, bytes]]:
    spaced = f"{number[:3]} {number[3:6]} {number[6:]}"
    yield "raw", number.encode()
    yield "spaced", spaced.encode()
    yield "dashed", spaced.replace(" ", "-").encode()
    yield "url-encoded", quote(spaced).encode()
    yield "reversed", number[::-1].encode()
    yield "in hex", number.encode().hex().encode()
    for shift in range(3):
        yield "in base64", _base64(number.encode(), shift)


def _base64(text: bytes, shift: int) -> bytes:
    """Give the part of the base64 of `text` that does not depend on what stands around it, `shift` bytes in."""
    whole = base64.b64encode(b"\0" * shift + text)
    first = -(-shift * 8 // 6)
    last = (shift + len(text)) * 8 // 6
    return whole[first:last]
