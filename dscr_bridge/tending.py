"""Keep the obligations right between windows: read the CQC register each month, and name every drift before the 8th."""

from datetime import datetime, timedelta

from dscr_bridge import log, register
from dscr_bridge import obligations as owing_rules
from dscr_bridge.config import CqcRegister
from dscr_bridge.deciding import named, refused
from dscr_bridge.errors import BridgeError, ConfigError
from dscr_bridge.ledger import Decision
from dscr_bridge.obligations import Drift, Step
from dscr_bridge.opening import SOFTWARE, Bridge
from dscr_bridge.register import Extract
from dscr_bridge.window import LONDON

_log = log.room("register")
AGAIN = timedelta(hours=6)  # after a reading that failed
READ, STEP_DONE = "register_read", "checklist_done"


def check_register(bridge: Bridge) -> tuple[Extract, list[Drift]]:
    """Read the register anew, keep it, note it with its drifts in each provider's chain, and give both.

    Raises ConfigError where none is configured; SourceUnavailable, SourceRefused or RecordsUnreadable.
    """
    configured = bridge.config.cqc_register
    if configured is None:
        raise ConfigError(
            "register",
            "no extract of the CQC register is configured.",
            "Nothing was compared.",
            "Add [cqc_register] with file or url.",
        )
    extract = _read(bridge, configured)
    register.save(extract, bridge.config.data_folder / "register.json")
    found = drifts(bridge)
    for provider in bridge.config.provider:
        ids = {one.id for one in provider.location} | {e.location for e in extract.of_provider(provider.id)}
        mine = [f"{d.kind}/{d.location}" for d in found if d.location in ids]
        bridge.ledger.decide(
            f"provider:{provider.id}",
            READ,
            bridge.window().month,
            by="dscr-bridge",
            detail={"origin": extract.origin, "sha256": extract.sha256, "drifts": mine},
        )
    for one in found:
        _log.warning("drift_found", location=one.location, kind=one.kind)
    return extract, found


def drifts(bridge: Bridge) -> list[Drift]:
    """List in what the kept extract and the configuration differ."""
    extract, now = bridge.register, bridge.world.now()
    today = now.astimezone(LONDON).date()
    return owing_rules.drifts(bridge.config, extract, today, old=extract is not None and extract.is_old(now))


def tend(bridge: Bridge, tried: datetime | None) -> datetime | None:
    """Read the register once in each month, as soon as the month has begun; gives when it was tried last."""
    now = bridge.world.now()
    if bridge.config.cqc_register is None or (tried is not None and now - tried < AGAIN):
        return tried
    extract = bridge.register
    if extract is not None and _month(extract.read_at) == _month(now):
        return tried
    try:
        check_register(bridge)
    except (BridgeError, OSError) as failure:
        _log.error("reading_failed", error=type(failure).__name__)
    return now


def checklist(bridge: Bridge, wanted: str) -> list[tuple[Step, Decision | None]]:
    """Give what a location needs before its first return, each with who said that it is done.

    Raises ConfigError where the day of its registration is not known.
    """
    _, location = bridge.config.location(wanted)
    extract = bridge.register
    steps = owing_rules.checklist(location, extract.entries.get(location.id) if extract else None)
    if not steps:
        raise refused("the day of its registration with CQC is not known.", "Set registered_on, or read the register.")
    done = {d.key: d for d in bridge.ledger.decisions(location.id, STEP_DONE)}
    return [(step, done.get(step.id)) for step in steps]


def tick_off(bridge: Bridge, wanted: str, step: str, *, by: str) -> Decision:
    """Record that a step of the checklist is done.  Raises ConfigError for another step."""
    known = [s.id for s, _ in checklist(bridge, wanted) if s.id != "first_return"]
    if step not in known:
        raise refused("the checklist has no such step.", f"Give one of: {', '.join(known)}.")
    return bridge.ledger.decide(bridge.config.location(wanted)[1].id, STEP_DONE, step, by=named(by))


def new_locations(bridge: Bridge) -> list[str]:
    """List the locations whose first return is still to come."""
    extract, today = bridge.register, bridge.world.now().astimezone(LONDON).date()
    return [
        one.id
        for _, one in bridge.config.locations()
        if owing_rules.is_new(one, extract.entries.get(one.id) if extract else None, today)
    ]


def _read(bridge: Bridge, configured: CqcRegister) -> Extract:
    providers = [p.id for p in bridge.config.provider]
    locations = [one.id for _, one in bridge.config.locations()]
    locations += [change.id for _, one in bridge.config.locations() if (change := one.predecessor) is not None]
    now = bridge.world.now()
    if configured.file is not None:
        return register.read_file(configured.file, providers, locations, now)
    assert configured.url is not None and configured.key is not None  # noqa: S101  (the configuration's own check)
    return register.ask_api(
        configured.url,
        configured.key.secret_value(),
        providers,
        locations,
        now,
        header=configured.header,
        software=SOFTWARE,
        ca_file=configured.ca_file,
        transport=bridge.world.transport,
    )


def _month(at: datetime) -> tuple[int, int]:
    there = at.astimezone(LONDON)
    return there.year, there.month
