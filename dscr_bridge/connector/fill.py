"""Checks one column's declaration against the record table's column and the code lists."""

import re
from collections.abc import Mapping

from dscr_bridge.connector.document import FileColumn, ViewColumn
from dscr_bridge.connector.shape import Filled
from dscr_bridge.mistakes import Mistake, nearest
from dscr_bridge.privacy import Codes, Labels
from dscr_bridge.tables import RECORDS, Cell, Column, Kind
from dscr_bridge.views.elements import resource_types

_KEY_FUNCTIONS = ("getResourceKey(", "getReferenceKey(")
_READS = {"nhs-number": Kind.KEY, "nhs-number-placeholder": Kind.BOOL, "placeholder-worker": Kind.BOOL}
_TRUTH = frozenset({"true", "false"})
# A code column without codes of its own holds names of the definitions, for example ids of data items.
_DEFINED_NAME = re.compile(r"[a-z][a-z0-9_]{2,59}")
# What an identifier can name: what the keys of the record tables stand for, or a resource type of the source.  A scope
# that is misspelt would make keys that meet no others, and the rows would be lost without a word.
_SCOPES = frozenset(
    column.name.removesuffix("_key") for table in RECORDS.values() for column in table.columns
    if column.kind is Kind.KEY
)  # fmt: skip


def view_column(
    column: Column, said: ViewColumn, where: str, lists: Mapping[str, Codes], mistakes: list[Mistake]
) -> Filled:
    """Check a view's column; what is wrong goes to `mistakes`."""
    values = _values(column, said, where, lists, mistakes)
    made = any(function in said.path for function in _KEY_FUNCTIONS)
    if column.kind is Kind.KEY and not (made or said.scope or said.reads):
        mistakes.append(Mistake(where, "must be getResourceKey(), getReferenceKey(), or have a scope."))
    _check_scope(said.scope, where, mistakes)
    return Filled(column, path=said.path, codes=said.codes, values=values, scope=said.scope, reads=said.reads,
                  collection=said.collection)


def file_column(
    column: Column, said: FileColumn, where: str, lists: Mapping[str, Codes], mistakes: list[Mistake]
) -> Filled:
    """Check a file's column; what is wrong goes to `mistakes`."""
    if sum((said.header is not None, bool(said.together), said.constant is not None)) != 1:
        mistakes.append(Mistake(where, "needs exactly one of header, together or constant."))
    constant = _fixed(column, said.constant, f"{where}, constant", mistakes)
    blank = _fixed(column, said.blank, f"{where}, blank", mistakes)
    values = None if said.constant is not None else _values(column, said, where, lists, mistakes)
    if column.kind is Kind.KEY and not (said.scope or said.reads):
        mistakes.append(Mistake(where, "needs a scope: what the identifier names, for example person."))
    _check_scope(said.scope, where, mistakes)
    if said.per_site and column.kind is not Kind.KEY:
        mistakes.append(Mistake(f"{where}, per_site", "is for keys only."))
    return Filled(column, headers=said.header or (), together=said.together, constant=constant, codes=said.codes,
                  values=values, scope=said.scope, per_site=said.per_site, reads=said.reads, required=said.required,
                  blank=blank)


def refused_targets(column: Column, targets: frozenset[str]) -> list[str]:
    """Name the codes that a column cannot hold."""
    if column.kind is Kind.BOOL:
        return sorted(targets - _TRUTH)
    if column.codes:
        return sorted(targets - set(column.codes))
    return sorted(t for t in targets if not _DEFINED_NAME.fullmatch(t))


def _check_scope(scope: str, where: str, mistakes: list[Mistake]) -> None:
    if scope and scope not in _SCOPES and scope not in resource_types():
        near = nearest(scope, _SCOPES | resource_types() if scope[0].isupper() else _SCOPES)
        mistakes.append(Mistake(f"{where}, scope", f'there is nothing called "{scope}" to name{near}'))


def _values(
    column: Column, said: ViewColumn | FileColumn, where: str, lists: Mapping[str, Codes], mistakes: list[Mistake]
) -> Labels | None:
    if said.reads and _READS[said.reads] is not column.kind:
        mistakes.append(Mistake(f"{where}, reads", f'"{said.reads}" does not fit a column of kind "{column.kind}".'))
    if column.kind not in (Kind.CODE, Kind.BOOL):
        if said.codes or said.values:
            mistakes.append(Mistake(where, f'a column of kind "{column.kind}" takes no codes or values.'))
        return None
    if said.codes and said.values:
        mistakes.append(Mistake(where, "needs either codes (a list) or values (words), not both."))
    if said.codes:
        _check_list(column, said.codes, where, lists, mistakes)
        return None
    return _own_words(column, said.values, where, mistakes)


def _check_list(column: Column, name: str, where: str, lists: Mapping[str, Codes], mistakes: list[Mistake]) -> None:
    if name not in lists:
        mistakes.append(Mistake(f"{where}, codes", f'there is no list "{name}"{nearest(name, lists)}'))
        return
    for target in refused_targets(column, lists[name].canonical):
        mistakes.append(Mistake(f"{where}, codes, {name}", _not_held(target, column)))


def _own_words(column: Column, said: Mapping[str, str | bool], where: str, mistakes: list[Mistake]) -> Labels | None:
    words = {word: str(code).lower() if isinstance(code, bool) else code for word, code in said.items()}
    for target in refused_targets(column, frozenset(words.values())):
        mistakes.append(Mistake(f"{where}, values", _not_held(target, column)))
    if words:
        return Labels(words)
    if column.kind is Kind.BOOL:
        return None
    if not column.codes:
        mistakes.append(Mistake(where, "needs codes (a list) or values (words)."))
    return Labels({code: code for code in column.codes})


def _fixed(column: Column, value: str | int | bool | None, where: str, mistakes: list[Mistake]) -> Cell:
    if value is None:
        return None
    if column.kind is Kind.CODE and isinstance(value, str):
        for target in refused_targets(column, frozenset({value})):
            mistakes.append(Mistake(where, _not_held(target, column)))
        return value
    if column.kind is Kind.BOOL and isinstance(value, bool):
        return int(value)
    if column.kind is Kind.INT and type(value) is int:
        return value
    mistakes.append(Mistake(where, f'does not fit a column of kind "{column.kind}".'))
    return None


def _not_held(target: str, column: Column) -> str:
    held = nearest(target, _TRUTH if column.kind is Kind.BOOL else column.codes)
    return f'the column does not hold "{target}"{held}'
