"""Reads a FHIR R4 server by the connector's search plan: what is ours, type by type, and how each type ended."""

import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, timedelta
from pathlib import Path

from dscr_bridge import log
from dscr_bridge.config import Source
from dscr_bridge.connector import Connector, Search
from dscr_bridge.errors import BridgeError, RecordsUnreadable, SourceRefused, SourceUnavailable
from dscr_bridge.privacy import Codes, Decoding
from dscr_bridge.pull import Step
from dscr_bridge.pull.asking import Asking, ServerFault, connected
from dscr_bridge.pull.capability import Capability, capability
from dscr_bridge.pull.gathering import Gathering
from dscr_bridge.pull.paging import Found, Question, Server, Stopped, repeated, search
from dscr_bridge.pull.reading import readings
from dscr_bridge.tables import Finding, Reading, Records
from dscr_bridge.world import World

events = log.room("pull")

_LEVELS = 10             # of places in places, organisations in organisations, persons linked to persons
_SPARE = frozenset({"_elements", "_count"})
_OLDEST_DOSE = timedelta(days=366)
_WORST_FIRST = (Reading.FAILED, Reading.NOT_PERMITTED, Reading.INCOMPLETE)
_NOT_OUR_LIMITS = frozenset({"earlier_step", "scope", "not_permitted"})  # told elsewhere, or a state and no fault
_TEMPORARY = {"server_fault": "it answers with a fault of its own.",
              "cut_short": "the file of its export ends in the middle, each time that it is asked for.",
              "page_expired": "it forgets its place between two pages, again and again."}  # fmt: skip
_LASTING = {"malformed": "its answers are not valid JSON.",
            "foreign_link": "its pages lead to another address than the configured one.",
            "outcome": "it answers with an error instead of records.",
            "not_exported": "it does not export this type, and there is no search for it.",
            "not_what_it_says": "the file of its export holds other types than it says.",
            "few_by_id": "asked by their ids for those that its other records name, it gives fewer than half of them.",
            "incomplete": "what it gave is not complete."}  # fmt: skip


def read(source: Source, connector: Connector, decoding: Decoding, codes: Mapping[str, Codes], world: World,
         progress: Callable[[Step], None], kept: Path | None = None) -> Records:
    """Read everything the connector's views name.  Raises SourceUnavailable, SourceRefused, RecordsUnreadable."""
    began = world.now().astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    with connected(source, world, connector.login) as asking:
        # Nothing is asked by ids where each type is read whole: a long history would be held by its ids alone.
        gathering = Gathering(connector, decoding, codes, began, remember_ids=not _whole(connector))
        can = capability(asking, source.name)
        reader = Reader(source, connector, decoding, asking, gathering, progress, can, world)
        for step in reader.plan():
            reader.take(step)
    return reader.finished()


class Reader:
    """Takes the steps of one plan and remembers how each resource type ended."""

    def __init__(self, source: Source, connector: Connector, decoding: Decoding, asking: Asking, gathering: Gathering,
                 progress: Callable[[Step], None], can: Capability, world: World) -> None:
        """Take what one reading works with."""
        self._source, self._connector, self._decoding, self._world = source, connector, decoding, world
        self._asking, self._gathering, self._progress, self._can = asking, gathering, progress, can
        self._ended: dict[str, list[Reading]] = {}
        self._why: Counter[str] = Counter()
        self._first_why: dict[str, str] = {}  # resource type -> why it was not read, in the word that came first
        self._skipped = frozenset(str(connector.quirks.get("skip", "")).split())
        self._pages: Counter[str] = Counter()
        self._arrived: Counter[str] = Counter()
        self._counting = threading.Lock()

    def plan(self) -> Iterator[Search]:
        """Give the steps: the plan's own, or each type whole where the source holds nothing but ours."""
        if not _whole(self._connector):
            yield from self._connector.plan
            return
        for resource in sorted(self._gathering.views.resources):
            yield Search(resource, optional=all(s.optional for s in self._connector.plan if s.resource == resource))

    def take(self, step: Search) -> None:
        """Ask what one step asks, in blocks of ids where it asks by ids."""
        resource = step.resource
        if resource in self._skipped or not self._can.has(resource):
            return
        if not self._asking.login.permits(resource):
            self.end(resource, Reading.NOT_PERMITTED, "scope")
            return
        if step.ids_parameter and not self._can.searches(resource, step.ids_parameter):
            self._why["search_not_supported"] += 1
            self._ended.setdefault(resource, [])
            return
        asked, before = 0, self._arrived[resource]
        try:
            for together in self._questions(step):
                asked += sum(q.parameters.get("_id", "").count(",") + 1 for q in together)
                # Asked at the same time, taken in their order: the first trouble ends the step.
                for found in self._world.together(self._asked, together, self._source.limits.connections):
                    self._take(resource, found)
            if step.ids_parameter == "_id" and 2 * (self._arrived[resource] - before) < asked:
                # Its own records name them: without them nobody knows, for example, who has died.
                self.end(resource, Reading.INCOMPLETE, "few_by_id")
        except Stopped as fault:
            self._stopped(step, fault)
        except ServerFault:
            self.end(resource, Reading.FAILED, "server_fault")

    def _questions(self, step: Search) -> Iterator[list[Question]]:
        """Give the questions of a step, together those of which none waits for the answer to another."""
        fixed = {name: self._filled(value) for name, value in step.parameters.items()}
        spare = {"_elements": ",".join(self._gathering.views.elements(step.resource)),
                 "_count": str(self._source.limits.page_size)}
        if not step.ids_of:
            if all(fixed.values()):
                yield [Question(step.resource, {**fixed, **spare}, spare=_SPARE)]
            return
        self._inherit(step)
        asked: set[str] = set()
        for _ in range(_LEVELS if step.ids_of == step.resource else 1):
            ids = sorted(self._ids(step) - asked)
            asked.update(ids)
            if not ids:
                return
            blocks = [",".join(ids[start : start + step.block]) for start in range(0, len(ids), step.block)]
            yield [Question(step.resource, {**fixed, step.ids_parameter: block, **spare}, in_body=True, spare=_SPARE)
                   for block in blocks]

    def _ids(self, step: Search) -> set[str]:
        known, referred = self._gathering.known[step.ids_of], self._gathering.referred[step.ids_of]
        if step.ids_of == "Patient":
            return known | referred
        # Where no organisation carries a location's identifier, those that manage its places are asked about people;
        # not about places, since a group would give those of all its homes.
        places = step.resource in ("Location", "Organization")
        return known or (set() if places else referred)

    def _inherit(self, step: Search) -> None:
        """What could not be found cannot be asked by: the trouble of an earlier type is this type's too."""
        if step.ids_of != step.resource:
            for reading in self._ended.get(step.ids_of, ()):
                if reading is not Reading.READ:
                    self.end(step.resource, reading, "earlier_step")

    def _asked(self, question: Question) -> "Found | Stopped | ServerFault":
        """Ask one question; may run in a thread of its own."""
        of = question.resource
        done = Counter[str]()

        def page_read(found: Found) -> None:
            with self._counting:
                self._pages[of] += found.pages - done["pages"]
                self._arrived[of] += found.received(of) - done["arrived"]
                done["pages"], done["arrived"] = found.pages, found.received(of)
                self._progress(Step(self._source.name, of, self._pages[of], self._arrived[of]))

        server = Server(self._asking, self._gathering.page, self._source.limits.max_pages)
        try:
            return search(server, question, page_read)
        except (Stopped, ServerFault) as fault:
            return fault

    def _take(self, of: str, found: "Found | Stopped | ServerFault") -> None:
        if isinstance(found, Exception):
            raise found
        self._gathering.add(found.batches)
        for kind, n in (("changed_while_read", int(found.changed)), ("duplicate", repeated(found))):
            if n:
                self._gathering.records.findings[Finding(kind, of, "")] += n
        self.end(of, found.reading, "incomplete")

    def _stopped(self, step: Search, fault: Stopped) -> None:
        if fault.kind == "no_such_type" and step.optional:
            self._why[fault.kind] += 1
        elif fault.kind == "search_not_supported" and self._another_way(step):
            self._why[fault.kind] += 1
            self._gathering.records.findings[Finding("search_not_supported", step.resource, "")] += 1
        else:
            self.end(step.resource, fault.reading, fault.kind)

    def _another_way(self, step: Search) -> bool:
        return sum(other.resource == step.resource for other in self._connector.plan) > 1

    def _filled(self, value: str) -> str:
        year_ago = (self._decoding.as_at - _OLDEST_DOSE).date().isoformat()
        sites = ",".join(map(_escaped, sorted(self._decoding.sites)))
        return value.replace("{sites}", sites).replace("{year_ago}", year_ago)

    def end(self, resource: str, reading: Reading, why: str) -> None:
        """Note how a reading of a type ended, and in one word why."""
        self._ended.setdefault(resource, []).append(reading)
        if reading is not Reading.READ:
            self._why[why] += 1
            if resource not in self._first_why:
                events.warning("type_not_read", source=self._source.name, resource=resource, state=reading, reason=why)
            if self._first_why.get(resource, "earlier_step") == "earlier_step":
                self._first_why[resource] = why

    def finished(self, *, note_repeats: bool = False) -> Records:
        """Give the records with how each table's reading ended; raises where no type at all could be read."""
        ended = {of: _worst(all_of) for of, all_of in self._ended.items() if all_of}
        if ended and Reading.READ not in ended.values() and Reading.INCOMPLETE not in ended.values():
            raise self._nothing_read(ended)
        if not ended:
            raise self._unreadable("it has none of the record types that the connector reads.")
        records = self._gathering.finish(note_repeats=note_repeats)
        if not any(records.received.values()) and (closed := self._not_permitted()):
            raise self._closed_to_us(closed)
        not_searched = {of for of, why in self._first_why.items() if why == "search_not_supported"}
        records.reading.update(readings(self._connector, ended, records.received, not_searched=not_searched))
        records.refusals += self._refusals(records)
        return records

    def _not_permitted(self) -> list[str]:
        return sorted(of for of, why in self._first_why.items() if why in ("scope", "not_permitted"))

    def _closed_to_us(self, types: list[str]) -> SourceRefused:
        """Say that what is permitted holds nothing: without Location, for example, nothing of a home can be found."""
        return SourceRefused(
            f'Source "{self._source.name}"',
            f"it does not permit us to read {', '.join(types)}, and without that nothing of ours is found.",
            "The return was not prepared. We will not try again by ourselves.",
            "Ask the supplier to grant read access to the types named in the connector's README.",
        )

    def _refusals(self, records: Records) -> Iterator[BridgeError]:
        """Say for people why types were not read whole, where a table is the worse for it."""
        spoilt = {view.resource for view in self._connector.views
                  if records.reading.get(view.table, Reading.READ) is not Reading.READ}
        for resource, why in sorted(self._first_why.items()):
            if resource in spoilt and why not in _NOT_OUR_LIMITS:
                yield _not_read(f'Source "{self._source.name}", {resource}', why)

    def _nothing_read(self, ended: Mapping[str, Reading]) -> Exception:
        where, now = f'Source "{self._source.name}"', "The return was not prepared."
        if set(ended.values()) == {Reading.NOT_PERMITTED}:
            return SourceRefused(where, "it lets us in but permits none of the record types that we read.",
                                 f"{now} We will not try again by ourselves.",
                                 "Ask the supplier to grant read access to the types named in the connector's README.")
        if self._why["server_fault"]:
            return SourceUnavailable(where, "it answers with a fault of its own.",
                                     f"{now} A running bridge tries again by itself.",
                                     "If this lasts, ask the supplier.")
        if self._why["foreign_link"]:
            return self._unreadable("its pages lead to another address than the configured one.")
        if self._why["malformed"]:
            return self._unreadable("its answers are not valid JSON.")
        return self._unreadable("it did not answer as a FHIR R4 server does.")

    def _unreadable(self, what: str) -> RecordsUnreadable:
        return RecordsUnreadable(f'Source "{self._source.name}"', what, "The return was not prepared.",
                                 "Check url in the configuration (many end in /fhir or /R4), then ask the supplier.")


def _whole(connector: Connector) -> bool:
    return connector.quirks.get("ask") == "everything"


def _not_read(where: str, why: str) -> BridgeError:
    now = "The figures that need these records have no value."
    if why in _TEMPORARY:
        return SourceUnavailable(where, _TEMPORARY[why], f"{now} A running bridge tries again by itself.",
                                 "If this lasts, ask the supplier.")
    return RecordsUnreadable(where, _LASTING.get(why, "it does not answer as a FHIR R4 server does."), now,
                             "Ask the supplier; the connector's README says what the bridge asks for.")


def _worst(readings_of_one: list[Reading]) -> Reading:
    return next((reading for reading in _WORST_FIRST if reading in readings_of_one), Reading.READ)


def _escaped(identifier: str) -> str:
    for mark in "\\,|$":
        identifier = identifier.replace(mark, "\\" + mark)
    return identifier
