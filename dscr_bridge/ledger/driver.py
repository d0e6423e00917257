"""Run the ledger's few frequent statements on the database's own driver; SQLAlchemy writes each of them once.

One submission runs some thirty of them; the way through SQLAlchemy costs several times what SQLite takes to run one.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Dialect, Engine, Insert
from sqlalchemy.engine.interfaces import DBAPICursor
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import PoolProxiedConnection

Values = Mapping[str, Any]
_Written = tuple[str, Sequence[str] | None, dict[str, Any]]
_WRITTEN: dict[str, dict[Any, _Written]] = {}


class Driver:
    """The statements as one dialect writes them."""

    def __init__(self, dialect: Dialect) -> None:
        """Write them for a dialect; each when it is first run by any ledger of this process."""
        self._dialect = dialect
        self._written = _WRITTEN.setdefault(f"{dialect.name}+{dialect.driver}", {})

    def run(self, connection: PoolProxiedConnection, statement: Any, values: Values | Sequence[Values]) -> int:
        """Run a statement, once or for each of several rows, and say how many rows it changed.  Raises DBAPIError."""
        rows = [values] if isinstance(values, Mapping) else values
        with self._cursor(connection) as cursor:
            words, order, given = self._words(statement, rows[0])
            if len(rows) == 1:
                cursor.execute(words, _in_order(order, given, rows[0]))
            else:
                cursor.executemany(words, [_in_order(order, given, row) for row in rows])
            return cursor.rowcount

    def first(self, connection: PoolProxiedConnection, statement: Any, values: Values) -> tuple[Any, ...] | None:
        """Give the first row that a statement finds.  Raises DBAPIError."""
        with self._cursor(connection) as cursor:
            words, order, given = self._words(statement, values)
            cursor.execute(words, _in_order(order, given, values))
            found: tuple[Any, ...] | None = cursor.fetchone()
            return found

    def all(self, connection: PoolProxiedConnection, statement: Any, values: Values) -> Sequence[tuple[Any, ...]]:
        """Give every row that a statement finds.  Raises DBAPIError."""
        with self._cursor(connection) as cursor:
            words, order, given = self._words(statement, values)
            cursor.execute(words, _in_order(order, given, values))
            found: Sequence[tuple[Any, ...]] = cursor.fetchall()
            return found

    @contextmanager
    def lent(self, engine: Engine) -> Iterator[PoolProxiedConnection]:
        """Lend a connection for one statement that reads, which needs no transaction.  Raises DBAPIError."""
        with self._translated():
            connection = engine.raw_connection()
        try:
            yield connection
        finally:
            connection.close()

    @contextmanager
    def _cursor(self, connection: PoolProxiedConnection) -> Iterator[DBAPICursor]:
        with self._translated():
            cursor = connection.cursor()
            yield cursor
            cursor.close()

    @contextmanager
    def _translated(self) -> Iterator[None]:
        """Raise what the driver complains about as SQLAlchemy would."""
        error_class = self._dialect.loaded_dbapi.Error
        try:
            yield
        except error_class as error:
            raise DBAPIError.instance(None, None, error, error_class, dialect=self._dialect) from None

    def _words(self, statement: Any, values: Values) -> _Written:
        if statement not in self._written:
            # A plain insert names only the columns that it is given: the running number is the database's own.
            keys = list(values) if isinstance(statement, Insert) else None
            compiled = statement.compile(dialect=self._dialect, column_keys=keys)
            given = {name: value for name, value in compiled.params.items() if value is not None}
            self._written[statement] = (compiled.string, compiled.positiontup, given)
        return self._written[statement]


def _in_order(order: Sequence[str] | None, given: Values, values: Values) -> Any:
    """Give the values as the driver takes them: by their order, or by their names."""
    both = {**given, **values} if given else values
    return both if order is None else [both[name] for name in order]
