"""Check any definitions file by itself: its name, or else what it holds, says which kind it is."""

import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path

from dscr_bridge.mapping.campaigns import load_campaigns
from dscr_bridge.mapping.codes import load_code_list
from dscr_bridge.mapping.drift import drift_kinds
from dscr_bridge.mapping.edition import load_edition
from dscr_bridge.mapping.examples import check_examples
from dscr_bridge.mapping.mistakes import refused, unreadable
from dscr_bridge.mapping.nil import load_nil
from dscr_bridge.mapping.oddities import load_oddities
from dscr_bridge.mapping.services import service_types
from dscr_bridge.mapping.settings import load_settings

_BY_NAME: Mapping[str, Callable[[Path], object]] = {
    "campaigns.toml": load_campaigns, "drift.toml": drift_kinds, "nil.toml": load_nil, "oddities.toml": load_oddities,
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
    try:
        document = tomllib.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as fault:
        raise unreadable(path, fault) from None
    if path.parent.name == "codes" or ("code" in document and "item" not in document):
        load_code_list(path)
    elif {"edition", "item", "rule"} & document.keys():
        load_edition(path)
    else:
        raise refused(path, [f"it is no edition, no code list, and none of {', '.join(_BY_NAME)}"])
