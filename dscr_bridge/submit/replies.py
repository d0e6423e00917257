"""What the receiver's reply to a request means: taken, refused, not now, or nobody knows.

The words of every error are this project's own; nothing that the receiver wrote is repeated.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

import httpx

from dscr_bridge.errors import (
    BridgeError,
    ReceiverUnavailable,
    SubmissionRefused,
    SubmissionUnknown,
    WindowClosed,
)
from dscr_bridge.submit import AskedToWait, ChangedMeanwhile, SectionReceipt, Superseded, answers

MOST_WAIT = timedelta(hours=1)  # of a Retry-After that is believed
_ITEM = re.compile(r"[a-z]{2}_[a-z0-9_]{1,77}")


@dataclass(frozen=True)
class Reply:
    """A reply, read whole."""

    status: int
    headers: httpx.Headers
    raw: bytes


class NeverSeen(Exception):
    """The receiver says that there is no such submission."""


def unless_refused(reply: Reply, where: str, now: datetime) -> Reply:
    """Give the reply to a PUT if it may be a receipt; otherwise raise what is known."""
    if 200 <= reply.status < 300:
        return reply
    problem = _problem(reply)
    if problem is None:
        # A proxy, a login page, a half-broken receiver: the return may lie behind it or not.
        raise unknown(where, f"the answer ({reply.status}) is not one of the receiver's own")
    if problem.word in ("maintenance", "too-many-requests"):
        raise _asked_to_wait(reply, where, now)
    if reply.status >= 500:
        raise unknown(where, f"the receiver failed ({reply.status})")
    raise _refusal(problem, where)


def unless_not_readable(reply: Reply, where: str, now: datetime) -> Reply:
    """Give the reply to a GET if it was answered; nothing was sent, so every doubt is ReceiverUnavailable."""
    if reply.status == 200:
        return reply
    problem = _problem(reply)
    if reply.status in (429, 503):
        raise _asked_to_wait(reply, where, now)
    if problem is not None and problem.word == "not-found":
        raise NeverSeen
    if problem is not None and reply.status < 500:
        raise _refusal(problem, where)
    if problem is None and 300 <= reply.status < 500:
        raise SubmissionRefused(
            where, f"what answered ({reply.status}) is not the receiver.", "Nothing was sent.",
            "Check the receiver's url in the configuration, and whether a proxy stands in between.",
        )  # fmt: skip
    raise unreadable(where)


_REFUSALS = {
    "unauthorised": ("the receiver refused our login", "Ask the receiver's support whether the account is still good."),
    "not-permitted": ("this account may not report for this location",
                      "Ask the receiver's support to give the account the location."),
    "unknown-location": ("the receiver does not know this location",
                         "Check cqc_location_id in the configuration; ask the receiver's support to add the location."),
    "key-reused": ("the receiver holds other bytes under the same submission id",
                   "Run `dscr-bridge verify`; then ask the integrator, who must compare the two."),
}  # fmt: skip


def _refusal(problem: answers.Problem, where: str) -> BridgeError:
    if problem.word in ("window-closed", "window-not-open"):
        return WindowClosed(
            where, "the receiver says that the reporting window is not open.", "Nothing was accepted.",
            "Compare this computer's clock and the window (`dscr-bridge windows`) with the receiver's.",
        )  # fmt: skip
    if problem.word == "changed-meanwhile":
        return ChangedMeanwhile(
            where, "somebody changed this section after we looked at it.",
            "Nothing was overwritten; the bridge looks again.",
            "Do nothing for now; if the figures differ, the bridge shows both.",
        )  # fmt: skip
    if problem.word == "superseded":
        return Superseded(
            where, "a later revision stands at the receiver already.", "Nothing was overwritten.",
            "Look at what stands there; send again to put newer figures in its place.",
        )  # fmt: skip
    if problem.word == "invalid-figures":
        named = ", ".join(i for i in problem.items if _ITEM.fullmatch(i)) or "the section"
        return SubmissionRefused(
            where, f"the receiver did not accept the figures of {named}.", "Nothing of this section was accepted.",
            "Look at these figures with `dscr-bridge preview`, mend them in the record, and send again.",
        )  # fmt: skip
    what, do = _REFUSALS.get(problem.word, (f"the receiver refused it ({problem.word})", "Tell the integrator."))
    return SubmissionRefused(where, f"{what}.", "Nothing was accepted, and the bridge does not try by itself.", do)


def that_names(receipt: SectionReceipt, submission_id: str, section: str, sha256: str) -> SectionReceipt:
    """Give the receipt if it names exactly what was sent; raises SubmissionUnknown."""
    if (receipt.submission_id, receipt.section, receipt.body_sha256) != (submission_id, section, sha256):
        raise unknown(submission_id, "the receipt is for something else than was sent")
    return receipt


def unreachable(where: str) -> ReceiverUnavailable:
    """Make the error for a receiver that surely got nothing."""
    return ReceiverUnavailable(
        where, "the receiver could not be reached.", "Nothing was sent; a running bridge tries again by itself.",
        "If this goes on, check the network and the receiver's own status page.",
    )  # fmt: skip


def unreadable(where: str) -> ReceiverUnavailable:
    """Make the error for an answer to a question that cannot be read."""
    return ReceiverUnavailable(
        where, "the receiver answered with something that cannot be read.",
        "Nothing was sent; a running bridge tries again by itself.",
        "If this goes on, the receiver may be under maintenance: ask its support.",
    )  # fmt: skip


def unknown(where: str, what: str) -> SubmissionUnknown:
    """Make the error for a sending of which nobody knows what became."""
    return SubmissionUnknown(
        where, f"{what}, so it is not known whether the figures arrived.",
        "The bridge asks the receiver before it sends anything again.",
        "Do nothing for now; if it stays like this for an hour, look at the return on the platform.",
    )  # fmt: skip


def _asked_to_wait(reply: Reply, where: str, now: datetime) -> AskedToWait:
    return AskedToWait(
        where, "the receiver asked us to come back later.", "It took nothing; a running bridge tries again by itself.",
        "Do nothing for now; if it goes on near the close, enter the figures by hand.",
        _retry_after(reply.headers.get("Retry-After"), now),
    )  # fmt: skip


def _retry_after(text: str | None, now: datetime) -> timedelta:
    """Read Retry-After (seconds or an HTTP date), from nothing to an hour; nonsense is no wish."""
    wait = timedelta(0)
    if text is not None and text.strip().isascii() and text.strip().isdigit():
        seconds = min(int(text.strip()[:12]), 10**10)
        # Some servers send the absolute time as seconds since 1970.
        wait = timedelta(seconds=seconds) if seconds < 10**9 else datetime.fromtimestamp(seconds, UTC) - now
    elif (at := date(text)) is not None:
        wait = at - now
    return min(max(wait, timedelta(0)), MOST_WAIT)


def date(text: str | None) -> datetime | None:
    """Read an HTTP date; None for anything else."""
    try:
        at = parsedate_to_datetime(text or "")
    except (ValueError, TypeError):
        return None
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


def _problem(reply: Reply) -> answers.Problem | None:
    is_problem = reply.headers.get("Content-Type", "").startswith("application/problem+json")
    return answers.problem(reply.raw) if is_problem else None
