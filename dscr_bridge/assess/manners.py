"""Quirks: how a server's answers differ from what was asked for, seen in passing; each is a closed word."""

from collections.abc import Mapping
from typing import Any

from dscr_bridge.assess.shape import Quirk

# word -> what it means and what the bridge does about it; whether it is worth mending at the source
QUIRKS: Mapping[str, tuple[str, bool]] = {
    "elements_ignored": ("sends more elements than were asked for by _elements; they are not decoded, but more of a "
                         "person than needed travels", True),
    "elements_refused": ("refuses _elements or _count; the bridge asks again without them", False),
    "status_ignored": ("ignores the search parameter status; the bridge filters again", True),
    "no_total": ("does not say how many resources a search found; a page that went missing cannot be noticed by the "
                 "number", True),
    "relative_links": ("writes the link to the next page as a relative address; the bridge resolves it", False),
    "no_post_search": ("does not take a search by POST; ids of people then stand in addresses, and in the access logs "
                       "of whatever stands between", True),
    "no_capability": ("has no CapabilityStatement that can be read; the bridge asks for everything that its connector "
                      "names", True),
    "no_parameters_listed": ("its CapabilityStatement lists no search parameters", False),
    "no_last_updated": ("does not say when a record was last changed (meta.lastUpdated): how current its records are "
                        "cannot be told", False),
    "outcome_beside_records": ("puts an OperationOutcome beside the records of a page; what it says is missing makes "
                               "the reading incomplete", False),
    "duplicate": ("gives the same record on two pages; it is counted once", True),
    "changed_while_read": ("its records changed while they were read, twice; one of the true states was taken", False),
    "search_not_supported": ("does not support a search that the connector would use; the bridge asks another way",
                             False),
    "other_types": ("sends resource types that were not asked for; they are not decoded", False),
}  # fmt: skip

_NO_POST = frozenset({400, 404, 405, 415, 501})


def quirk(word: str) -> Quirk:
    """Give a quirk with its words; raises KeyError for a word that is none of ours."""
    says, mend = QUIRKS[word]
    return Quirk(word, says, mend)


def of_answer(resource: str, method: str, asked: Mapping[str, str], status: int, answer: Mapping[str, Any] | None
              ) -> set[str]:
    """Name the quirks of one answer."""
    if resource == "metadata":
        return _of_capability(status, answer)
    if status != 200 or answer is None:
        return _of_refusal(method, asked, status)
    if answer.get("resourceType") != "Bundle" or "_summary" in asked:
        return set()
    return _of_page(asked, answer)


def _of_capability(status: int, answer: Mapping[str, Any] | None) -> set[str]:
    if status != 200 or answer is None or answer.get("resourceType") != "CapabilityStatement":
        return {"no_capability"}
    listed = [one for rest in _dicts(answer.get("rest")) for one in _dicts(rest.get("resource"))]
    return set() if any(one.get("searchParam") for one in listed) else {"no_parameters_listed"}


def _of_refusal(method: str, asked: Mapping[str, str], status: int) -> set[str]:
    if method == "POST" and status in _NO_POST:
        return {"no_post_search"}
    return {"elements_refused"} if status in (400, 422) and "_elements" in asked else set()


def _of_page(asked: Mapping[str, str], page: Mapping[str, Any]) -> set[str]:
    found = set()
    following = [link.get("url") for link in _dicts(page.get("link")) if link.get("relation") == "next"]
    if not isinstance(page.get("total"), int):
        found.add("no_total")
    if any(isinstance(url, str) and "://" not in url for url in following):
        found.add("relative_links")
    resources = [one["resource"] for one in _dicts(page.get("entry")) if isinstance(one.get("resource"), dict)]
    if any(one.get("resourceType") == "OperationOutcome" for one in resources):
        found.add("outcome_beside_records")
    if _ignores(asked, "status", resources):
        found.add("status_ignored")
    return found


def _ignores(asked: Mapping[str, str], parameter: str, resources: list[Any]) -> bool:
    wanted = set(asked[parameter].split(",")) if parameter in asked else set()
    said = {one.get(parameter) for one in resources if isinstance(one.get(parameter), str)}
    return bool(wanted) and not said <= wanted


def _dicts(value: Any) -> list[dict[str, Any]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []
