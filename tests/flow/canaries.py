"""Searches for canaries: every token and NHS number of the synthetic homes, raw and in the encodings that could hide one."""

import base64
import hashlib
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from functools import lru_cache
from urllib.parse import quote

_TOKEN = re.compile(rb"canary\d{5}zq", re.IGNORECASE)
# Nobody in the homes was born after 1940, and nothing else is so old.
_BIRTHDAY = re.compile(rb"\b19[0-3]\d-[01]\d-[0-3]\d\b|\b[0-3]\d/[01]\d/19[0-3]\d\b")
# The tokens all begin alike, so their beginning tells of any of them in an encoding that keeps the order of bytes.
_START = b"Canary"


def found_in(everything: Mapping[str, bytes], canaries: Iterable[str]) -> list[str]:
    """Name every place that holds a canary, and in which form."""
    needles = _needles(frozenset(canaries))
    return [f"{where}: {form}" for where, content in everything.items() for form in _forms_in(content, needles)]


def _forms_in(content: bytes, needles: Mapping[str, frozenset[bytes]]) -> Iterator[str]:
    if _TOKEN.search(content):
        yield "token"
    if _BIRTHDAY.search(content):
        yield "birth date"
    digests = b" ".join(set(re.findall(rb"[0-9a-f]{32,}", content.lower())))
    for form, those in needles.items():
        searched = digests if form == "digest" else content
        if _shared(those) in searched and any(needle in searched for needle in those):
            yield form


@lru_cache(maxsize=64)
def _shared(needles: frozenset[bytes]) -> bytes:
    """Give what all needles begin or end with: where that is not, none of them is, and the search is quick."""
    return max(_beginning(needles), _beginning([needle[::-1] for needle in needles])[::-1], key=len)


def _beginning(needles: Collection[bytes]) -> bytes:
    first, last = min(needles), max(needles)  # what these two begin with, all between them begin with
    same = next((n for n, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), min(len(first), len(last)))
    return first[:same]


@lru_cache(maxsize=4)
def _needles(canaries: frozenset[str]) -> Mapping[str, frozenset[bytes]]:
    numbers = sorted(c for c in canaries if c.isdigit())
    tokens = sorted(canaries - set(numbers))
    assert tokens and numbers and all(_TOKEN.fullmatch(t.encode()) for t in tokens)
    found: dict[str, set[bytes]] = {
        **{f"token in base64 {shift}": {_base64(_START, shift)} for shift in range(3)},
        "token in hex": {_START.hex().encode()}, "token in capital hex": {_START.hex().upper().encode()},
        "token reversed": {b"yranaC"},
        # A hash says nothing of what the tokens have in common, so some of them stand for all.
        "digest": {hashlib.new(kind, text.encode()).hexdigest().encode() for text in (*numbers, *tokens[::50])
                   for kind in ("md5", "sha1", "sha256")},
    }  # fmt: skip
    for number in numbers:
        for form, needle in _disguises(number):
            found.setdefault(f"NHS number {form}", set()).add(needle)
    return {form: frozenset(those) for form, those in found.items()}


def _disguises(number: str) -> Iterator[tuple[str, bytes]]:
    spaced = f"{number[:3]} {number[3:6]} {number[6:]}"
    yield "raw", number.encode()
    yield "spaced", spaced.encode()
    yield "dashed", spaced.replace(" ", "-").encode()
    yield "url-encoded", quote(spaced).encode()
    yield "reversed", number[::-1].encode()
    yield "in hex", number.encode().hex().encode()
    for shift in range(3):
        yield f"in base64 {shift}", _base64(number.encode(), shift)


def _base64(text: bytes, shift: int) -> bytes:
    """Give the part of the base64 of `text` that does not depend on what stands around it, `shift` bytes in."""
    whole = base64.b64encode(b"\0" * shift + text)
    first = -(-shift * 8 // 6)
    last = (shift + len(text)) * 8 // 6
    return whole[first:last]
