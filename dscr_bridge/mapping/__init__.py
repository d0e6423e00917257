"""What the law asks for, as data: editions, definitions, settings, campaigns, code lists.

Everything here is read from `mappings/`; a file with any mistake is refused whole, at load.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping

from dscr_bridge import bundled
from dscr_bridge.mapping.calendar import published_to
from dscr_bridge.mapping.campaigns import (
    Campaign,
    asked,
    care_types_owed,
    load_campaigns,
    load_services,
)
from dscr_bridge.mapping.codes import (
    Code,
    CodeList,
    check_digit_is_right,
    code_list,
    load_code_list,
    load_codes,
)
from dscr_bridge.mapping.edition import (
    Comparison,
    Edition,
    Item,
    Rule,
    edition_for,
    edition_ids,
    edition_named,
    folder,
    load_edition,
)
from dscr_bridge.mapping.explain import Explanation, explain_item
from dscr_bridge.mapping.settings import Setting, load_settings, resolve_settings

__all__ = [
    "Campaign", "Code", "CodeList", "Comparison", "Edition", "Explanation", "Item", "Rule", "Setting", "asked",
    "care_types_owed", "check_digit_is_right", "code_list", "definitions_sql", "edition_for", "edition_ids", "edition_named",
    "explain_item", "fingerprint", "folder", "load_campaigns", "load_code_list", "load_codes", "load_edition",
    "load_services", "load_settings", "published_to", "resolve_settings",
]  # fmt: skip


def definitions_sql() -> str:
    """The definitions: canonical tables in, the measures of the item language out."""
    return (folder() / "definitions.sql").read_text("utf-8")


def fingerprint(
    edition: Edition, connectors: Iterable[bytes] = (), settings: Mapping[str, object] | None = None
) -> str:
    """Fingerprint everything that decides a figure (SHA-256, hexadecimal).

    It covers the edition, definitions.sql, the settings and their defaults, the campaigns, the code lists, the bytes
    of the connectors in use and the provider's own settings.  The order of connectors does not matter.
    """
    files = ["definitions.sql", "settings.toml", "campaigns.toml"]
    parts = [edition.path.read_bytes()]
    parts += [(folder() / name).read_bytes() for name in files]
    parts += [path.read_bytes() for path in sorted((bundled.mappings() / "codes").glob("*.toml"))]
    parts += sorted(connectors)
    parts.append(json.dumps(dict(settings or {}), sort_keys=True, default=list).encode())
    whole = hashlib.sha256()
    for part in parts:
        whole.update(hashlib.sha256(part).digest())
    return whole.hexdigest()
