"""What the law asks for, as data: editions, definitions, settings, campaigns, code lists.

Everything here is read from `mappings/`; a file with any mistake is refused whole, at load.
"""

from typing import TYPE_CHECKING

from dscr_bridge.later import later

if TYPE_CHECKING:
    from dscr_bridge.mapping.calendar import BankHolidays, bank_holidays, published_to
    from dscr_bridge.mapping.campaigns import Campaign, asked, load_campaigns
    from dscr_bridge.mapping.checking import check_file
    from dscr_bridge.mapping.code_file import check_digit_is_right
    from dscr_bridge.mapping.codes import Code, CodeList, load_code_list, load_codes
    from dscr_bridge.mapping.comparing import Changed, Difference, compare
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
    from dscr_bridge.mapping.examples import Example, load_examples
    from dscr_bridge.mapping.explain import Explanation, explain_item
    from dscr_bridge.mapping.explain_rules import RuleExplained, SettingExplained, explain_word, weight
    from dscr_bridge.mapping.fingerprints import code_files, definitions_sql, fingerprint
    from dscr_bridge.mapping.oddities import Oddity, load_oddities, oddity_of
    from dscr_bridge.mapping.settings import Setting, load_settings, resolve_settings

__all__ = [
    "BankHolidays", "Campaign", "Changed", "Code", "CodeList", "Comparison", "Difference", "Edition", "Example",
    "Explanation", "Item", "Oddity", "Rule", "RuleExplained", "Setting", "SettingExplained", "asked", "bank_holidays",
    "check_digit_is_right", "check_file", "code_files", "compare", "definitions_sql", "edition_for", "edition_ids",
    "edition_named", "explain_item", "explain_word", "fingerprint", "folder", "load_campaigns", "load_code_list",
    "load_codes", "load_edition", "load_examples", "load_oddities", "load_settings", "oddity_of", "published_to",
    "resolve_settings", "weight",
]  # fmt: skip

__getattr__ = later(__name__, {
    "calendar": ("BankHolidays", "bank_holidays", "published_to"),
    "campaigns": ("Campaign", "asked", "load_campaigns"),
    "checking": ("check_file",),
    "code_file": ("check_digit_is_right",),
    "codes": ("Code", "CodeList", "load_code_list", "load_codes"),
    "comparing": ("Changed", "Difference", "compare"),
    "edition": ("Comparison", "Edition", "Item", "Rule", "edition_for", "edition_ids", "edition_named", "folder",
                "load_edition"),
    "examples": ("Example", "load_examples"),
    "explain": ("Explanation", "explain_item"),
    "explain_rules": ("RuleExplained", "SettingExplained", "explain_word", "weight"),
    "fingerprints": ("code_files", "definitions_sql", "fingerprint"),
    "oddities": ("Oddity", "load_oddities", "oddity_of"),
    "settings": ("Setting", "load_settings", "resolve_settings"),
})  # fmt: skip
