"""Keeps Python's cyclic garbage collector from looking at rows: no row is in a cycle, and there are very many."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def at_rest() -> Iterator[None]:
    """Let the collector rest meanwhile, where it is at work; for steps that end soon."""
    at_work = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if at_work:
            gc.enable()
