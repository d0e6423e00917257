"""What a scenario says that a home counts to, in words, and what came out otherwise."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from dscr_bridge.returns import Number, Return, number

_GROUPS = ("nurses", "care", "noncare")
# Each word of the notation, and the figures that stand after it between strokes; those not sent stand in the context.
MEANS: Mapping[str, tuple[str, ...]] = {
    "beds": ("ch_beds_max_capacity", "ch_beds_occupied", "ch_beds_vacant_reserved", "ch_beds_vacant_accepting",
             "beds_other"),
    "capacity": ("ch_beds_max_capacity",),
    "residents": ("residents",),
    "direct": tuple(f"ch_staff_direct_{g}" for g in _GROUPS),
    "agency": tuple(f"ch_staff_agency_{g}" for g in _GROUPS),
    "covid": tuple(f"ch_absent_covid_{g}" for g in _GROUPS),
    "other": tuple(f"ch_absent_other_{g}" for g in _GROUPS),
    "flu": ("ch_vax_flu_residents",),
    "residents covid": ("ch_vax_covid_seasonal_residents",),
    "staff flu": ("ch_vax_flu_direct",),
    "agency flu": ("ch_vax_flu_agency",),
    "users": ("hc_service_users",),
}  # fmt: skip
# `by occupied general_nursing 1 general_residential 2`: the split by bed type; `by occupied -`: there is none.
_BY = "/by"
_STATES = {"capacity": "max_capacity", "accepting": "vacant_accepting", "reserved": "vacant_reserved"}
# Words of a home care location.
_OF_HOME_CARE = ("users",)


@dataclass(frozen=True)
class Wanted:
    """One expectation: figures of one home, complete or not."""

    home: str
    what: str
    figures: Mapping[str, Number | str | None]
    complete: bool = True


@dataclass(frozen=True)
class Difference:
    """One figure or oddity that came out otherwise."""

    home: str
    name: str
    wanted: str
    got: str

    def __str__(self) -> str:
        return f"{self.name} at {self.home} must be {self.wanted}, and is {self.got}"


def read_wanted(text: str) -> tuple[Wanted, ...]:
    """Read `beds 6/3/0/3/0; residents 3; B direct 0/1/0 incomplete`.  Raises ValueError for what makes no sense."""
    return tuple(_one(part) for part in text.split("; "))


def differences(wanted: Iterable[Wanted], returns: Mapping[str, Return]) -> Iterator[Difference]:
    """Give the figures that are not what is wanted; `returns` by home."""
    for one in wanted:
        ret = returns[one.home]
        for name, value in one.figures.items():
            got = value_of(ret, name)
            if got != value:
                yield Difference(one.home, name, _shown(value), _shown(got))
        if one.what == "by":
            continue
        incomplete = any(not figure.complete for figure in ret.figures if figure.item in one.figures)
        if incomplete is one.complete:
            yield Difference(one.home, one.what, *(("complete", "not") if one.complete else ("incomplete", "complete")))


def odd_differences(wanted: Mapping[str, int], home: str, got: Mapping[str, int]) -> Iterator[Difference]:
    """Give the oddities that are not seen as often as wanted, and those that nobody wanted."""
    for rule in sorted({*wanted, *got}):
        if wanted.get(rule, 0) != got.get(rule, 0):
            yield Difference(home, rule, str(wanted.get(rule, 0)), str(got.get(rule, 0)))


def value_of(ret: Return, name: str) -> Number | str | None:
    """Give a figure of a return, or a number of its context, as a plain number; None where there is none."""
    if name in ret.context:
        return ret.context[name]
    if name.endswith(_BY):
        by = ret.figure(name.removesuffix(_BY)).by
        return " ".join(f"{bed_type} {n}" for bed_type, n in sorted(by.items()) if n) if by else None
    value: Number | str | None = number(ret.figure(name).value)
    return value


def _one(text: str) -> Wanted:
    home, words = (text[0], text[2:].split()) if text[1:2] == " " and text[0].isupper() else ("", text.split())
    if words[0] == "by":
        named = {f"ch_beds_{_STATES.get(words[1], words[1])}{_BY}": None if words[2] == "-" else " ".join(words[2:])}
        return Wanted(home or "A", "by", named)
    cut = next((n for n, word in enumerate(words) if word[0].isdigit() or word[0] == "-"), len(words))
    what, numbers = " ".join(words[:cut]), words[cut].split("/") if cut < len(words) else []
    if what not in MEANS or len(numbers) != len(MEANS[what]) or words[cut + 1 :] not in ([], ["incomplete"]):
        raise ValueError(f"no such expectation: {text}")
    values = [_number(word) for word in numbers]
    return Wanted(home or ("C" if what in _OF_HOME_CARE else "A"), what,
                  dict(zip(MEANS[what], values, strict=True)), words[cut + 1 :] == [])  # fmt: skip


def _number(word: str) -> Number | None:
    return None if word == "-" else int(word)


def _shown(value: Number | str | None) -> str:
    return "no number" if value is None else str(value)
