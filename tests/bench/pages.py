"""The same homes as a server gives them: Bundles of a thousand entries, one type a page."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.bench.baselines import Work

SIZE = 1000


def write(folder: Path) -> None:
    """Write `pages.lines` beside the NDJSON files of a folder: one Bundle a line."""
    with (folder / "pages.lines").open("wb") as out:
        for path in sorted(folder.glob("*.ndjson")):
            with path.open("rb") as lines:
                while page := [line.rstrip(b"\n") for _, line in zip(range(SIZE), lines, strict=False)]:
                    entries = b",".join(
                        b'{"fullUrl":"https://dscr.example/fhir/%b/x","resource":%b,"search":{"mode":"match"}}'
                        % (path.stem.encode(), one)
                        for one in page
                    )
                    out.write(b'{"resourceType":"Bundle","type":"searchset","entry":[%b]}\n' % entries)


def _pages(folder: Path) -> Iterator[bytes]:
    with (folder / "pages.lines").open("rb") as file:
        yield from file


def orjson_pages(folder: Path) -> Work:
    """Parse every page with orjson and do nothing with it."""
    import orjson

    def work() -> None:
        for page in _pages(folder):
            orjson.loads(page)

    return work


def bridge_pages(folder: Path, counting: Callable[[Any], Callable[[Any], None]]) -> Work:
    """From the pages to every figure of every home; answers checked."""
    from dscr_bridge import connector, mapping
    from dscr_bridge.privacy import Decoding, Keys
    from dscr_bridge.pull.gathering import Gathering
    from dscr_bridge.pull.reading import readings
    from dscr_bridge.pull.shelves import Batch
    from dscr_bridge.returns import LocationId
    from dscr_bridge.tables import Reading

    answers = json.loads((folder / "answers.json").read_text("utf-8"))
    codes = mapping.load_codes()
    loaded = connector.load("uk-core-fhir", national=codes)
    figures = counting(answers)
    as_at = datetime(2026, 11, 9, 12, tzinfo=UTC)

    def work() -> None:
        sites = {one: LocationId(one) for one in answers}
        decoding = Decoding(source="record", keys=Keys(bytes(32)), as_at=as_at, sites=sites)
        gathering = Gathering(loaded, decoding, codes, "2026-11-09T12:00:00Z", remember_ids=False)
        for page in _pages(folder):
            batch = Batch()
            gathering.page(page, batch)
            gathering.add([batch])
        records = gathering.finish(note_repeats=True)
        records.reading.update(readings(loaded, dict.fromkeys(records.received, Reading.READ), records.received))
        figures(records)

    return work
