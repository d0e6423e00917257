"""The words of an explanation, by the part of `funnel.sql` and the step in it: data (`funnel.toml`)."""

import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from dscr_bridge.mapping.edition import folder
from dscr_bridge.mapping.mistakes import nearest, refused
from dscr_bridge.mapping.reading import document_of

_QUOTED = re.compile(r"'([a-z_]+)'")
START = "start"
ELSEWHERE = "elsewhere"  # counted in another cell of the same measure: no statement tells it, the item does


@cache
def funnel_parts() -> Mapping[str, str]:
    """Give the statements of `funnel.sql` by the name of their part."""
    text = (folder() / "funnel.sql").read_text("utf-8")
    pieces = re.split(r"^-- part (.+)$", text, flags=re.MULTILINE)
    return dict(zip(pieces[1::2], pieces[2::2], strict=True))


@cache
def funnel_words(path: Path | None = None) -> Mapping[str, Mapping[str, str]]:
    """Load `funnel.toml`.  Raises DefinitionError with every mistake: each part and step is one of `funnel.sql`."""
    source = path or folder() / "funnel.toml"
    document, parts = document_of(source), funnel_parts()
    mistakes = [f"{part}: is missing" for part in parts if part not in document]
    for part, words in document.items():
        if part not in parts:
            mistakes.append(f"{part}: is no part of funnel.sql{nearest(part, parts)}")
        else:
            mistakes += _mistakes(part, words, {START, ELSEWHERE, *_QUOTED.findall(parts[part])})
    if mistakes:
        raise refused(source, mistakes)
    return document


def _mistakes(part: str, words: Any, steps: set[str]) -> Iterator[str]:
    if not isinstance(words, dict) or START not in words:
        yield f"{part}: must be a table with a sentence for {START}"
        return
    for step, says in words.items():
        if step not in steps:
            yield f"{part}, {step}: is no step of that part{nearest(step, steps)}"
        elif not isinstance(says, str) or not says:
            yield f"{part}, {step}: must be a sentence"
