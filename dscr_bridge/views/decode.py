"""Decode pages and lines into projected resources and give them to the generated readers.

Rule: the text of a decoding error quotes what it could not read, so none leaves this module; only the path of an
element that a view names, and a kind, do.  A page or block that fails is read again entry by entry, so that one bad
resource costs itself and no other.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import msgspec

from dscr_bridge.views.elements import resource_types
from dscr_bridge.views.generate import Bind
from dscr_bridge.views.project import structs, union
from dscr_bridge.views.shapes import Page, Sink, Undecodable
from dscr_bridge.views.steps import Node

Outcomes = tuple[tuple[str, str], ...]

BOM = b"\xef\xbb\xbf"
_AT = re.compile(r" - at `\$((?:\.[A-Za-z_]\w*|\[(?:\.\.\.|\d+)\])*)`$")
# msgspec raises UnicodeDecodeError for text that is not UTF-8 and RecursionError for absurd nesting.
_TROUBLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)

# The closed codes of an OperationOutcome (FHIR R4 issue-severity and issue-type); any other word is not repeated.
_SEVERITIES = frozenset(("fatal", "error", "warning", "information"))
_ISSUES = frozenset((
    "invalid", "structure", "required", "value", "invariant", "security", "login", "unknown", "expired",
    "forbidden", "suppressed", "processing", "not-supported", "duplicate", "multiple-matches", "not-found",
    "deleted", "too-long", "code-invalid", "extension", "too-costly", "business-rule", "conflict", "transient",
    "lock-error", "no-store", "exception", "timeout", "incomplete", "throttled", "informational",
))  # fmt: skip
# Bundles of these types give every resource its server's address; others may name resources by urn:uuid.
_FROM_SERVER = ("searchset", "history")


class Issue(msgspec.Struct, gc=False):
    """What is read of an issue: never its text."""

    severity: str | None = None
    code: str | None = None


class OperationOutcome(msgspec.Struct, tag_field="resourceType", tag="OperationOutcome", gc=False):
    """A server's remark."""

    issue: list[Issue] | None = None


class Link(msgspec.Struct, gc=False):
    """A link of a page."""

    relation: str | None = None
    url: str | None = None


class _Peek(msgspec.Struct, gc=False):
    resourceType: str


class _Named(msgspec.Struct, gc=False):
    resourceType: str | None = None
    id: str | None = None


class _NamedEntry(msgspec.Struct, gc=False):
    fullUrl: str | None = None
    resource: _Named | None = None


class _NamedBundle(msgspec.Struct, gc=False):
    entry: list[_NamedEntry] | None = None


# msgspec gives Raw only where nothing else is allowed, so absence is the text null.
_NONE = msgspec.Raw(b"null")


class _RawEntry(msgspec.Struct, gc=False):
    resource: msgspec.Raw = _NONE


class _RawBundle(msgspec.Struct, tag_field="resourceType", tag="Bundle", gc=False):
    type: msgspec.Raw = _NONE
    total: msgspec.Raw = _NONE
    link: msgspec.Raw = _NONE
    entry: list[msgspec.Raw] | None = None


class Shapes:
    """The types that a tree of elements decodes as, built once however many runs decode with them."""

    def __init__(self, roots: Mapping[str, Node]) -> None:
        """Build a Struct for every resource type, and the decoder of any one of them."""
        types = structs(roots) | {"OperationOutcome": OperationOutcome}
        entry: Any = msgspec.defstruct("Entry", [("resource", union(types) | None, None)], gc=False)
        self.roots = roots
        self.bundle: Any = msgspec.defstruct(
            "Bundle",
            [("type", str | None, None), ("total", int | None, None), ("link", list[Link] | None, None),
             ("entry", list[entry] | None, None)],
            tag_field="resourceType", tag="Bundle", gc=False,
        )  # fmt: skip
        self.one = msgspec.json.Decoder(union(types | {"Bundle": self.bundle}))


class Decoder:
    """Decodes what the views of one set of connectors read."""

    def __init__(
        self,
        shapes: Shapes,
        readers: Mapping[str, tuple[Bind, Sequence[str]]],
        learn: Callable[[str, str, str], None],
    ) -> None:
        """Take the shapes; `readers` gives for each resource its reader and the names of its views."""
        self._roots, self._readers, self._learn = shapes.roots, readers, learn
        self._bundle, self._one = shapes.bundle, shapes.one
        self._raw_bundle = msgspec.json.Decoder(_RawBundle)

    def lines(self, block: bytes, sink: Sink) -> None:
        """Read whole NDJSON lines."""
        block = block.removeprefix(BOM)
        try:
            found = self._one.decode_lines(block)
        except _TROUBLE:
            return self._one_by_one(block, sink)
        if self._bundle in set(map(type, found)):
            return self._one_by_one(block, sink)
        self._feed(found, sink)

    def page(self, page: bytes, sink: Sink) -> Page:
        """Read a Bundle or a single resource.  Raises Undecodable."""
        page = page.removeprefix(BOM)
        try:
            found = self._one.decode(page)
        except _TROUBLE as trouble:
            return self._again(page, trouble, sink)
        if type(found) is not self._bundle:
            return Page(entries=1, outcomes=self._feed([found], sink))
        resources = [entry.resource for entry in found.entry or ()]
        self._learn_urns(page, found.type, resources)
        return _page(found.type, found.link, found.total, len(resources), self._feed(resources, sink))

    def _feed(self, resources: Sequence[Any], sink: Sink) -> Outcomes:
        """Give resources to the readers of their types; gives the issues among them."""
        outcomes: Outcomes = ()
        kinds = set(map(type, resources))
        for kind in kinds:
            those: Sequence[Any] = resources if len(kinds) == 1 else [r for r in resources if type(r) is kind]
            if kind is type(None):
                _missing(len(those), sink)
                continue
            name = kind.__name__
            sink.received(name, len(those))
            if name in self._readers:
                bind, views = self._readers[name]
                appends, olders = [sink.append_for(v) for v in views], [sink.older_for(v) for v in views]
                bind(appends, olders, sink.rejected)(those)
            elif kind is OperationOutcome:
                outcomes += tuple(_issues(those))
            else:
                sink.unread(name, len(those))
        return outcomes

    def _one_by_one(self, block: bytes, sink: Sink) -> None:
        """Read lines one at a time, counting those that cannot be read."""
        for line in block.splitlines():
            if not line.strip():
                continue
            try:
                self.page(line, sink)
            except Undecodable:
                malformed = "bad_type" if _is_json(line) else "malformed"
                _refused(_type_of(line) or "?", _type_of(line) or "?", malformed, sink)

    def _again(self, page: bytes, trouble: Exception, sink: Sink) -> Page:
        """Read a page entry by entry.  Raises Undecodable if there are no entries to be had or its links are lost."""
        if _type_of(page) != "Bundle":
            return self._single(page, trouble, sink)
        try:
            bundle = self._raw_bundle.decode(page)
            links = msgspec.json.decode(bundle.link, type=list[Link] | None)
        except _TROUBLE:
            raise Undecodable from None
        kind = _part(bundle.type, str, "type", sink)
        total = _part(bundle.total, int, "total", sink)
        raws = bundle.entry or []
        resources = list(self._entries(raws, sink))
        self._learn_urns(page, kind, resources)
        return _page(kind, links, total, len(raws), self._feed(resources, sink))

    def _single(self, page: bytes, trouble: Exception, sink: Sink) -> Page:
        """Refuse one resource that is a page by itself.  Raises Undecodable for anything else."""
        if _type_of(page) is None:
            raise Undecodable from None
        self._refuse(page, trouble, sink)
        return Page(entries=1)

    def _entries(self, raws: Iterable[msgspec.Raw], sink: Sink) -> Iterable[Any]:
        """Give the resources of the entries that can be read."""
        for raw in raws:
            try:
                entry = msgspec.json.decode(raw, type=_RawEntry)
            except _TROUBLE:
                _refused("?", "Bundle.entry", "bad_type", sink)
                continue
            if bytes(entry.resource) == b"null":
                yield None
                continue
            try:
                found = self._one.decode(entry.resource)
            except _TROUBLE as trouble:
                self._refuse(bytes(entry.resource), trouble, sink)
                continue
            if type(found) is self._bundle:
                sink.received("Bundle", 1)
                sink.unread("Bundle", 1)
            else:
                yield found

    def _refuse(self, raw: bytes, trouble: Exception, sink: Sink) -> None:
        """Count one resource that cannot be read, by type and element path."""
        resource = _type_of(raw)
        if resource == "?":
            sink.received("?", 1)
            sink.unread("?", 1)
        elif resource is None:
            _refused("?", "?", "bad_type" if isinstance(trouble, msgspec.ValidationError) else "malformed", sink)
        elif isinstance(trouble, msgspec.ValidationError):
            _refused(resource, self._element(resource, str(trouble)), "bad_type", sink)
        else:
            _refused(resource, resource, "malformed", sink)

    def _element(self, resource: str, message: str) -> str:
        """Find the element path in an error, as far as the views name it."""
        node, match = self._roots.get(resource), _AT.search(message)
        for step in re.findall(r"\.(\w+)", match[1]) if match else ():
            deeper = node.children.get(step) if node else None
            if deeper is None:
                break
            node = deeper
        return node.path if node else resource

    def _learn_urns(self, page: bytes, kind: str | None, resources: Sequence[Any]) -> None:
        """Take note of resources that the Bundle names by urn:uuid; one without an id has that as its id."""
        if kind in _FROM_SERVER or b'"urn:' not in page:
            return
        try:
            entries = msgspec.json.decode(page, type=_NamedBundle).entry or []
        except _TROUBLE:
            return
        for number, entry in enumerate(entries):
            url, named = entry.fullUrl or "", entry.resource
            if not url.startswith(("urn:uuid:", "urn:oid:")) or named is None or named.resourceType is None:
                continue
            own = url.split(":", 2)[2]
            if named.id is not None:
                self._learn(url, named.resourceType, named.id)
            elif len(resources) == len(entries) and hasattr(resources[number], "id"):
                resources[number].id = own


def _page(
    kind: str | None, links: Sequence[Link] | None, total: int | None, entries: int, outcomes: Outcomes
) -> Page:
    named: dict[str, str] = {}
    for link in links or ():
        if link.relation and link.url:
            named.setdefault(link.relation, link.url)
    return Page(kind, named.get("next"), named.get("self"), total, entries, outcomes)


def _issues(outcomes: Iterable[OperationOutcome]) -> Iterable[tuple[str, str]]:
    for outcome in outcomes:
        for issue in outcome.issue or [Issue()]:
            severity = issue.severity if issue.severity in _SEVERITIES else "?"
            yield severity or "?", (issue.code if issue.code in _ISSUES else "?") or "?"


def _missing(how_many: int, sink: Sink) -> None:
    for _ in range(how_many):
        _refused("?", "Bundle.entry.resource", "missing", sink)


def _refused(resource: str, element: str, kind: str, sink: Sink) -> None:
    sink.received(resource, 1)
    sink.rejected(resource, element, kind)


def _is_json(raw: bytes) -> bool:
    try:
        msgspec.json.decode(raw, type=object)
    except _TROUBLE:
        return False
    return True


def _part(raw: msgspec.Raw, of: Any, name: str, sink: Sink) -> Any:
    try:
        return msgspec.json.decode(raw, type=of | None)
    except _TROUBLE:
        sink.rejected("Bundle", f"Bundle.{name}", "bad_type")
        return None


def _type_of(raw: bytes) -> str | None:
    """Give the resource type, `?` for a type that FHIR R4 does not have, None for what is no resource."""
    try:
        found = msgspec.json.decode(raw, type=_Peek).resourceType
    except _TROUBLE:
        return None
    return found if found in resource_types() else "?"
