"""The stable JSON form of a prepared return: one line a return, for tools.

Its keys are a contract (see `docs/reference/preview.md`); values stand here and in the submission only, never in logs.
"""

from typing import Any

from dscr_bridge.preparing import Prepared
from dscr_bridge.returns import Figure, figures_sha256, instant, number


def document(prepared: Prepared) -> dict[str, Any]:
    """Write a prepared return as plain JSON values."""
    ret, obligation = prepared.figures, prepared.obligation
    return {
        "location": obligation.location,
        "care_type": obligation.care_type,
        "window": obligation.window,
        "in_window": ret.in_window,
        "edition": ret.edition,
        "as_at": instant(ret.as_at),
        "items": {f.item: _item(f) for f in ret.figures},
        "context": dict(ret.context),
        "diagnostics": dict(ret.diagnostics),
        "problems": [{"rule": p.rule, "level": p.level, "message": p.message} for p in prepared.problems],
        "sources_failed": {name: type(errors[0]).__name__ for name, errors in sorted(prepared.failures.items())},
        "can_submit": prepared.passed is not None,
        "fingerprint": ret.fingerprint,
        "payload_sha256": figures_sha256(ret),
    }


def _item(figure: Figure) -> dict[str, Any]:
    return {
        "state": figure.state,
        "value": number(figure.value),
        "complete": figure.complete,
        "by": dict(figure.by) if figure.by is not None else None,
        "by_complete": figure.by_complete,
        "source": figure.source,
        "grade": figure.grade,
        "reason": figure.reason,
        "counted_value": number(figure.counted_value),
    }
