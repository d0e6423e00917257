"""Tell the people who must act: by cause, state changes only, never a figure, and before the platform's own reminder.

What was told, when and to whom is an event in the provider's chain: it is the memory that keeps anything from being
told twice, and it stands in the evidence pack.  The messages are carried by Apprise in a process of its own, because
its plug-ins take more memory than the whole daemon and an address that hangs must not stop the clock.
"""

import json
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from dscr_bridge import log
from dscr_bridge.config import Contact, Provider
from dscr_bridge.errors import BridgeError, ConfigError
from dscr_bridge.notify.incidents import notices
from dscr_bridge.notify.ladder import quiet
from dscr_bridge.notify.notice import Notice, Told
from dscr_bridge.notify.way import way_to, way_to_all
from dscr_bridge.opening import Bridge
from dscr_bridge.window import LONDON

__all__ = ["Letter", "carried_by_apprise", "letters", "still_alive", "tick"]

_log = log.room("alerts")
CARRY_SECONDS = 90
IN_FULL = 5  # so many things stand in one letter with every word; more are listed with their next step
ALIVE_EVERY = timedelta(minutes=15)


@dataclass(frozen=True)
class Letter:
    """One message to one person."""

    contact: Contact
    subject: str
    text: str
    notices: tuple[Notice, ...]


Carry = Callable[[Sequence[tuple[str, Letter]]], Sequence[bool]]


def tick(bridge: Bridge, carry: Carry | None = None) -> int:
    """Tell what is new, and give how many letters went; nothing at all when nobody is configured to be told.

    A letter that nobody received is tried again with the next question; what reached somebody is never told again.
    """
    alerts = bridge.config.alerts
    if not alerts.contact:
        return 0
    now, sent = bridge.world.now(), 0
    for provider in bridge.config.provider:
        found = notices(bridge, provider, _told(bridge, provider), now)
        wanted = [n for n in found if n.urgent or not quiet(alerts, now)]
        if wanted:
            sent += _tell(bridge, provider, letters(bridge, provider, wanted, now), carry or carried_by_apprise)
    return sent


def letters(bridge: Bridge, provider: Provider, wanted: Sequence[Notice], now: datetime) -> list[Letter]:
    """Write who gets what: each by the one who must act, several at once as one, cover for those who are away."""
    alerts = bridge.config.alerts
    mine: dict[str, list[Notice]] = {}
    by_name = {c.name: c for c in alerts.contact}
    for contact in alerts.contact:
        for notice in wanted:
            if contact.role in notice.roles and _concerns(contact, notice):
                there = _present(contact, by_name, now)
                mine.setdefault(there.name, [])
                if notice not in mine[there.name]:
                    mine[there.name].append(notice)
    made = []
    for name, its in mine.items():
        contact = by_name[name]
        in_full = {n.key: f"{n.text}{way_to(bridge, contact, n, now)}" for n in its[:IN_FULL]}
        alone = Letter(contact, its[0].subject, in_full[its[0].key], (its[0],))
        made.append(alone if len(its) == 1 else _together(contact, provider, its, in_full, way_to_all(bridge)))
    return made


def still_alive(bridge: Bridge, last: datetime | None) -> datetime | None:
    """Call the dead man's address, at most every quarter of an hour; gives when it was called last."""
    secret, now = bridge.config.alerts.alive, bridge.world.now()
    if secret is None or (last is not None and now - last < ALIVE_EVERY):
        return last
    import httpx

    try:
        with httpx.Client(transport=bridge.world.transport, timeout=10) as client:
            client.get(secret.secret_value()).raise_for_status()
    except (httpx.HTTPError, BridgeError) as failure:
        _log.warning("alive_call_failed", error=type(failure).__name__)
        return last
    return now


def carried_by_apprise(letters_: Sequence[tuple[str, Letter]]) -> Sequence[bool]:
    """Carry letters to their addresses, and say of each whether it went; addresses go by a pipe, never by arguments."""
    job = json.dumps([{"to": to, "subject": one.subject, "text": one.text} for to, one in letters_])
    try:
        ended = subprocess.run([sys.executable, "-m", "dscr_bridge.notify.carry"], input=job.encode(),
                               capture_output=True, timeout=CARRY_SECONDS, check=True)  # fmt: skip
        answer = json.loads(ended.stdout)
    except (subprocess.SubprocessError, OSError, ValueError) as failure:
        _log.warning("carrying_failed", error=type(failure).__name__)
        return [False] * len(letters_)
    return [bool(went) for went in answer]


def _tell(bridge: Bridge, provider: Provider, made: Sequence[Letter], carry: Carry) -> int:
    addressed: list[tuple[str, Letter]] = []
    for one in made:
        try:
            addressed.append((one.contact.to.secret_value(), one))
        except ConfigError:
            _log.warning("address_missing")
    went = carry(addressed) if addressed else []
    reached: dict[str, tuple[Notice, list[str], list[str]]] = {}
    for (_, letter), good in zip(addressed, went, strict=True):
        for notice in letter.notices:
            _, to, failed = reached.setdefault(notice.key, (notice, [], []))
            (to if good else failed).append(letter.contact.name)
    for key, (notice, to, failed) in reached.items():
        if not to:
            _log.warning("not_delivered", kind=notice.kind)
            continue
        detail: Mapping[str, Any] = {"step": notice.step, "subject": notice.subject, "to": to, "failed": failed,
                                     "obligations": list(notice.obligations)}  # fmt: skip
        bridge.ledger.decide(f"provider:{provider.id}", "told", key, by="dscr-bridge", detail=detail)
        _log.info("told", kind=notice.kind)
    return sum(went)


def _told(bridge: Bridge, provider: Provider) -> Mapping[str, Told]:
    kept = bridge.ledger.decisions(f"provider:{provider.id}", "told")
    return {d.key: Told(d.detail["step"], d.at) for d in kept}


def _together(
    contact: Contact, provider: Provider, its: Sequence[Notice], in_full: Mapping[str, str], way: str
) -> Letter:
    """Put many notices into one letter, the urgent ones first; where they are only listed, with the way to all."""
    ordered = sorted(its, key=lambda n: (not n.urgent, n.subject))
    if len(ordered) <= IN_FULL:
        lines = [f"{n.subject}\n\n{in_full[n.key]}\n" for n in ordered]
    else:
        lines = [f"* {n.subject}\n  {n.next_step}" for n in ordered[:200]]
        lines += [f"... and {len(ordered) - 200} more: see the pages."] if len(ordered) > 200 else []
        lines += [way] if way else []
    return Letter(contact, f"{provider.name}: several returns need somebody", "\n".join(lines), tuple(ordered))


def _concerns(contact: Contact, notice: Notice) -> bool:
    if not contact.locations or not notice.obligations:
        return True
    return any(one.split("/")[0] in contact.locations for one in notice.obligations)


def _present(contact: Contact, by_name: Mapping[str, Contact], now: datetime) -> Contact:
    """Give who stands in for somebody that is away; one step only, so that two who cover each other do no harm."""
    today = now.astimezone(LONDON).date()
    for away in contact.away:
        if away.first <= today <= away.last:
            return by_name.get(away.cover, contact)
    return contact
