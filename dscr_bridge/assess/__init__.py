"""Assess: the conformance kit for one source: what it can give of a return, how well, and what to mend.

    assess(bridge, "care-record") -> Assessment
    as_document(assessment) -> plain JSON values        as_page(assessment) -> a page to print
    shown(assessment) -> what a terminal shows          write(assessment, folder) -> where both were written

An assessment is made to be handed to a supplier: it holds no figure and no value of a record.  Of a fault only the
resource type, the path of an element that FHIR or the connector names, and a rule of ours leave; numbers under six are
not told, others are rounded to five.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dscr_bridge.assess.document import as_document
    from dscr_bridge.assess.page import Written, as_page, write
    from dscr_bridge.assess.shape import Assessment, Grade
    from dscr_bridge.assess.taking import assess
    from dscr_bridge.assess.terminal import shown

__all__ = ["Assessment", "Grade", "Written", "as_document", "as_page", "assess", "shown", "write"]

_LATER = {"Assessment": "shape", "Grade": "shape", "Written": "page", "as_document": "document", "as_page": "page",
          "assess": "taking", "shown": "terminal", "write": "page"}  # fmt: skip


def __getattr__(name: str) -> Any:
    """Import a part when it is first asked for: the judge's process needs none of the flow."""
    if name not in _LATER:
        raise AttributeError(name)
    from importlib import import_module

    return getattr(import_module(f"dscr_bridge.assess.{_LATER[name]}"), name)
