"""The rules of an edition, applied to a return that is laid out for them."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from dscr_bridge.mapping import Comparison, Item, Rule, oddity_of
from dscr_bridge.mapping.vocabulary import CANONICAL
from dscr_bridge.returns import Figure, ItemId, Level, Number, Problem, Return, State

# A record of one table can spoil the figures that need another.
_PARTS = {"stay": {"stay", "stay_bed", "person"}, "service_user": {"service_user", "person"}}


@dataclass(frozen=True)
class Freshness:
    """When a source was read, and the newest change it stated itself, where it states one."""

    source: str
    read_at: datetime
    newest: datetime | None = None


@dataclass(frozen=True)
class Case:
    """A return laid out for its rules."""

    ret: Return
    items: Mapping[str, Item]
    figures: Mapping[str, Figure]
    sections: Mapping[str, tuple[ItemId, ...]]
    left_out: tuple[tuple[ItemId, str], ...]
    accepted: frozenset[str]
    previous: Return | None
    now: datetime | None
    freshness: tuple[Freshness, ...]
    history: tuple[Return, ...] = ()

    @property
    def held_out(self) -> frozenset[str]:
        """The items that are not sent: they cannot hold the return."""
        return frozenset(item for item, _ in self.left_out)

    def value(self, word: str) -> Number | None:
        """The number of an item or of a word of the context; None where there is none."""
        figure = self.figures.get(word)
        found = figure.value if figure else self.ret.context.get(word)
        return None if isinstance(found, str) else found


def apply(rule: Rule, case: Case) -> list[Problem]:
    if rule.compare:
        return _compared(rule, case)
    if rule.diagnostics:
        return _seen(rule, case)
    if rule.equal:
        return _equal(rule, case)
    if rule.ratio:
        return _ratio(rule, case)
    if rule.between:
        outside = [i for i in rule.between if _is_outside(case.value(i), rule)]
        return _touching(rule, case, outside)
    return _ASKED[str(rule.asks)](rule, case)


def _problem(rule: Rule, items: Iterable[str], level: Level | None = None, more: str = "") -> Problem:
    return Problem(rule.id, level or rule.level, f"{rule.says}{more}", tuple(items), rule.fixed_by)


def _touching(rule: Rule, case: Case, items: Iterable[str]) -> list[Problem]:
    """One problem for the items that are sent; what is wrong only with items that are not is a note."""
    found = list(items)
    sent = [item for item in found if item not in case.held_out]
    if not found:
        return []
    titles = "; ".join(case.items[item].title for item in sent or found)
    return [_problem(rule, sent or found, None if sent else Level.NOTE, f" Concerns: {titles}.")]


def _compared(rule: Rule, case: Case) -> list[Problem]:
    problems = []
    for comparison in rule.compare:
        items = [word for word in (*comparison.sum, *comparison.most) if word in case.items]
        if _is_exceeded(comparison, case, case.held_out):
            problems.append(_problem(rule, items))
        elif _is_exceeded(comparison, case, frozenset()):
            problems.append(_problem(rule, items, Level.NOTE))
    return problems


def _is_exceeded(comparison: Comparison, case: Case, but: frozenset[str]) -> bool:
    parts = [case.value(word) for word in comparison.sum if word not in but]
    limits = [case.value(word) for word in comparison.most]
    if any(limit is None for limit in limits) or but & {*comparison.most}:
        return False
    return _total(parts) > _total(limits)


def _total(numbers: Iterable[Number | None]) -> Decimal:
    return sum((Decimal(n) for n in numbers if n is not None), Decimal(0))


def _seen(rule: Rule, case: Case) -> list[Problem]:
    seen = [oddity_of(name).says(n) for name in rule.diagnostics if (n := case.ret.diagnostics.get(name))]
    return [_problem(rule, rule.touches, more=f" Seen: {'; '.join(seen)}.")] if seen else []


def _equal(rule: Rule, case: Case) -> list[Problem]:
    pairs = [(case.value(left), case.value(right)) for left, right in rule.equal]
    same = all(left is not None and left == right for left, right in pairs)
    return [_problem(rule, (i for pair in rule.equal for i in pair))] if same and any(n for n, _ in pairs) else []


def _is_outside(value: Number | None, rule: Rule) -> bool:
    if value is None:
        return False
    return (rule.least is not None and value < rule.least) or (rule.most is not None and value > rule.most)


def _ratio(rule: Rule, case: Case) -> list[Problem]:
    """Compare a sum per another sum with bounds; silent unless every figure of both is there."""
    assert rule.ratio is not None  # noqa: S101  (the family of the rule)
    parts, whole = ([case.value(word) for word in words] for words in rule.ratio)
    if any(n is None for n in (*parts, *whole)) or not _total(whole) or not _total(parts):
        return []
    outside = _is_outside(_total(parts) / _total(whole), rule)
    return _touching(rule, case, [w for words in rule.ratio for w in words if w in case.items]) if outside else []


def _required_absent(rule: Rule, case: Case) -> list[Problem]:
    missing = [
        i for i, item in case.items.items()
        if item.is_required and case.figures[i].value is None and case.figures[i].state is not State.NOT_ASKED
    ]  # fmt: skip
    return _touching(rule, case, missing)


def _incomplete(rule: Rule, case: Case) -> list[Problem]:
    return _touching(rule, case, [i for i in case.items if not case.figures[i].complete])


def _rejected(rule: Rule, case: Case) -> list[Problem]:
    return _spoilt("rejected.", rule, case)


def _unmapped(rule: Rule, case: Case) -> list[Problem]:
    return _spoilt("unmapped.", rule, case)


def _spoilt(kind: str, rule: Rule, case: Case) -> list[Problem]:
    """Items counted from a table of which some records were lost; a table nobody knows spoils every counted item."""
    tables = {name.removeprefix(kind) for name, n in case.ret.diagnostics.items() if n and name.startswith(kind)}
    touched = []
    for item_id, item in case.items.items():
        figure = case.figures[item_id]
        needs = set().union(*(_PARTS.get(table, {table}) for table in item.needs))
        from_rows = figure.state is State.COUNTED and figure.reason != "file_total"
        if from_rows and (tables & needs or tables - set(CANONICAL)):
            touched.append(item_id)
    return _touching(rule, case, touched)


def _stale(rule: Rule, case: Case) -> list[Problem]:
    if case.now is None:
        return []
    oldest = min([case.ret.as_at, *(source.read_at for source in case.freshness)])
    if case.now - oldest > _days(rule):
        return [_problem(rule, ())]
    return _touching(rule, case, _written_too_long_ago(rule, case, case.now))


def _written_too_long_ago(rule: Rule, case: Case, now: datetime) -> list[str]:
    """Find figures counted from a report that its source wrote too long ago, however lately it was read.

    Hours are of a month that is over; a declared figure and a file's total have a time of their own.
    """
    old = {f.source for f in case.freshness if f.newest is not None and now - f.newest > _days(rule)}
    return [
        i for i, item in case.items.items()
        if case.figures[i].state is State.COUNTED and case.figures[i].said_at is None
        and item.period != "last_month" and old & {*(case.figures[i].source or "").split("+")}
    ]  # fmt: skip


def _stale_declared(rule: Rule, case: Case) -> list[Problem]:
    """Find snapshot figures that a person or a file said too long before the moment of sending."""
    if case.now is None:
        return []
    old = []
    for item_id, item in case.items.items():
        said_at = case.figures[item_id].said_at
        asked_again = item.period == "snapshot" and item.lasts != "standing"
        if asked_again and said_at is not None and case.now - said_at > _days(rule):
            old.append(item_id)
    return _touching(rule, case, old)


def _provisional(rule: Rule, case: Case) -> list[Problem]:
    return _touching(rule, case, [i for i in case.items if case.figures[i].reason == "provisional"])


def _unchanged(rule: Rule, case: Case) -> list[Problem]:
    """Say whether a total has stood still for longer than homes of its size do."""
    now = _sum_of(case.ret, rule.of)
    since = case.ret.as_at
    for before in case.history:
        if now is None or _sum_of(before, rule.of) != now:
            break
        since = before.as_at
    limit = next((limit for size, limit in reversed(rule.steps) if now is not None and now >= size), None)
    still = limit is not None and (case.ret.as_at - since).days > limit
    return _touching(rule, case, rule.of if still else ())


def _sum_of(ret: Return, items: Iterable[str]) -> Decimal | None:
    figures = {f.item: f.value for f in ret.figures}
    values = [figures.get(ItemId(item)) for item in items]
    numbers = [v for v in values if v is not None and not isinstance(v, str)]
    return _total(numbers) if len(numbers) == len(values) else None


def _quiet(rule: Rule, case: Case) -> list[Problem]:
    quiet = [f.source for f in case.freshness if f.newest is not None and f.read_at - f.newest > _days(rule)]
    return [_problem(rule, (), more=f" Source: {', '.join(quiet)}.")] if quiet else []


def _days(rule: Rule) -> timedelta:
    return timedelta(days=int(rule.most or 0))


def _differs(rule: Rule, case: Case) -> list[Problem]:
    figures = case.figures.values()
    differing = [f.item for f in figures if f.counted_value is not None and f.counted_value != f.value]
    return _touching(rule, case, differing)


def _empty_home(rule: Rule, case: Case) -> list[Problem]:
    residents = case.value("residents")
    people = case.value("ch_beds_occupied") if residents is None else residents
    return [_problem(rule, ("ch_beds_occupied",))] if people == 0 and case.value("ch_beds_max_capacity") else []


def _jump(rule: Rule, case: Case) -> list[Problem]:
    return _far(rule, case, lambda item: item.period == "snapshot")


def _hours_jump(rule: Rule, case: Case) -> list[Problem]:
    return _far(rule, case, lambda item: item.type == "hours")


def _far(rule: Rule, case: Case, asked: Callable[[Item], bool]) -> list[Problem]:
    """A step is far if it is more than `least` and more than `most` per cent of the larger figure."""
    if case.previous is None:
        return []
    before = {f.item: f.value for f in case.previous.figures}
    far = []
    for item_id, item in case.items.items():
        new, old = case.value(item_id), before.get(ItemId(item_id))
        if not asked(item) or new is None or old is None or isinstance(old, str):
            continue
        step, size = abs(Decimal(new) - Decimal(old)), Decimal(max(new, old))
        if step > (rule.least or 0) and step * 100 > size * (rule.most or 0):
            far.append(item_id)
    return _touching(rule, case, far)


def _outside_window(rule: Rule, case: Case) -> list[Problem]:
    return [] if case.ret.in_window else [_problem(rule, ())]


_ASKED: dict[str, Callable[[Rule, Case], list[Problem]]] = {
    "required_absent": _required_absent,
    "incomplete": _incomplete,
    "records_rejected": _rejected,
    "codes_unmapped": _unmapped,
    "stale_snapshot": _stale,
    "source_quiet": _quiet,
    "declared_differs": _differs,
    "empty_home": _empty_home,
    "jump": _jump,
    "hours_jump": _hours_jump,
    "outside_window": _outside_window,
    "stale_declared": _stale_declared,
    "provisional": _provisional,
    "unchanged": _unchanged,
}
