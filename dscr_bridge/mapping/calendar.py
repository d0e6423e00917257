"""How far the bank holidays are published, and one-off days: dated data beside the definitions."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from pathlib import Path

from pydantic import Field

from dscr_bridge.mapping.edition import folder
from dscr_bridge.mapping.mistakes import refused
from dscr_bridge.mapping.reading import Shape, Text, read


class _File(Shape):
    published_to: date
    verification: Text
    extra_bank_holidays: list[date] = Field(default_factory=list)
    removed_bank_holidays: list[date] = Field(default_factory=list)


@dataclass(frozen=True)
class BankHolidays:
    """What is known of England's bank holidays beyond the calendar library."""

    published_to: date  # the last day of the last year whose bank holidays GOV.UK has published
    extra: tuple[date, ...]  # one-off days by proclamation that the library does not know yet
    removed: tuple[date, ...]

    def with_own(self, extra: Collection[date], removed: Collection[date]) -> "BankHolidays":
        """Add the days that an installation knows of; where the two differ about a day, the installation wins."""
        more, fewer = {*self.extra, *extra} - {*removed}, {*self.removed, *removed} - {*extra}
        return BankHolidays(self.published_to, tuple(sorted(more)), tuple(sorted(fewer)))


@lru_cache(maxsize=4)
def bank_holidays(path: Path | None = None) -> BankHolidays:
    """Load `calendar.toml`.  Raises DefinitionError with every mistake."""
    source = path or folder() / "calendar.toml"
    found = read(source, _File)
    if both := sorted(set(found.extra_bank_holidays) & set(found.removed_bank_holidays)):
        raise refused(source, [f"{day}: stands under the extra and the removed bank holidays" for day in both])
    return BankHolidays(found.published_to, tuple(found.extra_bank_holidays), tuple(found.removed_bank_holidays))


def published_to() -> date:
    """The last day of the last year whose bank holidays GOV.UK has published; later windows are computed.

    Raises DefinitionError when `calendar.toml` does not say.
    """
    return bank_holidays().published_to
