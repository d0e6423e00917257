"""Check any definitions file by itself: its name, or else what it holds, says which kind it is."""

from collections.abc import Callable, Mapping
from pathlib import Path

from dscr_bridge.mapping.calendar import bank_holidays
from dscr_bridge.mapping.campaigns import load_campaigns
from dscr_bridge.mapping.codes import load_code_list
from dscr_bridge.mapping.contacts import contacts
from dscr_bridge.mapping.drift import drift_kinds
from dscr_bridge.mapping.edition import load_edition
from dscr_bridge.mapping.examples import check_examples
from dscr_bridge.mapping.funnel_words import funnel_words
from dscr_bridge.mapping.mistakes import refused
from dscr_bridge.mapping.mods import load_mods
from dscr_bridge.mapping.nil import load_nil
from dscr_bridge.mapping.oddities import load_oddities
from dscr_bridge.mapping.penalties import check_penalties
from dscr_bridge.mapping.reading import document_of
from dscr_bridge.mapping.register_words import register_words
from dscr_bridge.mapping.services import service_types
from dscr_bridge.mapping.settings import load_settings

_BY_NAME: Mapping[str, Callable[[Path], object]] = {
    "calendar.toml": bank_holidays, "campaigns.toml": load_campaigns, "contacts.toml": contacts,
    "drift.toml": drift_kinds, "enforcement.toml": check_penalties, "funnel.toml": funnel_words, "mods.toml": load_mods,
    "nil.toml": load_nil, "oddities.toml": load_oddities, "register.toml": register_words,
    "services.toml": service_types, "settings.toml": load_settings,
}  # fmt: skip


def check_file(path: Path) -> None:
    """Check one file of `mappings/`, or one of the same kind elsewhere.  Raises DefinitionError with every mistake."""
    if path.name in _BY_NAME:
        _BY_NAME[path.name](path)
    elif path.name.endswith(".examples.toml"):
        check_examples(path)
    else:
        _by_content(path)


def _by_content(path: Path) -> None:
    document = document_of(path)
    if path.parent.name == "codes" or ("code" in document and "item" not in document):
        load_code_list(path)
    elif {"edition", "item", "rule"} & document.keys():
        load_edition(path)
    else:
        raise refused(path, [f"it is no edition, no code list, and none of {', '.join(_BY_NAME)}"])
