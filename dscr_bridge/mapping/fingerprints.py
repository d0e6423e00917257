"""The bytes that decide a figure, and one fingerprint over all of them: what a person approves."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path

from dscr_bridge import bundled
from dscr_bridge.mapping.edition import Edition, folder


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
    files = [folder() / name for name in ("definitions.sql", "settings.toml", "campaigns.toml")]
    files += code_files(bundled.mappings() / "codes")
    files += code_files(more_codes) if more_codes is not None else []
    whole = hashlib.sha256(bytes.fromhex(edition.sha256))
    for path in files:
        stood = path.stat()
        whole.update(_digest(path, stood.st_mtime_ns, stood.st_size))
    for part in (*sorted(connectors), json.dumps(dict(settings or {}), sort_keys=True, default=list).encode()):
        whole.update(hashlib.sha256(part).digest())
    return whole.hexdigest()


def code_files(codes: Path) -> list[Path]:
    """Give the files of a folder of code lists, the releases beside them too: what decides which code means what.

    A folder that is not there has none; to load it is refused.
    """
    return sorted(path for path in codes.iterdir() if path.is_file()) if codes.is_dir() else []


@lru_cache(maxsize=256)  # asked for every location; a changed file is another key
def _digest(path: Path, _mtime_ns: int, _size: int) -> bytes:
    return hashlib.sha256(path.read_bytes()).digest()
