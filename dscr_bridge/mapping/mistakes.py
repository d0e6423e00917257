"""Words for mistakes in mapping files: the file, the place in it, what was expected, the nearest valid word."""

import difflib
from collections.abc import Iterable
from pathlib import Path

from dscr_bridge.errors import DefinitionError


def nearest(word: str, known: Iterable[str]) -> str:
    """Say which known word was probably meant, or which words there are when few; else nothing."""
    words = sorted(known)
    close = difflib.get_close_matches(word, words, n=1, cutoff=0.5)
    if close:
        return f'; did you mean "{close[0]}"?'
    return f"; it can be one of: {', '.join(words)}" if 0 < len(words) <= 12 else ""


def unreadable(path: Path, fault: Exception) -> DefinitionError:
    """Make the error of a file that cannot be read as TOML."""
    what = "is not valid TOML: " + str(fault) if isinstance(fault, ValueError) else "cannot be read"
    do = "Mend the file and run `dscr-bridge validate` again."
    return DefinitionError(path.name, what, "Nothing was counted.", do)


def refused(path: Path, mistakes: Iterable[str]) -> DefinitionError:
    """Make one error of all the mistakes found in a file."""
    listed = "\n".join(f"  - {mistake}" for mistake in mistakes)
    return DefinitionError(
        path.name, f"has mistakes:\n{listed}", "Nothing was counted.",
        "Mend them and run `dscr-bridge validate` again.",
    )  # fmt: skip
