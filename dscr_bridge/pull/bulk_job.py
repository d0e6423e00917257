"""One bulk export on the server: asked for, waited for, kept in mind across restarts, and always deleted at the end.

Source: Bulk Data Access STU 2 and its draft STU 4 (kick-off by GET or POST, status with Retry-After, DELETE).
What is kept is the address that the server gave the job, in a file of this account's alone, until the job is over; an
address that could name a person is not kept at all.
"""

import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from functools import partial
from hashlib import sha256
from pathlib import Path
from urllib.parse import unquote, urljoin

from dscr_bridge import log
from dscr_bridge.config import Source
from dscr_bridge.errors import BridgeError, IdentifierFound, RecordsUnreadable, SourceRefused, SourceUnavailable
from dscr_bridge.privacy import guard
from dscr_bridge.pull.asking import Answer, Ask, Asking, ServerFault, retry_after
from dscr_bridge.pull.manifest import Manifest, NoManifest, manifest
from dscr_bridge.returns import instant
from dscr_bridge.world import World

events = log.room("pull")

_SHORTEST, _FIRST, _LONGEST = 0.5, 5.0, 120.0  # seconds between two looks
_LONGEST_ASKED = 300.0                         # seconds that a server may ask us to wait for the next look
_ONE_SITTING = timedelta(minutes=10)           # then others are served, and the job is taken up at the next reading
_FAULTS = 5                                    # in a row, while waiting
_PARTS = 1000
_NOT_PREPARED = "The return was not prepared."


_Way = Callable[[Sequence[str], Mapping[str, str]], Ask]


@dataclass(frozen=True)
class Job:
    """An export that was asked for."""

    address: str
    types: tuple[str, ...]
    began: str            # UTC instant
    asked_of: str         # a hash of where and what was asked, so that another's job is never taken up
    over: bool = False    # only to be deleted


class Refused(Exception):
    """The server does not take the question; the status is all that is looked at."""

    def __init__(self, status: int) -> None:
        """Keep the status."""
        super().__init__(status)
        self.status = status


class Lost(Exception):
    """The server no longer knows the job."""


class Exports:
    """Asks one source for exports."""

    def __init__(self, source: Source, asking: Asking, world: World, level: str, version: int,
                 kept: Path | None) -> None:
        """Take the level as a path below the source's address (`Group/1/$export`), and where to keep a job."""
        self._source, self._asking, self._world = source, asking, world
        self._address = f"{asking.base}/{level}"
        self._ways: list[_Way] = [self._by_get, partial(self._by_post, many=False)]
        if version > 2:
            self._ways = [partial(self._by_post, many=True), self._by_get]
        self._path = kept / "exports" / f"{source.name}.json" if kept is not None else None

    def unfinished(self, types: Sequence[str]) -> Job | None:
        """Give the job that an earlier reading left behind, if it is still good; another one is deleted."""
        job = self._read()
        if job is None:
            return None
        age = self._world.now() - datetime.fromisoformat(job.began)
        same = job.asked_of == self._asked_of(types)
        if same and not job.over and age < timedelta(minutes=self._source.limits.export_minutes):
            events.info("export_taken_up", source=self._source.name, seconds=round(age.total_seconds()))
            return job
        if self._asking.same_origin(job.address):
            self.delete(job)
        self._forget()
        return None

    def begin(self, types: Sequence[str], elements: Mapping[str, Sequence[str]]) -> Job:
        """Ask for an export of these types.  Raises Refused where the server does not take the question."""
        began = instant(self._world.now())
        address = self._kick_off(types, {of: ",".join(f"{of}.{e}" for e in named) for of, named in elements.items()})
        job = Job(address, tuple(types), began, self._asked_of(types))
        self._keep(job)
        events.info("export_began", source=self._source.name)
        return job

    def accepted(self, types: Sequence[str]) -> list[str]:
        """Find the types that the server exports, by asking in halves; each job that comes of it is deleted at once."""
        try:
            self.delete(Job(self._kick_off(types, {}), tuple(types), instant(self._world.now()), ""))
        except Refused:
            if len(types) == 1:
                return []
            middle = len(types) // 2
            return self.accepted(types[:middle]) + self.accepted(types[middle:])
        return list(types)

    def finished(self, job: Job) -> Manifest:
        """Wait until a job is done, within one sitting.

        Raises Lost, SourceUnavailable where it needs longer (the job stays for the next reading), SourceRefused,
        RecordsUnreadable.
        """
        sat, faults, step = timedelta(0), 0, _FIRST
        while True:
            answer = self._asking.ask(Ask("$export", "GET", job.address, patient=True, may_be_empty=True,
                                          headers={"Accept": "application/json"}))
            if answer.status == 200:
                return self._whole(job, answer)
            faults = faults + 1 if answer.status >= 500 else 0
            self._still_going(answer, faults)
            wait, step = self._wait(answer, step), min(step * 2, _LONGEST)
            sat += timedelta(seconds=wait)
            if sat > _ONE_SITTING:
                raise self._not_yet(job)
            self._world.sleep(wait)

    def delete(self, job: Job) -> None:
        """Tell the server that the job is over; one that cannot be told now is told at the next reading."""
        status = 0
        try:
            status = self._asking.ask(Ask("$export", "DELETE", job.address, patient=True, may_be_empty=True)).status
        except BridgeError as failure:
            events.warning("export_not_deleted", source=self._source.name, error=type(failure).__name__)
        if status == 0 or status == 429 or status >= 500:
            self._keep(Job(job.address, job.types, job.began, job.asked_of, over=True))
            return
        events.info("export_deleted", source=self._source.name, status=status)
        self._forget()

    def _kick_off(self, types: Sequence[str], elements: Mapping[str, str]) -> str:
        status = 0
        for way in list(self._ways):
            for asked in ([elements] if not elements else [elements, {}]):  # `_elements` is for those who know it
                answer = self._asking.ask(way(types, asked))
                status = answer.status
                if status == 202:
                    self._ways = [way]
                    return self._job_address(answer)
                if status not in (400, 422):
                    break
            if status not in (400, 404, 405, 415, 422, 501):
                break
        raise Refused(status)

    def _by_get(self, types: Sequence[str], elements: Mapping[str, str]) -> Ask:
        more = {"_elements": ",".join(elements.values())} if elements else {}
        return Ask("$export", "GET", self._address, {"_type": ",".join(types), **more},
                   headers={"Prefer": "respond-async"}, once=True, may_be_empty=True)

    def _by_post(self, types: Sequence[str], elements: Mapping[str, str], *, many: bool) -> Ask:
        asked = [("_type", one) for one in types] if many else [("_type", ",".join(types))]
        asked += [("_elements", one) for one in elements.values()] if many else [
            ("_elements", ",".join(elements.values()))] * bool(elements)
        document = {"resourceType": "Parameters", "parameter": [{"name": n, "valueString": v} for n, v in asked]}
        return Ask("$export", "POST", self._address, document=json.dumps(document).encode(), once=True,
                   may_be_empty=True, headers={"Prefer": "respond-async", "Content-Type": "application/fhir+json"})

    def _job_address(self, answer: Answer) -> str:
        said = answer.headers.get("content-location", "")
        address = urljoin(self._address, said) if said else ""
        if not address or not self._asking.same_origin(address):
            raise RecordsUnreadable(self._where(), "its export leads to another address than the configured one, or to "
                                    "none.", _NOT_PREPARED, "Ask the supplier; our login is for the configured one.")
        return address

    def _still_going(self, answer: Answer, faults: int) -> None:
        if answer.status in (202, 429) or (answer.status >= 500 and faults < _FAULTS):
            return
        if answer.status in (404, 410):
            raise Lost
        if answer.status >= 500:
            raise ServerFault(self._where(), "it answers with a fault of its own while it makes the export.",
                              f"{_NOT_PREPARED} A running bridge tries again by itself.",
                              "If this lasts, ask the supplier.")
        if answer.status == 403:
            raise SourceRefused(self._where(), "it does not let us see our own export (403).", _NOT_PREPARED,
                                "Ask the supplier to check what the account may do.")
        raise RecordsUnreadable(self._where(), "its export failed.", _NOT_PREPARED, "Ask the supplier.")

    def _wait(self, answer: Answer, step: float) -> float:
        said = answer.headers.get("retry-after")
        if said is None:
            return step * (0.5 + int.from_bytes(self._world.random_bytes(2), "big") / 131070)
        return max(retry_after(said, self._world.now(), _LONGEST_ASKED), _SHORTEST)

    def _whole(self, job: Job, answer: Answer) -> Manifest:
        """Put the parts of a manifest together."""
        try:
            whole, seen = manifest(answer.body), {job.address}
            while whole.next is not None:
                address = urljoin(job.address, whole.next)
                if address in seen or len(seen) > _PARTS or not self._asking.same_origin(address):
                    raise NoManifest
                seen.add(address)
                part = manifest(self._asking.get("$export", address).body)
                whole = Manifest((*whole.outputs, *part.outputs), (*whole.errors, *part.errors), whole.at,
                                 whole.needs_login, part.next)
        except NoManifest:
            raise RecordsUnreadable(self._where(), "its export does not say what it made.", _NOT_PREPARED,
                                    "Ask the supplier.") from None
        return whole

    def _not_yet(self, job: Job) -> SourceUnavailable:
        began = datetime.fromisoformat(job.began)
        if self._world.now() - began > timedelta(minutes=self._source.limits.export_minutes):
            self.delete(job)
        return SourceUnavailable(self._where(), "its export is not made yet.",
                                 f"{_NOT_PREPARED} The bridge takes the same export up again by itself.",
                                 "If this lasts, ask the supplier how long an export takes; see limits.export_minutes.")

    def _asked_of(self, types: Sequence[str]) -> str:
        return sha256("\n".join([self._address, *sorted(types)]).encode()).hexdigest()

    def _keep(self, job: Job) -> None:
        if self._path is None:
            return
        try:
            guard(unquote(job.address))
        except IdentifierFound:
            return
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        new = self._path.with_suffix(".new")
        with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
            json.dump(asdict(job), file)
            file.flush()
            os.fsync(file.fileno())
        new.replace(self._path)

    def _read(self) -> Job | None:
        try:
            said = json.loads(self._path.read_text("utf-8")) if self._path is not None else None
            return Job(**{**said, "types": tuple(said["types"])}) if said is not None else None
        except (OSError, ValueError, TypeError, KeyError):
            return None  # none, or a file that a crash spoilt: the server forgets such a job by itself

    def _forget(self) -> None:
        if self._path is not None:
            self._path.unlink(missing_ok=True)

    def _where(self) -> str:
        return f'Source "{self._source.name}"'
