"""How far the bank holidays are published: dated data beside the definitions."""

import tomllib
from datetime import date
from functools import cache

from dscr_bridge.errors import DefinitionError
from dscr_bridge.mapping.edition import folder


@cache
def published_to() -> date:
    """The last day of the last year whose bank holidays GOV.UK has published; later windows are computed.

    Raises DefinitionError when `calendar.toml` does not say.
    """
    path = folder() / "calendar.toml"
    stated = tomllib.loads(path.read_text("utf-8")).get("published_to")
    if type(stated) is not date:
        raise DefinitionError(path.name, "published_to must be a date", "Nothing was counted.", "Mend the file.")
    return stated
