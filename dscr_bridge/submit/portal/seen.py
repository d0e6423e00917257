"""A page as it is seen: title, heading, controls by group and label, facts by name; nothing of how it is built."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from itertools import groupby
from typing import Any

from dscr_bridge.submit.portal.script import Page, matches, one_line

Key = tuple[str, str]  # group, label


@dataclass(frozen=True)
class Control:
    """One thing that can be filled in; radio buttons of one question are one control."""

    kind: str                             # text, select, choice, checkbox, textarea, password ...
    group: str
    label: str
    value: str
    required: bool = False
    enabled: bool = True
    options: tuple[str, ...] = ()
    box: tuple[float, float, float, float] = (0, 0, 0, 0)

    @property
    def key(self) -> Key:
        """Its group and label."""
        return self.group, self.label

    @property
    def called(self) -> str:
        """Its group and label in one text."""
        return f"{self.group} > {self.label}" if self.group else self.label


@dataclass(frozen=True)
class Seen:
    """One page, at one moment."""

    title: str
    heading: str
    status: tuple[str, ...] = ()
    alerts: tuple[str, ...] = ()
    controls: tuple[Control, ...] = ()
    facts: tuple[tuple[str, str, str], ...] = ()   # region, name, value
    links: tuple[str, ...] = ()
    buttons: tuple[str, ...] = ()

    def is_page(self, page: Page) -> bool:
        """Say whether this is the page that was meant."""
        return matches(page.title, self.title) and matches(page.heading, self.heading)

    def control(self, key: Key) -> Control | None:
        """Find a control; None where there is none, or more than one."""
        found = [c for c in self.controls if c.key == key]
        return found[0] if len(found) == 1 else None

    def twice(self) -> frozenset[Key]:
        """Name the groups and labels that more than one control has."""
        return frozenset(key for key, n in Counter(c.key for c in self.controls).items() if n > 1)

    def fact(self, name: str, region: str = "") -> str | None:
        """Find a fact by its name within a region; None where there is none, or more than one."""
        found = [value for where, called, value in self.facts if (where, called) == (region, name)]
        return found[0] if len(found) == 1 else None


@lru_cache(maxsize=1)
def look_script() -> str:
    """Give the JavaScript that reads a page."""
    return resources.files("dscr_bridge.submit.portal").joinpath("seen.js").read_text("utf-8")


def seen_from(found: Mapping[str, Any]) -> Seen:
    """Make a page of what the JavaScript read."""
    headings = found["headings"]
    return Seen(
        found["title"], headings[0] if headings else "", tuple(found["status"]), tuple(found["alerts"]),
        tuple(_controls(found["controls"])), tuple((r, n, v) for r, n, v in found["facts"]), tuple(found["links"]),
        tuple(found["buttons"]),
    )  # fmt: skip


def _controls(found: Sequence[Mapping[str, Any]]) -> list[Control]:
    made: list[Control] = []
    for (kind, name, groups), those in groupby(found, key=lambda c: (c["kind"], c["name"], tuple(c["groups"]))):
        listed = list(those)
        if kind == "radio" and groups:
            made.append(_choice(listed, groups, name))
        else:
            made += [_control(c) for c in listed]
    return made


def _control(c: Mapping[str, Any]) -> Control:
    return Control(
        "text" if c["kind"] in ("number", "tel", "search") else c["kind"], " > ".join(c["groups"]), c["label"],
        one_line(c["value"]), c["required"], c["enabled"], tuple(c["options"]), tuple(c["box"]),
    )  # fmt: skip


def _choice(radios: Sequence[Mapping[str, Any]], groups: tuple[str, ...], name: str) -> Control:
    chosen = [r["label"] for r in radios if r["value"]]
    left, top = min(r["box"][0] for r in radios), min(r["box"][1] for r in radios)
    right = max(r["box"][0] + r["box"][2] for r in radios)
    bottom = max(r["box"][1] + r["box"][3] for r in radios)
    return Control(
        "choice", " > ".join(groups[:-1]), groups[-1], chosen[0] if chosen else "", any(r["required"] for r in radios),
        all(r["enabled"] for r in radios), tuple(r["label"] for r in radios),
        (left, top, right - left, bottom - top),
    )  # fmt: skip
