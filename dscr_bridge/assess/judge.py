"""The judge of FHIR, in a process of its own: records go in, closed words and numbers come out, and it dies.

Standard input: a line of JSON that says what is viewed, then frames, each a line of JSON and the bytes it announces.
Standard output, once, at the end: `Verdict` as JSON.  Whatever it read is gone with the process; it writes no file.
"""

import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import IO, Any

import msgspec

from dscr_bridge.assess.fhir import ALWAYS, is_type, judge, names_of, required_of
from dscr_bridge.assess.manners import of_answer
from dscr_bridge.assess.telling import Frame, Task, Verdict


class Judging:
    """One sitting of the judge."""

    def __init__(self, task: Task) -> None:
        """Begin with nothing seen."""
        self._viewed = {of: frozenset(names) for of, names in task.viewed.items()}
        self._task = task
        self._faults: Counter[tuple[str, str, str]] = Counter()
        self._looked_at: Counter[str] = Counter()
        self._quirks: set[str] = set()
        self._newest: dict[str, str] = {}

    def take(self, frame: Frame, content: bytes) -> None:
        """Look at an answer or at lines of a file; what is no JSON is the business of the reading itself."""
        if not frame.status:
            for document in _documents(content):
                self._all_of(document, frame)
            return
        answer = _decoded(content)
        self._quirks |= of_answer(frame.resource, frame.method, frame.asked, frame.status, answer)
        if frame.status == 200 and answer is not None and frame.resource != "metadata":
            self._all_of(answer, frame)

    def verdict(self) -> Verdict:
        """Say what was seen."""
        faults = [(*where, n) for where, n in sorted(self._faults.items())]
        return Verdict(faults, dict(self._looked_at), sorted(self._quirks), self._newest)

    def _all_of(self, document: Mapping[str, Any], frame: Frame) -> None:
        for resource in _resources(document):
            of = resource.get("resourceType")
            if is_type(of) and of in self._viewed:
                self._one(str(of), resource, frame)

    def _one(self, of: str, resource: Mapping[str, Any], frame: Frame) -> None:
        self._note_change(of, resource)
        if "_elements" in frame.asked and of == frame.resource and self._brings_more(of, resource):
            self._quirks.add("elements_ignored")
        if self._looked_at[of] >= self._task.most:
            return
        self._looked_at[of] += 1
        viewed = None if self._task.whole else self._viewed[of]
        self._faults.update((of, path, rule) for path, rule in judge(resource, viewed))

    def _brings_more(self, of: str, resource: Mapping[str, Any]) -> bool:
        expected = names_of(of, self._viewed[of]) | required_of(of) | ALWAYS
        return any(name not in expected for name in resource)

    def _note_change(self, of: str, resource: Mapping[str, Any]) -> None:
        meta = resource.get("meta")
        changed = meta.get("lastUpdated") if isinstance(meta, dict) else None
        if isinstance(changed, str) and _is_day(changed[:10]):
            self._newest[of] = max(changed[:10], self._newest.get(of, ""))


def _is_day(text: str) -> bool:
    return len(text) == 10 and text[4] == text[7] == "-" and (text[:4] + text[5:7] + text[8:]).isascii() \
        and (text[:4] + text[5:7] + text[8:]).isdigit()  # fmt: skip


def _resources(document: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    if document.get("resourceType") != "Bundle":
        yield document
        return
    entries = document.get("entry")
    for entry in entries if isinstance(entries, list) else ():
        resource = entry.get("resource") if isinstance(entry, dict) else None
        if isinstance(resource, dict):
            yield resource


def _documents(content: bytes) -> Iterator[Mapping[str, Any]]:
    whole = _decoded(content)
    if whole is not None:
        yield whole
        return
    for line in content.splitlines():
        one = _decoded(line)
        if one is not None:
            yield one


def _decoded(content: bytes) -> dict[str, Any] | None:
    try:
        found = msgspec.json.decode(content.removeprefix(b"\xef\xbb\xbf"))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def main(told: IO[bytes], said: IO[bytes]) -> None:
    """Judge everything that comes until there is no more, then say the verdict."""
    judging = Judging(msgspec.json.decode(told.readline(), type=Task))
    while line := told.readline():
        frame = msgspec.json.decode(line, type=Frame)
        judging.take(frame, told.read(frame.size))
    said.write(msgspec.json.encode(judging.verdict()))


if __name__ == "__main__":
    try:
        main(sys.stdin.buffer, sys.stdout.buffer)
    except Exception:  # noqa: BLE001  (a traceback would quote what was being read)
        sys.exit(1)
