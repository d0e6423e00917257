"""What keeps persons out of figures: per-run keys, closed converters, and a guard over everything that leaves.

    Keys(run_key).token(scope, realm, value) -> int         a keyed hash that lives for one run
    Decoding(source, keys, as_at, sites, only_site, ...)    what every converter of one source needs to know
    record_keys(decoding)                                   the key functions of the views
    converter(column, decoding, note, ...) -> Converter     raw value -> cell, by the column's kind
    RoomLabels, room_label(name)                            what a room is called, where that can be a room's number
    scan(document, words), guard(text, words)               refuse what could name a person

A converter never lets a value through that it was not told of: what it cannot place becomes nothing and is noted by
kind, or the row is refused by `BadValue(kind)`.
"""

from dscr_bridge.privacy.codes import Codes, Labels, folded_label
from dscr_bridge.privacy.convert import Note, converter
from dscr_bridge.privacy.dates import DateOrder
from dscr_bridge.privacy.guard import PAYLOAD_WORDS, guard, scan
from dscr_bridge.privacy.keys import BETWEEN_PARTS, Decoding, Keys, Tokens, normalised, record_keys
from dscr_bridge.privacy.numbers import NhsNumber, nhs_number
from dscr_bridge.privacy.rooms import RoomLabels, room_label

__all__ = [
    "BETWEEN_PARTS",
    "PAYLOAD_WORDS",
    "Codes",
    "DateOrder",
    "Decoding",
    "Keys",
    "Labels",
    "NhsNumber",
    "Note",
    "RoomLabels",
    "Tokens",
    "converter",
    "folded_label",
    "guard",
    "nhs_number",
    "normalised",
    "record_keys",
    "room_label",
    "scan",
]
