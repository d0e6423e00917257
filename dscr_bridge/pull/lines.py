"""NDJSON in whole lines, block by block, in constant memory."""

from collections.abc import Iterable, Iterator

LONGEST_LINE = 10 * 1024 * 1024  # bytes of one resource
_BOM = b"\xef\xbb\xbf"


class LineTooLong(Exception):
    """A line that never ends."""


def blocks(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Give blocks of whole lines; only the last can lack its line end.  Raises LineTooLong."""
    rest = b""
    first = True
    for chunk in chunks:
        if first:
            chunk, first = chunk.removeprefix(_BOM), False
        end = chunk.rfind(b"\n") + 1
        if end:
            yield rest + chunk[:end]
            rest = chunk[end:]
        else:
            rest += chunk
        if len(rest) > LONGEST_LINE:
            raise LineTooLong
    if rest.strip():
        yield rest
