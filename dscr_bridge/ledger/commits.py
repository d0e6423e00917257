"""One durable commit for everybody who writes at the same moment.

SQLite has one writer, and a commit that survives a power cut waits for the disk.  So whoever has finished its part
while others stand in line hands the open transaction on to the next, and waits; the last in line commits for all of
them.  Nobody goes on before what it wrote is on the disk.  A part that fails is taken back alone; a commit that fails,
fails for everybody in it.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from sqlalchemy import Connection, Engine

_MOST = 64  # parts of one commit: other processes want their turn too
# Said by ourselves: SQLAlchemy names every savepoint anew, which costs more than all that a part writes.
_SAVE, _KEEP, _TAKE_BACK = "SAVEPOINT part", "RELEASE part", "ROLLBACK TO part"
_SECONDS = 0.1  # after which one that waits looks whether the line has broken off


@dataclass
class _Shared:
    """A transaction that several threads write into, one after the other."""

    connection: Connection
    parts: int = 0
    ended: threading.Event = field(default_factory=threading.Event)
    failure: BaseException | None = None


class SharedCommits:
    """The line of threads that write to one SQLite ledger."""

    def __init__(self, engine: Engine) -> None:
        """Stand before an engine whose transactions begin as a writer's."""
        self._engine, self._turn, self._count = engine, threading.Lock(), threading.Lock()
        self._waiting = 0
        self._open: _Shared | None = None

    @contextmanager
    def part(self) -> Iterator[Connection]:
        """Write within the block; when it has ended, what was written is durable.  Raises what the database raises."""
        self._line_up()
        try:
            shared = self._open = self._open or _Shared(self._begin())
            yield from self._within(shared)
            shared.parts += 1
            if self._waiting == 0 or shared.parts >= _MOST:
                self._commit(shared)
        finally:
            self._turn.release()
        self._wait(shared)

    def _line_up(self) -> None:
        with self._count:
            self._waiting += 1
        try:
            self._turn.acquire()
        finally:
            with self._count:
                self._waiting -= 1

    def _begin(self) -> Connection:
        connection = self._engine.connect()
        try:
            connection.begin()
        except BaseException:
            connection.close()
            raise
        return connection

    def _within(self, shared: _Shared) -> Iterator[Connection]:
        """Lend the connection; what a part that fails has written is taken back, and the others' parts stay."""
        is_later = shared.parts > 0
        if is_later:
            shared.connection.exec_driver_sql(_SAVE)
        try:
            yield shared.connection
            if is_later:
                shared.connection.exec_driver_sql(_KEEP)
        except BaseException as failure:
            self._take_back(shared, is_later, failure)
            raise

    def _take_back(self, shared: _Shared, is_later: bool, failure: BaseException) -> None:
        if not is_later:
            return self._end(shared, None)
        try:
            shared.connection.exec_driver_sql(_TAKE_BACK)
            shared.connection.exec_driver_sql(_KEEP)
        except Exception:  # noqa: BLE001  (the database has given up the whole transaction, a full disk for example)
            return self._end(shared, failure)
        if self._waiting == 0:
            self._commit(shared)

    def _commit(self, shared: _Shared) -> None:
        try:
            shared.connection.commit()
        except BaseException as failure:
            shared.connection.invalidate()  # its transaction may still be open: nobody shall find it like that
            self._end(shared, failure)
            raise
        self._end(shared, None)

    def _end(self, shared: _Shared, failure: BaseException | None) -> None:
        self._open, shared.failure = None, failure
        try:
            shared.connection.close()
        finally:
            shared.ended.set()

    def _wait(self, shared: _Shared) -> None:
        while not shared.ended.wait(_SECONDS):
            # Whoever stood in line was interrupted before its turn came: the first to notice commits.
            if self._turn.acquire(blocking=False):
                try:
                    if self._open is shared:  # pragma: no branch  (it may end at this very moment)
                        self._commit(shared)
                finally:
                    self._turn.release()
        if shared.failure is not None:
            raise shared.failure
