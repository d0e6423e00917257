"""What one configured source says otherwise than its connector: words, headers, file names, dates.

    "codes.<list>.<word>" = "<our code>"     a word of this customer's own
    "header.<column>"     = "<its name>"     what this product calls a column of the README
    "file.<name>"         = "<pattern>"      what this product calls a file
    "dates", "encoding", "delimiter"         as in [tabular]
    "address"                                where people open the product, for the addresses of [links]
    a key of [quirks]                        another value of the same type
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import replace

from dscr_bridge.connector.document import TabularShape
from dscr_bridge.connector.fill import refused_targets
from dscr_bridge.connector.quirks import mistake_in
from dscr_bridge.connector.shape import Connector, File, Rows, Setting
from dscr_bridge.errors import ConfigError
from dscr_bridge.mistakes import Mistake, listed, nearest
from dscr_bridge.privacy import DateOrder

_TABULAR = ("dates", "encoding", "delimiter")


def applied(connector: Connector, settings: Mapping[str, Setting]) -> Connector:
    """Apply a source's settings.  Raises ConfigError with every mistake at once."""
    mistakes: list[Mistake] = []
    for key, value in settings.items():
        connector = _one(connector, key, value, mistakes)
    if mistakes:
        raise ConfigError(f'Settings of a source with connector "{connector.name}"', listed(mistakes),
                          "Nothing was read or sent.", "Mend them and run: dscr-bridge validate")
    return connector


def _one(connector: Connector, key: str, value: Setting, mistakes: list[Mistake]) -> Connector:
    kind, _, rest = key.partition(".")
    change = _CHANGES.get(kind) if rest else None
    if change is not None and isinstance(value, str):
        return change(connector, rest, value, mistakes)
    if key in _TABULAR and connector.files:
        return _tabular(connector, key, value, mistakes)
    if key == "address" and any("{address}" in link for link in connector.links.values()):
        return _addressed(connector, value, mistakes)
    if key in connector.quirks and type(value) is type(connector.quirks[key]):
        return _quirk(connector, key, value, mistakes)
    known = [*connector.quirks, *(_TABULAR if connector.files else ()), *(f"{k}.…" for k in _CHANGES)]
    mistakes.append(Mistake(key, f"is not a setting of this connector, or has the wrong type{nearest(key, known)}"))
    return connector


def _quirk(connector: Connector, key: str, value: Setting, mistakes: list[Mistake]) -> Connector:
    if wrong := mistake_in(key, value):
        mistakes.append(Mistake(key, wrong))
    return replace(connector, quirks={**connector.quirks, key: value})


def _addressed(connector: Connector, value: Setting, mistakes: list[Mistake]) -> Connector:
    if not isinstance(value, str) or not re.fullmatch(r"https://[^\s{}?#]+", value):
        mistakes.append(Mistake("address", "must be a web address that starts with https://, without a query."))
        return connector
    links = {name: link.replace("{address}", value.rstrip("/")) for name, link in connector.links.items()}
    return replace(connector, links=links)


def _words(connector: Connector, rest: str, value: str, mistakes: list[Mistake]) -> Connector:
    name, _, word = rest.partition(".")
    if name not in connector.codes or not word:
        mistakes.append(Mistake(f"codes.{name}", f"there is no such list{nearest(name, connector.codes)}"))
        return connector
    for column in (one for one in connector.columns if one.codes == name):
        for target in refused_targets(column.column, frozenset({value})):
            known = nearest(target, column.column.codes)
            mistakes.append(Mistake(f"codes.{name}", f"a word is given a code that is not one of the list's{known}"))
            return connector
    return replace(connector, codes={**connector.codes, name: connector.codes[name].and_words({word: value})})


def _header(connector: Connector, name: str, value: str, mistakes: list[Mistake]) -> Connector:
    known = {h for file in connector.files for h in headers_of(file)}
    if name not in known:
        mistakes.append(Mistake(f"header.{name}", f"the connector reads no such column{nearest(name, known)}"))
        return connector

    def called(names: tuple[str, ...]) -> tuple[str, ...]:
        return (value, *names) if name in names else names

    return replace(connector, files=tuple(_renamed(file, called) for file in connector.files))


def _renamed(file: File, called: Callable[[tuple[str, ...]], tuple[str, ...]]) -> File:
    def row(rows: Rows) -> Rows:
        columns = tuple(
            replace(c, headers=called(c.headers), together=tuple(map(called, c.together))) for c in rows.columns
        )
        return replace(rows, columns=columns, only_with=called(rows.only_with))

    return replace(file, location=called(file.location), rows=tuple(map(row, file.rows)))


def headers_of(file: File) -> frozenset[str]:
    """Give every header that a file's declaration names."""
    names = {*file.location}
    for rows in file.rows:
        names.update(rows.only_with)
        for column in rows.columns:
            names.update(column.headers, *column.together)
    return frozenset(names)


def _pattern(connector: Connector, name: str, value: str, mistakes: list[Mistake]) -> Connector:
    known = [file.name for file in connector.files]
    if name not in known or "/" in value or "\\" in value:
        said = f"must name a file and give a pattern without a path{nearest(name, known)}"
        mistakes.append(Mistake(f"file.{name}", said))
        return connector
    files = tuple(replace(f, patterns=(value,)) if f.name == name else f for f in connector.files)
    return replace(connector, files=files)


def _tabular(connector: Connector, key: str, value: Setting, mistakes: list[Mistake]) -> Connector:
    allowed = TabularShape.model_fields[key].annotation.__args__  # type: ignore[union-attr]
    if value not in allowed:
        mistakes.append(Mistake(key, f"must be one of {', '.join(map(repr, allowed))}."))
        return connector
    changed = {key: DateOrder(str(value)) if key == "dates" else value}
    return replace(connector, tabular=replace(connector.tabular, **changed))  # type: ignore[arg-type]


_CHANGES = {"codes": _words, "header": _header, "file": _pattern}
