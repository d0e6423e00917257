"""Takes the body of an answer apart while counting, so that a small answer cannot grow without end."""

import zlib
from collections.abc import Callable, Iterable, Iterator


class TooLarge(Exception):
    """More than was allowed."""


class Unpackable(Exception):
    """Packed in a way that was not asked for, or broken."""


def unpacked(raw: Iterable[bytes], encoding: str, most: int, checked: Callable[[int], None]) -> Iterator[bytes]:
    """Give the chunks of a body, plain or gzipped.

    `checked` is told the size of each chunk.  Raises TooLarge beyond `most` bytes, Unpackable.
    """
    encoding = encoding.strip().lower()
    if encoding not in ("identity", "", "gzip"):
        raise Unpackable("not_asked_for")
    unzip = zlib.decompressobj(31) if encoding == "gzip" else None
    size = 0
    for packed in raw:
        while packed:
            try:
                chunk = unzip.decompress(packed, max(most - size, 0) + 1) if unzip else packed
            except zlib.error:
                raise Unpackable("broken") from None
            packed = unzip.unconsumed_tail if unzip else b""
            size += len(chunk)
            if size > most:
                raise TooLarge
            checked(len(chunk))
            yield chunk
    if unzip is not None and size and not unzip.eof:
        raise Unpackable("broken")
