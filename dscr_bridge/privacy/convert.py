"""Converters: a raw value of a source to the cell of a closed column, by the column's kind.

They run for every row, so each is a plain closure, and dates are remembered.  Anything unforeseen becomes nothing and
is noted by kind, or is refused by BadValue(kind): no value is ever passed on as it came, and none is in an exception.
"""

import re
from collections.abc import Callable
from typing import Any

from dscr_bridge.privacy.codes import Codes, folded_label
from dscr_bridge.privacy.dates import DateOrder, Moment, end_of, plausible, reader, start_of, utc_text
from dscr_bridge.privacy.keys import BETWEEN_PARTS, Decoding
from dscr_bridge.privacy.numbers import NhsNumber
from dscr_bridge.privacy.rooms import RoomLabels
from dscr_bridge.tables import Cell, Column, Kind
from dscr_bridge.views.shapes import BadValue, Converter

# Told of each oddity that does not refuse the row, by kind: unmapped, ambiguous_time, date_out_of_range,
# nhs_number_placeholder.
Note = Callable[[str], object]

_REMEMBERED = 20_000
_WHOLE = re.compile(r"[0-9]{1,6}")
_NUMBER = re.compile(r"(?:[0-9]{1,7}|[0-9]{1,3}(?:,[0-9]{3}){1,2})(?:\.[0-9]{1,4})?")
# "Agency 1", "BANK-02", "Agency nurse", "TBC": words for a kind of worker, and at most a short number.
_ANYBODY = re.compile(
    r"(?:agency|bank|cover|relief|temp|tbc|tba|unfilled|unallocated|vacant)"
    r"(?:[ _-]*(?:agency|bank|cover|staff|worker|carer|nurse|rgn|hca|shift))*[ _#-]*[0-9]{0,3}"
)
_LARGEST = 10_000_000
_TRUTH = {"yes": 1, "y": 1, "true": 1, "1": 1, "no": 0, "n": 0, "false": 0, "0": 0}


class Remembered(dict[Any, Cell]):
    """A converter that remembers what it made of a value.

    It is a dictionary so that the views look values up instead of calling; a value seen for the first time is worked
    out.  What is odd about a value is noted each time that it comes, so such a value is kept apart with its oddity.
    """

    def __init__(self, work: Callable[[Any], tuple[Cell, str]], note: Note) -> None:
        """Take what works out a cell and names its oddity, or gives an empty word; it may raise BadValue."""
        super().__init__()
        self._work, self._note = work, note
        self._odd: dict[Any, tuple[Cell, str]] = {}

    def __missing__(self, raw: Any) -> Cell:
        found = self._odd.get(raw)
        if found is None:
            if len(self) + len(self._odd) >= _REMEMBERED:
                self.clear()
                self._odd.clear()
            found = self._work(raw)
            if not found[1]:
                self[raw] = found[0]
                return found[0]
            self._odd[raw] = found
        self._note(found[1])
        return found[0]

    def __call__(self, raw: Any) -> Cell:
        """Convert as every converter does."""
        found = tuple(raw) if type(raw) is list else raw
        try:
            hash(found)
        except TypeError:  # an object or a list of objects is no value of a column
            raise BadValue("bad_type") from None
        return self[found]


def converter(
    column: Column,
    decoding: Decoding,
    note: Note,
    *,
    codes: Codes | None = None,
    order: DateOrder = DateOrder.ISO,
    scope: str = "",
    reads: str = "",
) -> Converter:
    """Make the converter of `column`.

    A code column needs `codes`; a key column needs the `scope` that its identifiers name; a truth column may have
    `codes` to "true" and "false".  `reads` is "nhs-number" (key) or "nhs-number-placeholder" (truth) for a column
    that is taken from one, "placeholder-worker" (truth) for one taken from a worker's number.  Raises ValueError where
    one of these is missing: a mistake of the program.
    """
    if reads == "placeholder-worker":
        return _worker_placeholder
    if reads:
        return _number_key(decoding, note) if reads == "nhs-number" else _number_placeholder(decoding)
    if column.kind in (Kind.START, Kind.END, Kind.DATE, Kind.DATE_LATEST):
        return _dated(column.kind, decoding, note, order)
    if column.kind is Kind.KEY:
        return _keyed(decoding, scope)
    if column.kind is Kind.SITE:
        return _sited(decoding)
    if column.kind is Kind.CODE:
        return _coded(column, codes, note)
    if column.kind is Kind.BOOL:
        return _truth(codes, note)
    return _whole if column.kind is Kind.INT else _decimal


def _dated(kind: Kind, decoding: Decoding, note: Note, order: DateOrder) -> Converter:
    read = reader(order, naive_is_london=decoding.naive_times_are_london)
    write: Callable[[Moment], Cell] = {
        Kind.START: lambda m: utc_text(start_of(m)), Kind.END: lambda m: utc_text(end_of(m)),
        Kind.DATE: lambda m: m.first.isoformat(), Kind.DATE_LATEST: lambda m: m.last.isoformat(),
    }[kind]  # fmt: skip
    of_period = kind in (Kind.START, Kind.END)

    def work(raw: Any) -> tuple[Cell, str]:
        if type(raw) is not str:
            raise BadValue("bad_type")
        moment = read(raw.strip())
        if of_period and not plausible(moment, decoding.as_at):
            return None, "date_out_of_range"
        return write(moment), "ambiguous_time" if moment.ambiguous else ""

    return Remembered(work, note)


def _keyed(decoding: Decoding, scope: str) -> Converter:
    if not scope:
        raise ValueError("a key column needs a scope")
    key = decoding.keys.of(scope, decoding.realm(scope))

    def convert(raw: Any) -> Cell:
        if type(raw) is not str:
            raise BadValue("bad_type")
        tidy = raw.strip()
        return key(tidy) if tidy else None

    return _noting_rooms(convert, decoding.rooms) if scope == "place" and decoding.rooms is not None else convert


def _noting_rooms(convert: Converter, rooms: RoomLabels) -> Converter:
    def noted(raw: Any) -> Cell:
        key = convert(raw)
        rooms.note(key, raw.rpartition(BETWEEN_PARTS)[2])
        return key

    return noted


def _number_key(decoding: Decoding, note: Note) -> Converter:
    key = decoding.keys.of("nhs-number", "")

    def convert(raw: Any) -> Cell:
        number = _nhs_number(raw, decoding)
        if number is None:
            raise BadValue("bad_nhs_number")
        if number.placeholder:
            note("nhs_number_placeholder")
        return key(number.digits)

    return convert


def _number_placeholder(decoding: Decoding) -> Converter:
    def convert(raw: Any) -> Cell:
        number = _nhs_number(raw, decoding)
        return 1 if number is None or number.placeholder else 0

    return convert


def _worker_placeholder(raw: Any) -> Cell:
    """Say whether a worker's number is a line of the rota that anybody may fill."""
    if type(raw) is not str:
        raise BadValue("bad_type")
    return int(_ANYBODY.fullmatch(raw.strip().casefold()) is not None)


def _nhs_number(raw: Any, decoding: Decoding) -> NhsNumber | None:
    if type(raw) is not str:
        raise BadValue("bad_type")
    return decoding.number(raw)


def _sited(decoding: Decoding) -> Converter:
    site = decoding.site

    def convert(raw: Any) -> Cell:
        for one in raw if type(raw) is list else (raw,):
            name = one[1] if type(one) is tuple else one
            if type(name) is str and (found := site(name)) is not None:
                return found
        return None

    return convert


def _coded(column: Column, codes: Codes | None, note: Note) -> Converter:
    if codes is None:
        raise ValueError("a code column needs a code list")
    lookup, fold = codes.lookup, codes.fold
    # A list checked at load gives nothing else; a list changed since then must not open the column.
    closed = frozenset(column.codes) or codes.canonical

    def work(raw: Any) -> tuple[Cell, str]:
        if type(raw) is str:
            found = lookup(None, raw)
        elif type(raw) is tuple:
            found = fold(_pairs(raw))
        else:
            raise BadValue("bad_type")
        return (found, "") if found in closed else (None, "unmapped")

    return Remembered(work, note)


def _pairs(raw: tuple[Any, ...]) -> list[tuple[str | None, str]]:
    pairs = [one if type(one) is tuple else (None, one) for one in raw]
    return [(system, code) for system, code in pairs if type(code) is str]


def _truth(codes: Codes | None, note: Note) -> Converter:
    def convert(raw: Any) -> Cell:
        if type(raw) is bool:
            return int(raw)
        if type(raw) is not str:
            raise BadValue("bad_type")
        word = codes.lookup(None, raw) if codes is not None else None
        found = _TRUTH.get(word or folded_label(raw))
        if found is None:
            note("unmapped")
        return found

    return convert


def _whole(raw: Any) -> Cell:
    if type(raw) is int and 0 <= raw < _LARGEST:
        return raw
    if type(raw) is str and _WHOLE.fullmatch(tidy := raw.strip()):
        return int(tidy)
    raise BadValue("bad_number")


def _decimal(raw: Any) -> Cell:
    if type(raw) in (int, float) and 0 <= raw < _LARGEST:
        return _short(float(raw))
    if type(raw) is str and _NUMBER.fullmatch(tidy := raw.strip()):
        return _short(float(tidy.replace(",", "")))
    raise BadValue("bad_number")


def _short(value: float) -> int | float:
    return int(value) if value.is_integer() else value
