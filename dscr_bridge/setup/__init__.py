"""Set the bridge up: ask a person little, check as they answer, write a configuration that explains itself."""

from dscr_bridge.setup.answers import Answers, LocationAnswer, Login, ProviderAnswer, SourceAnswer
from dscr_bridge.setup.guide import Ask, guided
from dscr_bridge.setup.masking import masked
from dscr_bridge.setup.migrating import CURRENT, Migrated, migrated
from dscr_bridge.setup.practice import write_practice
from dscr_bridge.setup.schema import schema_text
from dscr_bridge.setup.writing import write_setup

__all__ = [
    "CURRENT", "Answers", "Ask", "LocationAnswer", "Login", "Migrated", "ProviderAnswer", "SourceAnswer", "guided",
    "masked", "migrated", "schema_text", "write_practice", "write_setup",
]  # fmt: skip
