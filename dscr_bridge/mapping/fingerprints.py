"""The bytes that decide a figure, and one fingerprint over all of them: what a person approves."""

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path

from dscr_bridge import bundled
from dscr_bridge.mapping.edition import Edition, folder

_Stands = tuple[str, int, int]  # a file, when it was changed, its size


def definitions_sql() -> str:
    """The definitions: canonical tables in, the measures of the item language out."""
    return (folder() / "definitions.sql").read_text("utf-8")


def fingerprint(
    edition: Edition, connectors: Iterable[bytes] = (), settings: Mapping[str, object] | None = None,
    more_codes: Path | None = None,
) -> str:
    """Fingerprint everything that decides a figure (SHA-256, hexadecimal).

    It covers the edition, definitions.sql, the settings and their defaults, the campaigns, the code lists and those
    of the folder `more_codes`, the bytes of the connectors in use and the provider's own settings.  The order of
    connectors does not matter.
    """
    here = str(folder())
    files = [_stands(f"{here}/{name}") for name in ("definitions.sql", "settings.toml", "campaigns.toml")]
    files += _standing(bundled.mappings() / "codes")
    files += _standing(more_codes) if more_codes is not None else []
    whole = hashlib.sha256(bytes.fromhex(edition.sha256))
    whole.update(_digests(tuple(files)))
    for part in (*sorted(connectors), json.dumps(dict(settings or {}), sort_keys=True, default=list).encode()):
        whole.update(hashlib.sha256(part).digest())
    return whole.hexdigest()


def code_files(codes: Path) -> list[Path]:
    """Give the files of a folder of code lists, the releases beside them too: what decides which code means what.

    A folder that is not there has none; to load it is refused.
    """
    return sorted(path for path in codes.iterdir() if path.is_file()) if codes.is_dir() else []


def _standing(codes: Path) -> list[_Stands]:
    """Give what `code_files` gives, with when each was changed: it is asked for every location."""
    if not codes.is_dir():
        return []
    with os.scandir(codes) as entries:
        return [_stands(path) for path in sorted(entry.path for entry in entries if entry.is_file())]


def _stands(path: str) -> _Stands:
    stood = os.stat(path)
    return path, stood.st_mtime_ns, stood.st_size


@lru_cache(maxsize=32)  # a changed file is another key
def _digests(files: tuple[_Stands, ...]) -> bytes:
    return b"".join(hashlib.sha256(Path(path).read_bytes()).digest() for path, _, _ in files)
