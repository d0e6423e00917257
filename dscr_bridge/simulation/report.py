"""What a simulation found, as a table of faults and outcomes."""

import hashlib
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from dscr_bridge.simulation.hands import OUTCOMES
from dscr_bridge.simulation.weather import EDIT_IN_BETWEEN, HANDS, KINDS, OFF, SCREENS

if TYPE_CHECKING:
    from dscr_bridge.simulation.year import Ended


@dataclass
class Report:
    """The sum of some simulated years."""

    seed: int
    years: int = 0
    asked: int = 0
    windows: Counter[str] = field(default_factory=Counter)
    tally: Counter[tuple[str, str]] = field(default_factory=Counter)
    violations: list[tuple[str, str]] = field(default_factory=list)  # the year's own seed, and what happened
    digests: list[str] = field(default_factory=list)

    def add(self, ended: "Ended") -> None:
        """Add a year."""
        self.years += 1
        self.asked += ended.asked
        self.windows += ended.windows
        self.tally += ended.tally
        self.violations += [(ended.seed, what) for what in ended.violations]
        self.digests.append(ended.digest)

    @property
    def digest(self) -> str:
        """Give a fingerprint of everything that happened: the same seed gives the same one."""
        return hashlib.sha256("".join(self.digests).encode()).hexdigest()

    def rows(self) -> list[tuple[str, str, list[int]]]:
        """Give the table: a kind of fault, what it is, and how the returns ended that it struck."""
        kinds = {**KINDS, **OFF, **HANDS, **SCREENS, **EDIT_IN_BETWEEN}
        return [(kind, words, [self.tally[kind, outcome] for outcome in OUTCOMES]) for kind, words in kinds.items()]

    def as_json(self) -> dict[str, Any]:
        """Give it for tools."""
        faults = {kind: dict(zip(OUTCOMES, counts, strict=True)) for kind, _, counts in self.rows()}
        return {"seed": self.seed, "years": self.years, "returns": dict(self.windows), "faults": faults,
                "questions": self.asked, "violations": [{"seed": s, "what": w} for s, w in self.violations],
                "digest": self.digest}  # fmt: skip

    def as_text(self) -> str:
        """Give it for a terminal."""
        columns = "".join(f"{n:>6}" for n in range(1, len(OUTCOMES) + 1))
        key = [f"  {n}  {outcome}" for n, outcome in enumerate(OUTCOMES, 1)]
        rows = [
            f"{kind:22}{''.join(f'{n:>6}' for n in counts)}   {words}"
            for kind, words, counts in self.rows()
            if sum(counts)
        ]
        total = f"{'all returns':22}{''.join(f'{self.windows[o]:>6}' for o in OUTCOMES)}"
        found = [f"VIOLATION in year {seed}: {what}" for seed, what in self.violations]
        said = f"{self.years} years, seed {self.seed}, {len(self.violations)} violations. Fingerprint of all that " \
               f"happened: {self.digest[:16]}"  # fmt: skip
        return "\n".join([f"{'':22}{columns}", *rows, total, "", *key, "", *found, said])

    def as_markdown(self) -> str:
        """Give the table as Markdown."""
        head = "| What went wrong | " + " | ".join(o.capitalize() for o in OUTCOMES) + " |"
        rule = "|---|" + "--:|" * len(OUTCOMES)
        rows = [
            f"| `{kind}`: {words} | " + " | ".join(str(n) for n in counts) + " |"
            for kind, words, counts in self.rows()
            if sum(counts)
        ]
        total = "| **all returns** | " + " | ".join(f"**{self.windows[o]}**" for o in OUTCOMES) + " |"
        return "\n".join([head, rule, *rows, total])
