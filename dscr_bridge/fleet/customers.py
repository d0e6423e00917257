"""The customers of a supplier: one configuration each, and nothing shared between two of them.

The rule: hard isolation is between customers.  No two have a data folder, a ledger, a secret, a folder of records, a
provider or a location in common; what two providers of one customer share is that customer's own business.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from dscr_bridge import config as configuration
from dscr_bridge.config import Config, Secret
from dscr_bridge.errors import ConfigError


@dataclass(frozen=True)
class Customer:
    """One customer and its configuration."""

    name: str  # of the file or the folder of its configuration
    config: Config


def load(place: Path) -> tuple[Customer, ...]:
    """Read one configuration, or every one of a directory: `NAME.toml` and `NAME/config.toml`.

    Raises ConfigError for a mistake in any of them, and for anything that two of them share.
    """
    if not place.is_dir():
        return (Customer(place.resolve().parent.name if place.name == "config.toml" else place.stem,
                         configuration.load(place)),)  # fmt: skip
    named = {one.stem: one for one in sorted(place.glob("*.toml"))}
    named |= {one.parent.name: one for one in sorted(place.glob("*/config.toml"))}
    if not named:
        raise ConfigError(str(place), "there is no configuration in this directory.", "Nothing was started.",
                          "Put NAME.toml, or a folder NAME with a config.toml, there for each customer.")  # fmt: skip
    customers = tuple(Customer(name, configuration.load(path)) for name, path in sorted(named.items()))
    require_isolated(customers)
    return customers


def by_location(customers: Sequence[Customer]) -> Mapping[str, Customer]:
    """Say whose each location is."""
    return {one.id: customer for customer in customers for _, one in customer.config.locations()}


def require_isolated(customers: Sequence[Customer]) -> None:
    """Raise ConfigError with everything that two customers share; no secret is shown, only where it is kept."""
    owners: dict[tuple[str, str], list[str]] = defaultdict(list)
    for customer in customers:
        for held in set(_held(customer.config)):
            owners[held].append(customer.name)
    shared = [f"\n  {what} {which}: {', '.join(names)}" for (what, which), names in sorted(owners.items())
              if len(names) > 1]  # fmt: skip
    if shared:
        raise ConfigError(
            "Customers", f"some of them share what belongs to one alone:{''.join(shared)}", "Nothing was started.",
            "Give each customer its own, or put providers that belong together into one configuration.",
        )  # fmt: skip


def _held(config: Config) -> Iterator[tuple[str, str]]:
    """Go through everything that one customer alone may have, as (what, which)."""
    yield "data folder", str(config.data_folder.resolve())
    if isinstance(config.ledger, str):  # a secret address is told apart by where it is kept
        yield "ledger", config.ledger
    for provider, location in config.locations():
        yield "provider", provider.id
        yield "location", location.id
    for source in config.source:
        if source.folder is not None:
            yield "folder of records", str(source.folder.resolve())
    yield from (("secret", _kept(secret)) for secret in _secrets(config))


def _secrets(part: Any) -> Iterator[Secret]:
    if isinstance(part, Secret):
        yield part
    elif isinstance(part, BaseModel):
        for name in type(part).model_fields:
            yield from _secrets(getattr(part, name))
    elif isinstance(part, tuple):
        for one in part:
            yield from _secrets(one)


def _kept(secret: Secret) -> str:
    """Say where a secret is kept, in words that tell two places apart."""
    place, value = next((n, v) for n in type(secret).model_fields if (v := getattr(secret, n)) is not None)
    return f"{place} {value.resolve()}" if isinstance(value, Path) else f"{place} {value}"
