"""Let a package offer names that are imported when first asked for: a command starts without what it does not use."""

import sys
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import Any


def later(package: str, parts: Mapping[str, Sequence[str]]) -> Callable[[str], Any]:
    """Make the `__getattr__` of a package (PEP 562); `parts` says which of its modules has which names.

    No module may have the name of something that is offered: whoever imports the module would replace it.
    """
    place = {name: part for part, names in parts.items() for name in names}

    def get(name: str) -> Any:
        if name not in place:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        found = getattr(import_module(f"{package}.{place[name]}"), name)
        setattr(sys.modules[package], name, found)
        return found

    return get
