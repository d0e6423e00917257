"""Write the proposed script of a recorded platform as TOML, for a person to review line by line.

What could not be placed is marked in comments, never guessed.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime

from dscr_bridge.mapping import Edition, Item
from dscr_bridge.returns import CareType
from dscr_bridge.submit.portal.proposing import proposals, rows_placed
from dscr_bridge.submit.portal.recorder import Recording
from dscr_bridge.submit.portal.seen import Seen

_FORMS = ("%d %B %Y %H:%M", "%d %B %Y %H:%M:%S", "%d %b %Y %H:%M", "%d/%m/%Y %H:%M", "%d/%m/%Y %H:%M:%S",
          "%Y-%m-%d %H:%M", "%Y-%m-%d %H:%M:%S", "%d %B %Y at %H:%M")  # fmt: skip
_CARE_WORDS = {CareType.CARE_HOME: ("care home",), CareType.HOME_CARE: ("home care", "domiciliary care", "community")}
_TYPES = {"count": "whole", "hours": "decimal", "days": "decimal", "percent": "decimal", "question": "choice"}


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
        section = _section_of(recording, care_type, region, edition)
        placed = rows_placed(region, seen, [i for i in items if section is None or i.section == section])
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
