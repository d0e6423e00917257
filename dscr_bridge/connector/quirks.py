"""The switches of the ways in: which there are and what each can be set to, in a connector or by one source of it."""

from collections.abc import Callable, Mapping

from dscr_bridge.mistakes import nearest
from dscr_bridge.views.elements import resource_types

Setting = str | int | bool


def mistake_in(name: str, value: Setting) -> str | None:
    """Say what is wrong with a switch and its value; None where nothing is."""
    if name not in _KNOWN:
        return f"is not a switch of any way in{nearest(name, _KNOWN)}"
    return _KNOWN[name](value)


def _one_of(*words: str) -> Callable[[Setting], str | None]:
    def check(value: Setting) -> str | None:
        return None if value in words else f"must be one of {', '.join(words)}{nearest(str(value), words)}"

    return check


def _truth(value: Setting) -> str | None:
    return None if isinstance(value, bool) else "must be true or false."


def _text(value: Setting) -> str | None:
    return None if isinstance(value, str) else "must be text in quotes."


def _types(value: Setting) -> str | None:
    """Resource types with blanks between."""
    if not isinstance(value, str):
        return "must be text in quotes."
    wrong = [word for word in value.split() if word not in resource_types()]
    return f'"{wrong[0]}" is not a FHIR resource type{nearest(wrong[0], resource_types())}' if wrong else None


def _origin(value: Setting) -> str | None:
    fine = isinstance(value, str) and (not value or value.startswith(("https://", "http://")))
    return None if fine else "must be an address, for example https://files.example.org, or empty."


_KNOWN: Mapping[str, Callable[[Setting], str | None]] = {
    "ask": _one_of("ours", "everything"),             # fhir_search: by our own locations, or each type whole
    "skip": _types,                                   # fhir_search, bulk_export: types never to ask for
    "export": _one_of("system", "group", "patient"),  # bulk_export
    "group": _text,                                   # bulk_export: the id of the group
    "elements": _truth,                               # bulk_export: ask for the elements that are read alone
    "files_from": _origin,                            # bulk_export: where the files are
}
