"""Decodes only the declared paths of a JSON document: every other key is skipped by the parser and never kept.

A path is names with dots between.  What stands there is text, a number or a truth value; a list or an object is not
what the connector declared.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

_TROUBLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
_NOTHING = msgspec.Raw(b"null")

Items = Callable[[msgspec.Raw], list[str]]


class NotAsDeclared(Exception):
    """The document has another shape than the connector says."""


@dataclass(frozen=True)
class Envelope:
    """One page of a list: its items as they came, the next address or word, and the count of all."""

    items: list[msgspec.Raw]
    next: str
    total: int | None


def envelope(body: bytes, items_path: str, *, next_path: str = "", total_path: str = "") -> Envelope:
    """Open a page.  Raises NotAsDeclared."""
    body = body.removeprefix(b"\xef\xbb\xbf")
    try:
        if not items_path:
            return Envelope(msgspec.json.decode(body, type=list[msgspec.Raw]), "", None)
        paths = [path for path in (items_path, next_path, total_path) if path]
        page = msgspec.json.decode(body, type=_projected(paths))
        found = {path: _followed(page, path) for path in paths}
        held = msgspec.json.decode(found[items_path], type=list[msgspec.Raw])
        following = msgspec.json.decode(found.get(next_path, _NOTHING), type=str | int | None)
        total = msgspec.json.decode(found.get(total_path, _NOTHING), type=int | None)
    except _TROUBLE:
        raise NotAsDeclared from None
    return Envelope(held, "" if following is None else str(following), total)


def items(paths: Iterable[str]) -> Items:
    """Make the function that gives the texts at these paths of one item, nothing as empty; it raises NotAsDeclared."""
    wanted = list(paths)
    decoder = msgspec.json.Decoder(_projected(wanted))

    def cells(raw: msgspec.Raw) -> list[str]:
        try:
            item = decoder.decode(raw)
            return [_text(_followed(item, path)) for path in wanted]
        except _TROUBLE:
            raise NotAsDeclared from None

    return cells


def _text(raw: msgspec.Raw) -> str:
    written = bytes(raw)
    if written[:1] == b'"':
        return msgspec.json.decode(raw, type=str)
    if written[:1] in (b"{", b"["):
        raise msgspec.DecodeError
    return "" if written == b"null" else written.decode("ascii")  # true, false, or a number as it was written


def _projected(paths: Iterable[str]) -> Any:
    tree: dict[str, Any] = {}
    for path in paths:
        here = tree
        for name in path.split("."):
            here = here.setdefault(name, {})
    return _struct(tree)


def _struct(tree: Mapping[str, Any]) -> Any:
    """Make a type that holds the names of a tree and nothing else; a leaf stays as it was written."""
    fields: list[Any] = []
    for number, inner in enumerate(tree.values()):
        kind: Any = _struct(inner) | None if inner else msgspec.Raw
        fields.append((f"f{number}", kind, None if inner else _NOTHING))
    names = {f"f{number}": name for number, name in enumerate(tree)}
    positions = {name: field for field, name in names.items()}
    return msgspec.defstruct("Declared", fields, rename=names, gc=False, namespace={"positions": positions})


def _followed(item: Any, path: str) -> msgspec.Raw:
    for name in path.split("."):
        if item is None:
            return _NOTHING
        item = getattr(item, type(item).positions[name])
    return item if isinstance(item, msgspec.Raw) else _NOTHING
