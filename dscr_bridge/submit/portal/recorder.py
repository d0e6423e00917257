"""A recorder: a person opens each screen once, and the words on it become a proposed script for that person to review.

It reads names, never values: nothing that stands in a field is kept.  What it cannot place is marked, never guessed.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import date, datetime

from dscr_bridge.mapping import Edition, Item
from dscr_bridge.returns import CareType
from dscr_bridge.submit.portal.browser import Browser, NoAnswer
from dscr_bridge.submit.portal.seen import Control, Seen
from dscr_bridge.submit.portal.wording import likeness, words
from dscr_bridge.tables import BED_TYPES

LEAST = 0.3           # less alike than this is no proposal
_FORMS = ("%d %B %Y %H:%M", "%d %B %Y %H:%M:%S", "%d %b %Y %H:%M", "%d/%m/%Y %H:%M", "%d/%m/%Y %H:%M:%S",
          "%Y-%m-%d %H:%M", "%Y-%m-%d %H:%M:%S", "%d %B %Y at %H:%M")  # fmt: skip
_CARE_WORDS = {CareType.CARE_HOME: ("care home",), CareType.HOME_CARE: ("home care", "domiciliary care", "community")}
_TYPES = {"count": "whole", "hours": "decimal", "days": "decimal", "percent": "decimal", "question": "choice"}


class StillThere(Exception):
    """The page is the one of the step before."""


@dataclass
class Recording:
    """The pages that a person showed."""

    location: str
    name: str
    hosts: tuple[str, ...] = ()      # other hosts that its pages needed
    login: Seen | None = None
    code: Seen | None = None
    home: Seen | None = None
    sections: dict[CareType, Seen] = field(default_factory=dict)
    screens: list[tuple[CareType, Seen]] = field(default_factory=list)
    held: dict[CareType, Seen] = field(default_factory=dict)
    saved: Seen | None = None


@dataclass(frozen=True)
class Proposal:
    """What goes into the script for one field, or for one row of the page that shows what is held."""

    item: Item
    group: str
    label: str
    control: Control | None = None
    sure: float = 0.0


@dataclass(frozen=True)
class _Question:
    group: str
    label: str
    context: str
    control: Control | None = None


def walk(
    browser: Browser, recording: Recording, care_types: Sequence[CareType], ask: Callable[[str], bool],
    patience_seconds: float = 10.0,
) -> Recording:  # fmt: skip
    """Lead a person through the screens; `ask` says what to open next, and gives False for "there is no such page".

    A page counts when it has arrived whole, is at rest, and is another than the one before, all within the patience;
    else the person is asked again.  Raises NoAnswer where the browser is gone.
    """
    last: Seen | None = None

    def shown(what: str) -> Seen | None:
        nonlocal last
        asked = what
        while ask(asked):
            with suppress(StillThere):
                last = _next_page(browser, recording, last, patience_seconds)
                return last
            asked = f"{what} (the window still shows the page before)"
        return None

    recording.login = shown("the log-in page, before you log in")
    recording.code = shown("the page that asks for a second proof of who you are, such as a code")
    recording.home = shown("the list of your locations, after you have logged in")
    for care_type in care_types:
        called = care_type.replace("_", " ")
        if (sections := shown(f"the {called} return of {recording.name}: the list of its sections")) is not None:
            recording.sections[care_type] = sections
        while (screen := shown(f"the next section's screen of the {called} return")) is not None:
            recording.screens.append((care_type, screen))
        if (held := shown(f"the page that shows everything that is held for the {called} return")) is not None:
            recording.held[care_type] = held
    saved = shown("any screen that you have just saved and that says so")
    recording.saved = saved
    return recording


def _next_page(browser: Browser, recording: Recording, last: Seen | None, seconds: float) -> Seen:
    """Wait for a page that is another than the last: whoever shows it may be quicker than the platform."""
    try:
        seen = browser.at_rest(lambda s: _named_only(s, recording) != last, seconds)
    except NoAnswer:
        browser.look()  # NoAnswer where the window is gone
        raise StillThere from None
    return _named_only(seen, recording)


def script_text(recording: Recording, edition: Edition, script_id: str, title: str, on: date) -> str:
    """Write the proposed script as TOML, with everything that could not be placed marked in comments."""
    bed_words: dict[str, str] = {}
    parts = [line for care_type, seen in recording.screens
             for line in _screen(recording, care_type, seen, edition, bed_words)]  # fmt: skip
    rows = [line for care_type, seen in recording.held.items() for line in _held(recording, care_type, seen, edition)]
    placed = {line.split('"')[1] for line in parts if line.startswith("item = ")}
    asked = {care_type for care_type, _ in recording.screens}
    lacking = [i.id for i in edition.items if i.applies_to in asked and i.id not in placed]
    head = [
        "# Proposed by `dscr-bridge portal record` from the names on the screens. Review every line before it is used:",
        "# a person compares each label with its item, then sets verification = \"verified\".",
        f"# {len(placed)} items have a field." + (f" No field was found for: {', '.join(lacking)}." if lacking else ""),
        "", f"id = {_q(script_id)}", f"title = {_q(title)}", 'verification = "recorded"', f"recorded = {_q(f'{on}')}",
        *_frame(recording), "", "[bed_types]", *(f"{b} = {_q(w)}" for b, w in sorted(bed_words.items())), "",
    ]  # fmt: skip
    return "\n".join([*head, *parts, *_held_head(recording), *rows]) + "\n"


def proposals(care_type: CareType, seen: Seen, edition: Edition) -> tuple[list[Proposal], dict[str, str]]:
    """Propose an item for each question of a screen; also the screen's words for bed types."""
    questions, bed_words = _questions(seen)
    return _placed(questions, [i for i in edition.items if i.applies_to == care_type]), bed_words


def _questions(seen: Seen) -> tuple[list[_Question], dict[str, str]]:
    grid: dict[tuple[str, str], dict[str, tuple[str, Control]]] = defaultdict(dict)
    for control in seen.controls:
        if (found := _bed_type_in(control.label)) is not None:
            bed_type, phrase, pattern = found
            grid[control.group, pattern][bed_type] = (phrase, control)
    whole = {key: split for key, split in grid.items() if len(split) >= 2}
    inside = {c.key for split in whole.values() for _, c in split.values()}
    bed_words = {b: phrase for split in whole.values() for b, (phrase, _) in split.items()}
    questions = [_Question(group, label, seen.heading, next(iter(split.values()))[1])
                 for (group, label), split in whole.items()]  # fmt: skip
    questions += [_Question(c.group, c.label, seen.heading, c) for c in seen.controls if c.key not in inside]
    return questions, bed_words


def _bed_type_in(label: str) -> tuple[str, str, str] | None:
    """Find a bed type at the beginning or the end of a label: (code, words on the page, label with a gap)."""
    parts = label.split(" ")
    for n in range(len(parts) - 1, 0, -1):
        for phrase, pattern in (
            (" ".join(parts[:n]), " ".join(["{bed_type}", *parts[n:]])),
            (" ".join(parts[-n:]), " ".join([*parts[:-n], "{bed_type}"])),
        ):
            for bed_type in BED_TYPES:
                if words(phrase) == words(bed_type.replace("_", " ")):
                    tail = phrase[-1] if phrase[-1] in ",:;" else ""
                    return bed_type, phrase.rstrip(",:;"), pattern.replace("{bed_type}", "{bed_type}" + tail)
    return None


def _placed(questions: Sequence[_Question], items: Sequence[Item]) -> list[Proposal]:
    """Place the questions of one screen: first find its section, then the best partner of each within it."""
    scores: dict[tuple[_Question, str], float] = {(q, i.id): _score(q, i) for q in questions for i in items}
    best: Counter[str] = Counter()
    for q in questions:
        for section in {i.section for i in items}:
            best[section] += max((scores[q, i.id] for i in items if i.section == section), default=0)  # type: ignore[assignment]
    if not best:
        return []
    section = max(best, key=lambda name: best[name])
    return _paired(questions, [i for i in items if i.section == section], scores)


def _paired(
    questions: Sequence[_Question], items: Sequence[Item], scores: Mapping[tuple[_Question, str], float]
) -> list[Proposal]:
    """Pair by the best score first; a pair that is not clearly the best of both is left to a person."""
    free_q, free_i, pairs = list(questions), list(items), []
    while free_q and free_i:
        q, i = max(((q, i) for q in free_q for i in free_i if _fits(q, i)), key=lambda p: scores[p[0], p[1].id],
                   default=(None, None))  # fmt: skip
        if q is None or i is None or scores[q, i.id] < LEAST:
            break
        pairs.append(Proposal(i, q.group, q.label, q.control, scores[q, i.id]))
        free_q.remove(q)
        free_i.remove(i)
    return sorted(pairs, key=lambda p: items.index(p.item))


def _fits(question: _Question, item: Item) -> bool:
    kind = question.control.kind if question.control else "text"
    by_bed_type = "{bed_type}" in question.label
    if kind in ("textarea", "password", "checkbox") or (by_bed_type and item.by != "bed_type"):
        return False
    return (kind in ("choice", "select")) == (item.type == "question")


def _score(question: _Question, item: Item) -> float:
    label = question.label.replace("{bed_type}", "")
    told = (label, f"{question.group} {label}", f"{question.context} {label}",
            f"{question.context} {question.group} {label}")  # fmt: skip
    return max(likeness(text, item) for text in told)


def _screen(
    recording: Recording, care_type: CareType, seen: Seen, edition: Edition, bed_words: dict[str, str]
) -> Iterator[str]:
    found, words_here = proposals(care_type, seen, edition)
    bed_words |= words_here
    if not found:
        yield f"# unmapped screen: {_q(seen.heading)} asks nothing that an item says."
        return
    yield from ("[[screen]]", f"section = {_q(found[0].item.section)}", f"care_type = {_q(care_type)}",
                f"link = {_q(_link(recording, care_type, seen))}", f"page = {_page(seen)}",
                f"save = {_q(_save(seen))}")  # fmt: skip
    ours = {(p.group, label) for p in found for label in _labels(p.label, bed_words)}
    others = [c.called for c in seen.controls if c.key not in ours]
    unsure = "  # unmapped: are these really not ours?" if others else ""
    yield f"not_ours = {json.dumps(others, ensure_ascii=False)}{unsure}"
    for p in found:
        yield from ("[[screen.field]]", f"item = {_q(p.item.id)}", *([f"group = {_q(p.group)}"] if p.group else []),
                    f"label = {_q(p.label)}", f"form = {_q(_TYPES[p.item.type])}")  # fmt: skip
        if p.item.type == "question" and p.control is not None:
            yield f"answers = {_table(_answers(p.item, p.control.options))}"
    yield ""


def _held_head(recording: Recording) -> Iterator[str]:
    for care_type, seen in recording.held.items():
        sections = recording.sections.get(care_type)
        link = next((n for n in sections.links if n == seen.heading), seen.heading) if sections else seen.heading
        yield from ("[held]", f"link = {_q(link)}", f"page = {_page(seen)}", 'empty = "none"', "")
        return


def _held(recording: Recording, care_type: CareType, seen: Seen, edition: Edition) -> Iterator[str]:
    items = [i for i in edition.items if i.applies_to == care_type]
    for region in dict.fromkeys(where for where, _, _ in seen.facts if where):
        facts = tuple(Control("text", "", name, "") for where, name, _ in seen.facts if where == region)
        questions, _ = _questions(replace(seen, heading=region, controls=facts))
        placed = _placed_rows(questions, items, _section_of(recording, care_type, region, edition))
        if placed:
            yield from ("[[held.part]]", f"section = {_q(placed[0].item.section)}", f"care_type = {_q(care_type)}",
                        f"region = {_q(region)}", "[held.part.rows]")  # fmt: skip
            yield from (f"{p.item.id} = {_q(p.label)}" for p in placed)
            for p in placed:
                if p.item.type == "question":
                    options = next((c.control.options for t, s in recording.screens for c in proposals(t, s, edition)[0]
                                    if c.item.id == p.item.id and c.control), ())  # fmt: skip
                    yield from (f"[held.part.answers.{p.item.id}]",
                                *(f"{k} = {_q(v)}" for k, v in _answers(p.item, options).items()))  # fmt: skip
            yield ""


def _placed_rows(questions: Sequence[_Question], items: Sequence[Item], section: str | None) -> list[Proposal]:
    inside = [i for i in items if section is None or i.section == section]
    scores = {(q, i.id): _score(q, i) for q in questions for i in inside}
    # A row shows text: any type of item fits.
    free_q, free_i, pairs = list(questions), list(inside), []
    while free_q and free_i:
        q, i = max(((q, i) for q in free_q for i in free_i), key=lambda p: scores[p[0], p[1].id])
        if scores[q, i.id] < LEAST:
            break
        pairs.append(Proposal(i, "", q.label, None, scores[q, i.id]))
        free_q.remove(q)
        free_i.remove(i)
    return sorted(pairs, key=lambda p: inside.index(p.item))


def _section_of(recording: Recording, care_type: CareType, region: str, edition: Edition) -> str | None:
    for kind, seen in recording.screens:
        if kind == care_type and seen.heading == region and (found := proposals(kind, seen, edition)[0]):
            return found[0].item.section
    return None


def _frame(recording: Recording) -> Iterator[str]:
    login, home = recording.login or Seen("?", "?"), recording.home or Seen("?", "?")
    first = next(iter(recording.sections.values()), Seen("?", "?"))
    fields = [c for c in login.controls if c.kind != "password"]
    secret = next((c.label for c in login.controls if c.kind == "password"), "?")
    pattern, care_words = _return_link(recording, home)
    yield f"return_link = {_q(pattern)}"
    yield f"success = {_q(recording.saved.status[0] if recording.saved and recording.saved.status else '?')}"
    yield f"hosts = {json.dumps(recording.hosts)}"
    yield "come_back_later = []  # titles of pages that say so, for example of planned maintenance"
    yield from ("", "[care_types]", *(f"{k} = {_q(v)}" for k, v in care_words.items()))
    yield from ("", "[login]", f"page = {_page(login)}", f"username = {_q(fields[0].label if fields else '?')}",
                f"password = {_q(secret)}", f"button = {_q(login.buttons[0] if login.buttons else '?')}")  # fmt: skip
    if recording.code is not None:
        label = next((c.label for c in recording.code.controls), "?")
        yield from ("", "[login.code]", f"page = {_page(recording.code)}", f"field = {_q(label)}")
    yield from ("", "[home]", *_page_lines(home), "", "[sections]", *_page_lines(first), "", "[last_updated]")
    yield from _last_updated([*filter(None, [recording.saved]), *(seen for _, seen in recording.screens)])


def _return_link(recording: Recording, home: Seen) -> tuple[str, dict[str, str]]:
    """Turn the links that name the location into one pattern with the location and the care type left open."""
    found = [name for name in home.links if recording.location in name]
    care_words, pattern = {}, "?"
    for name in found:
        for care_type, known in _CARE_WORDS.items():
            word = next((w for w in known if w in name.lower()), None)
            if word is not None:
                at = name.lower().rindex(word)
                care_words[care_type.value] = name[at:at + len(word)]
                pattern = f"{name[:at]}{{care_type}}{name[at + len(word):]}"
    pattern = pattern.replace(recording.location, "{location}")
    return (pattern.replace(recording.name, "*") if recording.name else pattern), care_words


def _last_updated(screens: Iterable[Seen]) -> Iterator[str]:
    found = [(name, value) for seen in screens for _, name, value in seen.facts if "updated" in name.lower()]
    labels = list(dict.fromkeys(name for name, _ in found))
    label = next((name for name in labels if "utc" in name.lower()), labels[0] if labels else "?")
    form = next((f for name, value in found if name == label for f in _FORMS if _reads(value, f)), "?")
    zone = "UTC" if "utc" in label.lower() else "Europe/London"
    never = next((value for name, value in found if name == label and not any(c.isdigit() for c in value)), "never")
    yield from (f"label = {_q(label)}", f"form = {_q(form)}", f"zone = {_q(zone)}", f"never = {_q(never)}")


def _reads(value: str, form: str) -> bool:
    try:
        datetime.strptime(value, form)  # noqa: DTZ007  (only whether it can be read)
    except ValueError:
        return False
    return True


def _named_only(seen: Seen, recording: Recording) -> Seen:
    """Keep names only, of facts the ones about time; a title that names the location stands for every location."""
    controls = tuple(replace(c, value="") for c in seen.controls)
    facts = tuple((r, n, v if "updated" in n.lower() else "") for r, n, v in seen.facts)
    return replace(seen, title=_any_location(seen.title, recording), heading=_any_location(seen.heading, recording),
                   controls=controls, facts=facts)  # fmt: skip


def _any_location(text: str, recording: Recording) -> str:
    for told in filter(None, (recording.location, recording.name)):
        text = text.replace(told, "*")
    return text


def _answers(item: Item, options: Sequence[str]) -> dict[str, str]:
    """Pair an item's answers with the options' labels; the longest words first, so that "yes" takes what is left."""
    free, found = list(options), {}
    for answer in sorted(item.options, key=len, reverse=True):
        wanted = set(answer.split("_"))
        near = max(free, default=None, key=lambda o: len(wanted & set(o.lower().replace(",", "").split())))
        if near is not None:
            found[answer] = near
            free.remove(near)
    return {answer: found[answer] for answer in item.options if answer in found}


def _link(recording: Recording, care_type: CareType, seen: Seen) -> str:
    sections = recording.sections.get(care_type)
    return next((n for n in sections.links if n == seen.heading), "?") if sections else "?"


def _save(seen: Seen) -> str:
    named = [b for b in seen.buttons if "save" in b.lower()]
    return named[0] if len(named) == 1 else "?"


def _labels(pattern: str, bed_words: Mapping[str, str]) -> Iterator[str]:
    if "{bed_type}" not in pattern:
        yield pattern
    yield from (pattern.replace("{bed_type}", w) for w in bed_words.values() if "{bed_type}" in pattern)


def _page(seen: Seen) -> str:
    return _table({"title": seen.title, "heading": seen.heading})


def _page_lines(seen: Seen) -> Iterator[str]:
    yield from (f"title = {_q(seen.title)}", f"heading = {_q(seen.heading)}")


def _table(content: Mapping[str, str]) -> str:
    return "{ " + ", ".join(f"{k} = {_q(v)}" for k, v in content.items()) + " }"


def _q(text: str) -> str:
    """Write a TOML basic string, whose escapes are those of JSON."""
    return json.dumps(text, ensure_ascii=False)
