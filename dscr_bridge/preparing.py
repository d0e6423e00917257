"""Prepare one return: what was read becomes figures, the figures are checked, and what a person decided is applied.

Nothing leaves the building from here.  The keys that stand for people die with the block of `assembled`.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime

from dscr_bridge import mapping, privacy
from dscr_bridge.assemble import assemble, assemble_in_parts
from dscr_bridge.check import Freshness, NilEvidence, check, check_nil
from dscr_bridge.count import count
from dscr_bridge.errors import BridgeError, ConfigError, ReturnHeld
from dscr_bridge.ledger import Decision
from dscr_bridge.mapping.nil import load_nil
from dscr_bridge.opening import Bridge
from dscr_bridge.reading import (
    Read,
    counting_settings,
    decisions,
    declared_rows,
    entry,
    freshness,
    past_returns,
    read_sources,
)
from dscr_bridge.returns import CheckedReturn, Kind, Level, Obligation, Problem, Return, State, number
from dscr_bridge.tables import BED_TYPES, Waist
from dscr_bridge.window import Window


@dataclass(frozen=True)
class Prepared:
    """The figures of one obligation, counted and checked, and what stood in the way."""

    obligation: Obligation
    window: Window
    edition: mapping.Edition
    figures: Return
    problems: tuple[Problem, ...]
    passed: CheckedReturn | None
    failures: Mapping[str, Sequence[BridgeError]] = field(default_factory=dict)  # of its sources, by name
    holding: tuple[Problem, ...] = ()  # the problems that keep it from being sent
    freshness: tuple[Freshness, ...] = ()  # when its sources were read, and the newest change they stated
    coverage: tuple[tuple[str, str, str, int], ...] = ()  # table, how it was read, source, rows at this location

    @property
    def told(self) -> tuple[BridgeError, ...]:
        """What a person has to be told about its sources: of whole ones, and of files or types that were refused."""
        return tuple(failure for failures in self.failures.values() for failure in failures)

    def required(self) -> CheckedReturn:
        """Give the checked return.

        Where there is none it raises the failure of a source, which is the cause, else ReturnHeld with every reason.
        """
        if self.passed is not None:
            return self.passed
        for cause in self.told:
            raise cause
        reasons = "".join(f"\n  {p.message}" for p in self.holding)
        raise ReturnHeld(
            self.obligation.id,
            f"the return is held.{reasons}",
            "Nothing was sent.",
            "Mend the records or the configuration, or state what is missing (dscr-bridge declare --help), then "
            "prepare it again.",
        )


@contextmanager
def assembled(
    bridge: Bridge, wanted: Sequence[Obligation], rooms: privacy.RoomLabels | None = None
) -> Iterator[tuple[Waist, Read, datetime]]:
    """Read the sources of these obligations and join their records; with the block, all of a person is forgotten."""
    as_at = bridge.world.now()
    locations = list(dict.fromkeys(o.location for o in wanted))
    read = read_sources(bridge, locations, as_at, rooms)
    waist = assemble(read.records, [entry(bridge, one) for one in locations], {}, as_at)
    try:
        waist.add("operator_value", declared_rows(bridge, wanted, as_at))
        yield waist, read, as_at
    finally:
        waist.close()


def assembled_in_parts(
    bridge: Bridge, wanted: Sequence[Obligation]
) -> Iterator[tuple[Waist, Read, datetime, Sequence[Obligation]]]:
    """Do the same for some of the obligations after the others, where their sources say very much."""
    as_at = bridge.world.now()
    locations = list(dict.fromkeys(o.location for o in wanted))
    read = read_sources(bridge, locations, as_at)
    for waist, entries in assemble_in_parts(read.records, [entry(bridge, one) for one in locations], {}, as_at):
        here = {e.location for e in entries}
        these = [one for one in wanted if one.location in here]
        waist.add("operator_value", declared_rows(bridge, these, as_at))
        yield waist, read, as_at, these


def figures_of(
    bridge: Bridge,
    waist: Waist,
    obligation: Obligation,
    read: Read,
    as_at: datetime,
    edition: mapping.Edition | None = None,
) -> Prepared:  # fmt: skip
    """Count and check one return; under another edition than the window's own only to rehearse it."""
    provider, location = bridge.owing(obligation.location)
    window = bridge.window_named(obligation.window)
    edition = edition or mapping.edition_for(window.opens_on)
    figures = count(
        waist, edition, obligation.location, obligation.care_type, obligation.window, as_at,
        in_window=window.is_open(as_at), settings=counting_settings(location), campaigns=bridge.campaigns,
        fingerprint=bridge.fingerprint(edition, location),
    )  # fmt: skip
    fresh, past = tuple(freshness(read, location, simulated=bridge.world.simulated)), past_returns(bridge, obligation)
    found = check(
        figures, edition, decisions=decisions(bridge, provider, obligation), now=bridge.world.now(),
        previous=next(iter(past), None), freshness=fresh, history=past,
    )  # fmt: skip
    twice = {name: _told_twice(obligation, name) for name in waist.told_twice.get(obligation.location, ())}
    failures = {name: (*read.failures.get(name, ()), *twice.get(name, ()))
                for name in location.sources if name in read.failures or name in twice}  # fmt: skip
    holding = tuple(p for p in found.problems if p.level is Level.ERROR or p.rule in found.waiting)
    covered = waist.connection.execute("SELECT tbl, reading, source, rows FROM coverage WHERE loc_key = ?",
                                       (obligation.location,)).fetchall()  # fmt: skip
    return Prepared(obligation, window, edition, figures, found.problems, found.passed, failures, holding, fresh,
                    tuple(covered))  # fmt: skip


def _told_twice(obligation: Obligation, source: str) -> tuple[BridgeError, ...]:
    return (ConfigError(
        f'Location "{obligation.location}", source "{source}"',
        "two places in the record carry this location's identifier, and neither is part of the other.",
        "Nothing was counted and nothing was sent: nobody knows which of the two the return is about.",
        "Have the supplier take the identifier off the place that is not this location, or make it part of the other.",
    ),)  # fmt: skip


def as_nil(bridge: Bridge, fresh: Prepared, reason: str, by: str, looked_at: str) -> Prepared:
    """Turn freshly prepared figures into a nil return that a named person decided, if nothing speaks against it."""
    _, location = bridge.owing(fresh.obligation.location)
    unread = tuple(sorted(name for name in location.sources if name in fresh.failures))
    ret = replace(fresh.figures, kind=Kind.NIL, figures=(), context={}, diagnostics={}, nil_reason=reason)
    evidence = NilEvidence(by, looked_at, fresh.figures, bool(location.sources), unread)
    found = check_nil(ret, fresh.edition, evidence, load_nil())
    # The failure of a source is told by the nil rule: it is that rule which holds the return.
    return replace(fresh, figures=ret, problems=found.problems, passed=found.passed, holding=found.problems,
                   failures={})  # fmt: skip


def as_decided(bridge: Bridge, prepared: Prepared) -> Prepared:
    """Give the nil return where a named person decided one for this window; else the figures as they are."""
    stated = nil_stated(bridge, prepared.obligation)
    if stated is None:
        return prepared
    return as_nil(bridge, prepared, stated.note or "", stated.by, stated.detail.get("looked_at", ""))


def nil_stated(bridge: Bridge, obligation: Obligation) -> Decision | None:
    """Give the decision by which a named person reports nothing for this window, if there is one."""
    found = bridge.ledger.decisions(obligation.location, "nil_stated")
    return next((d for d in found if d.key == obligation.id), None)


def require_nothing_personal(prepared: Prepared) -> None:
    """Put the second lock on: only item ids, closed codes and numbers may leave."""
    words = {w for item in prepared.edition.items for w in (item.id, *item.options)} | {*State, *BED_TYPES}
    figures = {f.item: [f.state, number(f.value), dict(f.by or {})] for f in prepared.figures.figures}
    privacy.scan(figures, words, prepared.obligation.id)
