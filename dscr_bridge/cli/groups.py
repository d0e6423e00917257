"""The commands in the order in which people need them: who begins reads the first five and may stop there."""

from collections.abc import Mapping
from typing import Any

from typer.core import TyperGroup

FIRST = "Begin here"
GROUPS: Mapping[str, tuple[str, ...]] = {
    FIRST: ("demo", "init", "validate", "preview", "submit"),
    "Every month, for who answers for the return (the pages do the same)": (
        "status", "open", "declare", "explain", "approve", "hold", "accept", "unchanged", "nil", "confirm", "receipts",
        "pause", "resume"),
    "Once, and when something changes": (
        "practice", "assess", "shadow", "edition", "contacts", "account", "config", "allow", "override"),
    "Let it run, and look after it": ("run", "service", "serve", "health", "doctor", "verify", "ledger", "fleet"),
    "What the law asks, and proof": (
        "windows", "obligations", "checklist", "register", "enforcement", "cases", "evidence", "assurance"),
    "Ways out that a person carries": ("bulk", "portal"),
    "For suppliers, and to try things": ("kit", "sandbox", "simulate", "views-test"),
}  # fmt: skip


class ByTask(TyperGroup):
    """A group of commands whose help shows them under headings."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Give the names in the order of the headings; what stands under none comes last."""
        placed = [name for names in GROUPS.values() for name in names if name in self.commands]
        return placed + [name for name in self.commands if name not in placed]

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write the commands under their headings; the first ones with their whole sentence."""
        widest = max(map(len, self.commands))
        for heading, names in GROUPS.items():
            with formatter.section(heading):
                formatter.write_dl([(f"{name:{widest}}", self._says(name, heading, formatter.width - widest - 6))
                                    for name in names if name in self.commands])  # fmt: skip

    def _says(self, name: str, heading: str, room: int) -> str:
        return self.commands[name].get_short_help_str(200 if heading == FIRST else room)
