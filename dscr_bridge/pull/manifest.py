"""What a finished bulk export says it made: read tolerantly, and no word of it repeated.

Sources: Bulk Data Access STU 2 (2.0.0), and its draft STU 4, in which `error` is called `outcome` and a long manifest
comes in parts with a next link.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

import msgspec

from dscr_bridge.views.elements import resource_types


class _Item(msgspec.Struct, gc=False):
    type: str | None = None
    url: str | None = None
    count: int | None = None


class _Link(msgspec.Struct, gc=False):
    relation: str | None = None
    url: str | None = None


class _Manifest(msgspec.Struct, gc=False):
    transactionTime: str | None = None
    requiresAccessToken: bool | None = None
    output: list[_Item] | None = None
    error: list[_Item] | None = None
    outcome: list[_Item] | None = None
    link: list[_Link] | None = None


class _Issue(msgspec.Struct, gc=False):
    severity: str | None = None
    expression: list[str] | None = None


class _Outcome(msgspec.Struct, gc=False):
    issue: list[_Issue] | None = None


@dataclass(frozen=True)
class Output:
    """A file of one resource type, and how many resources the server says are in it."""

    resource: str
    url: str
    count: int | None


@dataclass(frozen=True)
class Manifest:
    """What was made: files, files about errors, and the one moment of which all of them speak."""

    outputs: tuple[Output, ...]
    errors: tuple[str, ...]
    at: datetime | None
    needs_login: bool
    next: str | None


class NoManifest(Exception):
    """Something else."""


def manifest(body: bytes) -> Manifest:
    """Read a manifest.  Raises NoManifest."""
    try:
        said = msgspec.json.decode(body, type=_Manifest)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise NoManifest from None
    if said.output is None and said.error is None and said.outcome is None:
        raise NoManifest
    if any(item.type is None or not item.url for item in said.output or ()):
        raise NoManifest
    outputs = tuple(Output(item.type or "", item.url or "", item.count) for item in said.output or ())
    errors = tuple(item.url or "" for item in (*(said.error or ()), *(said.outcome or ())))
    following = next((link.url for link in said.link or () if link.relation == "next"), None)
    # Where it does not say, the login goes with the question; to our own origin only, whatever it says.
    return Manifest(outputs, errors, _instant(said.transactionTime), said.requiresAccessToken is not False, following)


def spoilt_types(lines: Iterable[bytes]) -> frozenset[str] | None:
    """Say which resource types a file about errors speaks of; None where it does not say, so that it could be any.

    Only the element paths of its issues are looked at, never their text.  What is below an error spoils nothing.
    """
    spoilt: set[str] = set()
    for line in filter(bytes.strip, lines):
        try:
            issues = msgspec.json.decode(line, type=_Outcome).issue
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return None
        for issue in issues or [_Issue()]:
            if issue.severity in ("information", "warning"):
                continue
            types = {path.partition(".")[0] for path in issue.expression or ()}
            if not types or not types <= resource_types():
                return None
            spoilt |= types
    return frozenset(spoilt)


def _instant(said: str | None) -> datetime | None:
    try:
        at = datetime.fromisoformat(said or "")
    except ValueError:
        return None
    return at.astimezone(UTC) if at.tzinfo else None
