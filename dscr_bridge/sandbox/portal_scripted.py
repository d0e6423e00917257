"""Pages of the simulated portal that a script alters: as web applications do that draw their pages in the browser."""

import json

_QUIET = "default-src 'none'; style-src 'unsafe-inline'"


def late(page: str, seconds: float) -> str:
    """Let the form, or the sections, of a page come only so long after the page itself has arrived."""
    tag = "form" if "<form" in page else "section"
    begins, ends = page.index(f"<{tag}"), page.rindex(f"</{tag}>") + len(f"</{tag}>")
    come = (f'const t = document.getElementById("late"); setTimeout(() => t.replaceWith(t.content), {_ms(seconds)});')
    held_back = f'<template id="late">{page[begins:ends]}</template>'
    return _scripted(f"{page[:begins]}{held_back}{page[ends:]}", come)


def touching(page: str, name: str, seconds: float) -> str:
    """Let typing in any field change another one, so long afterwards."""
    touch = (
        f"const other = document.getElementsByName({json.dumps(name)})[0];"
        'document.forms[0].addEventListener("input", e => { if (e.target !== other) '
        f'setTimeout(() => {{ other.value = "Changed by the page"; }}, {_ms(seconds)}); }});'
    )
    return _scripted(page, touch)


def _ms(seconds: float) -> int:
    return round(seconds * 1000)


def _scripted(page: str, script: str) -> str:
    allowed = page.replace(_QUIET, f"{_QUIET}; script-src 'unsafe-inline'", 1)
    return allowed.replace("</body>", f"<script>{script}</script></body>", 1)
