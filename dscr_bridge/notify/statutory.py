"""What the steps before the close, the CQC register and an enforcement case give to tell; each once."""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta

from dscr_bridge import cases, tending
from dscr_bridge.config import Provider
from dscr_bridge.ledger import Decision
from dscr_bridge.nearing import Step
from dscr_bridge.notify.notice import GROUP, MANAGER, SUPPLIER, Notice, Told
from dscr_bridge.opening import Bridge

WAKES = timedelta(hours=12)  # so near the close nothing waits for the morning
_OWNERS = {
    "provider": frozenset({MANAGER, GROUP}),
    "supplier": frozenset({SUPPLIER}),
    "integrator": frozenset({SUPPLIER}),
}
_RULES = {
    "sent": ("was sent by the rule that was chosen in advance", "Look at its receipt."),
    "stopped": (
        "was not approved, and the rule that was chosen in advance is to stop",
        "Approve it, or enter it by hand.",
    ),
    "held": ("was not approved, and the rule may not send it: it is held", "Open the fix list, and approve it."),
    "edition_not_approved": (
        "was not approved, and the rule may not send it: nobody approved the definitions",
        "Approve the definitions and the return.",
    ),
    "not_wholly_counted": (
        "was not approved, and the rule may not send it: not every figure is counted and free of warnings",
        "Look at it, and approve it.",
    ),
}


def statutory(bridge: Bridge, provider: Provider, told: Mapping[str, Told], now: datetime) -> Iterator[Notice]:
    """List what is new: steps that were taken before the close, drifts of the register, times to answer of a case."""
    yield from _of_steps(bridge, provider, told, now)
    yield from _of_drifts(bridge, provider, told, now)
    for due in cases.case_file(bridge, provider).deadlines:
        key = f"{provider.id}/case/{due.entry.n}"
        if key not in told:
            yield Notice(
                key,
                "due",
                "case",
                frozenset({MANAGER, GROUP}),
                True,
                f"{provider.name}: {due.entry.title}, answer by {due.by.day} {due.by:%B %Y}",
                f"{due.what[:1].upper()}{due.what[1:]}.",
                "The notice's own words win over the times here.",
                (),
            )


def _of_steps(bridge: Bridge, provider: Provider, told: Mapping[str, Told], now: datetime) -> Iterator[Notice]:
    window, names = bridge.window(now), {one.id: one.name for one in provider.location}
    soon = window.closes_at - now < WAKES  # until then it keeps for the morning
    if not window.is_open(now):
        return
    for step in Step:
        for made in bridge.ledger.decided(step.value):
            key = f"{made.key}/{step.value}"
            if made.chain in names and made.key.endswith(f"/{window.month}") and key not in told:
                yield _of_step(step, made, names[made.chain], key, soon)


def _of_step(step: Step, made: Decision, name: str, key: str, soon: bool) -> Notice:
    everybody = frozenset({MANAGER, GROUP})
    if step is Step.BY_HAND:
        files = ", ".join([made.detail["crib_sheet"], *made.detail["bulk_files"]])
        checked = (
            "" if made.detail["checked"] else " It has not passed its checks: the sheet says what is to be settled."
        )
        return Notice(
            key,
            "made",
            "by_hand",
            everybody,
            soon,
            f"{name}: it is not done yet; enter it by hand",
            "Type it in from the crib sheet, save, and confirm it.",
            f"Made in the data folder: {files}.{checked}",
            (made.key,),
        )
    if step is Step.ESCALATE:
        return Notice(
            key,
            "told",
            "escalated",
            frozenset({GROUP}),
            soon,
            f"{name}: it still waits for a person",
            "See to it that somebody acts on it.",
            "Nobody has acted on it so far, and the close comes nearer.",
            (made.key,),
        )
    says, act = _RULES[made.detail["outcome"]]
    return Notice(
        key,
        "followed",
        "rule_followed",
        everybody,
        True,
        f"{name}: it {says}",
        act,
        "Nobody approved it in time.",
        (made.key,),
    )


def _of_drifts(bridge: Bridge, provider: Provider, told: Mapping[str, Told], now: datetime) -> Iterator[Notice]:
    month, extract = bridge.window(now).month, bridge.register
    mine = (
        {one.id for one in provider.location} | {e.location for e in extract.of_provider(provider.id)}
        if extract
        else set()
    )
    for one in tending.drifts(bridge):
        key = f"{provider.id}/{month}/drift/{one.kind}/{one.location}"
        if (one.location in mine or not one.location) and key not in told:
            yield Notice(
                key,
                "found",
                "drift",
                _OWNERS[one.owner],
                False,
                f"{one.name or provider.name}: the CQC register and the configuration differ",
                one.act,
                one.says,
                (),
            )
