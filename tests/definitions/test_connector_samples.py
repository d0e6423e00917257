"""Every shipped connector that reads files gives, from its sample, exactly the rows that its sample says.

`sample/expected.json` holds the source's configuration, the rows by record table (nothing where a column is empty) and
the findings.  Keys are shown as what they were made of, by key functions of this test.
Run with DSCR_REWRITE_SAMPLES=1 to write what came out, then read it.
"""

import json
import os
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from dscr_bridge import bundled, connector
from dscr_bridge.config import Source
from dscr_bridge.connector.document import Part, Select
from dscr_bridge.mapping.codes import load_codes
from dscr_bridge.privacy import Decoding, normalised
from dscr_bridge.pull import pull
from dscr_bridge.returns import LocationId
from dscr_bridge.tables import RECORDS, Records
from dscr_bridge.world import World

SAMPLES = sorted(p.parent.parent for p in bundled.connectors().glob("*/sample/files"))
CANARIES = ("Synthetic", "never read", "A note that", "9990000018", "9990000026", "Bluebell")


class ReadableKeys:
    """Keys that say what they were made of."""

    def token(self, scope: str, realm: str, value: str, /) -> str:
        return f"key:{scope}:{value}".replace("\x1f", "|")

    def of(self, scope: str, realm: str, /) -> Callable[[str], str]:
        return partial(self.token, scope, realm)


def read(folder: Path, expected: Mapping[str, Any]) -> Records:
    now = datetime.fromisoformat(expected["as_at"])
    source = Source(name="sample", connector=folder.name, folder=folder / "sample" / "files",
                    settings=expected.get("settings", {}))
    national = load_codes()
    decoding = Decoding(
        source="sample", keys=ReadableKeys(), as_at=now, provider="1-1",
        sites={normalised(k): LocationId(v) for k, v in expected["sites"].items()}, naive_times_are_london=True,
    )
    declared = connector.load(folder.name, national).with_settings(source.settings)
    return pull(source, declared, decoding, national, World(now=lambda: now))


def in_one_order(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Files are read newest first, and a clone gives all of them one time: the order of rows promises nothing."""
    return sorted(rows, key=lambda row: json.dumps(row, sort_keys=True))


def shown(records: Records) -> dict[str, Any]:
    return {
        "rows": {
            table: in_one_order(
                [{k: v for k, v in zip(RECORDS[table].names, row, strict=True) if v is not None} for row in rows]
            )
            for table, rows in sorted(records.rows.items())
        },
        "reading": {table: str(how) for table, how in sorted(records.reading.items())},
        "findings": sorted([f.kind, f.resource, f.element, n] for f, n in records.findings.items()),
    }


@pytest.mark.parametrize("folder", SAMPLES, ids=[f.name for f in SAMPLES])
def test_the_sample_of_a_connector_gives_exactly_the_rows_it_says(folder: Path) -> None:
    path = folder / "sample" / "expected.json"
    expected = json.loads(path.read_text("utf-8"))
    found = shown(read(folder, expected))
    if os.environ.get("DSCR_REWRITE_SAMPLES"):
        path.write_text(written({**expected, **found}), "utf-8")
    rows = {table: in_one_order(rows) for table, rows in expected["rows"].items()}
    assert found == {**{k: expected.get(k) for k in found}, "rows": rows}


@pytest.mark.parametrize("folder", SAMPLES, ids=[f.name for f in SAMPLES])
def test_nothing_of_a_sample_that_the_connector_does_not_name_reaches_a_row(folder: Path) -> None:
    expected = json.loads((folder / "sample" / "expected.json").read_text("utf-8"))
    read_rows = repr(shown(read(folder, expected)))
    assert not [canary for canary in CANARIES if canary in read_rows]


def test_every_connector_has_a_readme_and_a_sample() -> None:
    for path in bundled.connectors().glob("*/connector.toml"):
        assert (path.parent / "README.md").is_file()
        assert (path.parent / "sample").is_dir()


@pytest.mark.parametrize("folder", SAMPLES, ids=[f.name for f in SAMPLES])
def test_the_readme_names_every_column_and_file_that_the_connector_reads(folder: Path) -> None:
    declared = connector.load(folder.name, load_codes())
    readme = (folder / "README.md").read_text("utf-8").replace("\\*", "*")
    headers = {header for file in declared.files for header in connector.headers_of(file)}
    patterns = {pattern for file in declared.files for pattern in file.patterns}
    assert not [word for word in sorted(headers | patterns) if word not in readme]


def written(document: Mapping[str, Any]) -> str:
    """Write one row a line."""
    lines = json.dumps(document, indent=1, ensure_ascii=False)

    def flat(found: re.Match[str]) -> str:
        return json.dumps(json.loads(found[0]), ensure_ascii=False)

    return re.sub(r"\{[^{}\[\]]*\}|\[[^{}\[\]]*\]", flat, lines) + "\n"


def test_the_guide_to_connectors_names_every_key_and_every_record_table_and_column() -> None:
    guide = (bundled.connectors() / "README.md").read_text("utf-8")
    keys = {key for part in Part.__subclasses__() + Select.__subclasses__() for key in part.model_fields}
    columns = {c.name for table in RECORDS.values() for c in table.columns}
    codes = {code for table in RECORDS.values() for c in table.columns for code in c.codes}
    words = set(re.findall(r"[A-Za-z0-9_]+", guide))
    assert sorted((keys | set(RECORDS) | columns | codes) - words) == []


def test_the_guide_names_every_shipped_connector() -> None:
    guide = (bundled.connectors() / "README.md").read_text("utf-8")
    shipped = [path.parent.name for path in bundled.connectors().glob("*/connector.toml")]
    assert not [name for name in shipped if f"`{name}`" not in guide]
