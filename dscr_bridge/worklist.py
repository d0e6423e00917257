"""The work list of words and codes that are on no list: where they stand and how many, never the code itself.

A mistyped code can hold anything, an NHS number too; so a person looks the word up in the product, and says once what
it means.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from dscr_bridge.connector import Connector
from dscr_bridge.connector.sources import element_of
from dscr_bridge.opening import Bridge
from dscr_bridge.reading import read_sources
from dscr_bridge.tables import Records


@dataclass(frozen=True)
class Unlisted:
    """Words or codes at one element of a source that no list knows."""

    source: str
    resource: str        # a resource type, or a file of the connector
    element: str         # an element path, or the header of a column
    n: int
    codes: str           # the list that was asked, where there is one
    own: bool            # it is a list of the connector: a source's setting can add words

    def says(self) -> str:
        """Say how many there are and what to do about it."""
        what = f'{self.n:,} {"value" if self.n == 1 else "values"} of "{self.element}" in {self.resource}'
        return f"{what}: {self.to_do}"

    @property
    def to_do(self) -> str:
        """Say what to do about it, without a number."""
        if self.own:
            return (f'not on the list "{self.codes}". Find the words in the product and give each a meaning in the '
                    f'source\'s settings: "codes.{self.codes}.<word>" = "<our code>".')  # fmt: skip
        if self.codes:
            return (f'not on the national list "{self.codes}" (mappings/codes/{self.codes}.toml). Send the codes, not '
                    "the records, to the integrator, who adds them with their source.")  # fmt: skip
        return "none of the words that this column takes. See the connector's README."


def of_records(records: Records, connector: Connector) -> list[Unlisted]:
    """Make the work list of one source from what was counted while it was read, the most frequent first."""
    found: Counter[tuple[str, str]] = Counter()
    for finding, n in records.findings.items():
        if finding.kind == "unmapped":
            found[finding.resource, finding.element] += n
    lists = {(place, element): codes for place, element, codes in _asked(connector) if codes}
    rows = []
    for (resource, element), n in found.items():
        codes = lists.get((resource, element), "")
        rows.append(Unlisted(records.source, resource, element, n, codes, codes in connector.codes))
    return sorted(rows, key=lambda row: (-row.n, row.resource, row.element))


def of_sources(bridge: Bridge) -> list[Unlisted]:
    """Read every source and make its work list; raises nothing for a source that fails, which has none."""
    read = read_sources(bridge, [one.location_id for _, one in bridge.config.locations()], bridge.world.now())
    return [row for records in read.records
            for row in of_records(records, bridge.connectors[records.source])]  # fmt: skip


def _asked(connector: Connector) -> Iterator[tuple[str, str, str]]:
    for view in connector.views:
        for column in view.columns:
            yield view.resource, element_of(column), column.codes
    for file in connector.files:
        for rows in file.rows:
            for column in rows.columns:
                yield file.name, element_of(column), column.codes
