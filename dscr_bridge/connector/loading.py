"""Finds and reads a connector file: a name means the shipped one, a path means that file or folder."""

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from dscr_bridge import bundled
from dscr_bridge.connector.build import built
from dscr_bridge.connector.document import Document
from dscr_bridge.connector.shape import Connector
from dscr_bridge.connector.sources import view_mistakes
from dscr_bridge.errors import DefinitionError
from dscr_bridge.mistakes import Mistake, described, listed, nearest
from dscr_bridge.privacy import Codes

_FILE = "connector.toml"


def load(name_or_path: str | Path, national: Mapping[str, Codes]) -> Connector:
    """Load a connector by its shipped name, or by the path of its folder or file.

    `national` are the code lists of `mappings/codes`, by id.  Raises DefinitionError with every mistake at once: the
    file, the place in it, what was expected and the nearest valid word.
    """
    path = _found(name_or_path)
    content = _read(path)
    document = _parsed(path, content)
    mistakes: list[Mistake] = []
    like = load(document.like, national) if document.like and document.like != document.name else None
    connector = built(document, path, content, national, mistakes, like)
    # The views of a shipped connector are compiled by the tests; one that a person wrote is tried before it is used.
    if not mistakes and not path.is_relative_to(bundled.connectors()):
        mistakes = list(view_mistakes(connector))
    if mistakes:
        raise _refusal(path, mistakes)
    return connector


def fingerprint_bytes(connector: Connector) -> bytes:
    """Give the bytes of the connector file, for the fingerprint of the definitions that counted a return."""
    return connector.content


def _found(name_or_path: str | Path) -> Path:
    text = str(name_or_path)
    if isinstance(name_or_path, Path) or "/" in text or "\\" in text:
        path = Path(text)
        return path / _FILE if path.is_dir() else path
    path = bundled.connectors() / text / _FILE
    if not path.is_file():
        shipped = sorted(p.parent.name for p in bundled.connectors().glob(f"*/{_FILE}"))
        raise DefinitionError(f'Connector "{text}"', f"no connector of that name is shipped{nearest(text, shipped)}",
                              "Nothing was read or sent.", "Give a shipped name, or the path of your own connector.")
    return path


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        raise DefinitionError(str(path), "the connector file cannot be read.", "Nothing was read or sent.",
                              "Check that it is there and that the account that runs the bridge may read it.") from None


def _parsed(path: Path, content: bytes) -> Document:
    raw = _toml(path, content)
    try:
        return Document.model_validate(raw)
    except ValidationError as refused:
        raise _refusal(path, described(refused, Document, raw)) from None


def _toml(path: Path, content: bytes) -> dict[str, Any]:
    try:
        return tomllib.loads(content.decode("utf-8-sig"))
    except UnicodeDecodeError:
        raise _refusal(path, [Mistake("the file", "is not UTF-8 text.")]) from None
    except tomllib.TOMLDecodeError as refused:
        place = re.search(r"\(at (line \d+, column \d+|end of document)\)", str(refused))
        raise _refusal(path, [Mistake(place[1] if place else "the file", "is not valid TOML.")]) from None


def _refusal(path: Path, mistakes: list[Mistake]) -> DefinitionError:
    return DefinitionError(str(path), listed(mistakes), "Nothing was read or sent.",
                           "Mend the connector and run: dscr-bridge validate")
