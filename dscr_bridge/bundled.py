"""Where the definitions and connectors that ship with the program are: in the package, else in the checkout.

A wheel carries a copy under `_bundled`; an editable install and a plain checkout have the folders beside the package.
"""

from functools import cache
from pathlib import Path

_HERE = Path(__file__).parent


def mappings() -> Path:
    """The folder of the shipped definitions."""
    return _folder("mappings")


def connectors() -> Path:
    """The folder of the shipped connectors."""
    return _folder("connectors")


@cache  # a running program does not move
def _folder(name: str) -> Path:
    packaged = _HERE / "_bundled" / name
    return packaged if packaged.is_dir() else _HERE.parent / name
