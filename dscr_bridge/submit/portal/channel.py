"""The channel `portal`: figures are typed into a web platform's screens, and believed only when they are read back.

The receipt is the read-back: what the screen shows after a fresh load, with the page's own "last updated".  Anything
that is not as the script says stops before Save.
"""

import hashlib
import json
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from dscr_bridge.errors import BridgeError, SubmissionRefused
from dscr_bridge.returns import CareType, LocationId, Obligation, SectionPayload, canonical
from dscr_bridge.submit import Answer, Capabilities, ReceiptLevel, SectionReceipt, Standing, answers
from dscr_bridge.submit.portal import plan
from dscr_bridge.submit.portal.alone import Alone
from dscr_bridge.submit.portal.browser import Browser
from dscr_bridge.submit.portal.plan import ScreenDiffers
from dscr_bridge.submit.portal.script import Script
from dscr_bridge.submit.portal.sitting import Comparison, Mode, Sitting, unknown
from dscr_bridge.submit.portal.visit import Account, Person, Visit
from dscr_bridge.window import Window
from dscr_bridge.world import World

IDLE_SECONDS = 60.0  # then the session ends, so that a person can use the account


class Portal:
    """A web platform that is visited with an account of the bridge's own; see `submit.Channel`."""

    name = "portal"

    def __init__(
        self, url: str, script: Script, account: Account, world: World, *, environment: str, mode: Mode, folder: Path,
        sent: Callable[[Obligation], Sequence[SectionPayload]], window: Callable[[str], Window],
        permitted: Callable[[LocationId], bool], person: Person | None = None, headed: bool = False,
        browser: Path | None = None, pause_seconds: float = 1.0, timeout_seconds: float = 30.0,
        settle_seconds: float = 5.0, patience_seconds: float = 300.0, idle_seconds: float = IDLE_SECONDS,
        watch: Callable[[str], None] = lambda _step: None,
    ) -> None:  # fmt: skip
        """Take where the platform is, its script, the account and what the ledger knows; nothing is started yet.

        `sent` gives the bytes of a return that is under way; `permitted` says whether the platform's operator has
        allowed automated use for a location; `folder` is where pictures are kept; `watch` is told of every step;
        for `settle_seconds` see `Browser`; after `idle_seconds` without use the session ends.
        """
        self.environment, self.mode, self.script = environment, mode, script
        self._browser = Browser(url, world, hosts=script.hosts, headed=headed, executable=browser,
                                pause_seconds=pause_seconds, timeout_seconds=timeout_seconds,
                                settle_seconds=settle_seconds)  # fmt: skip
        by_itself = mode is not Mode.ASSISTED and bool(account.username)
        visit = Visit(script, self._browser, account, person, by_itself, patience_seconds)
        self._sitting = Sitting(script, self._browser, visit, world, environment, mode, folder, window, person,
                                patience_seconds, watch)  # fmt: skip
        self._alone = Alone(folder / f".{hashlib.sha256(f'{url} {account.username}'.encode()).hexdigest()[:16]}.lock")
        self._sent, self._permitted = sent, permitted
        self._using, self._closed = threading.RLock(), False
        self._idle, self._idle_seconds = None, idle_seconds  # type: threading.Timer | None, float
        self.capabilities = Capabilities(
            # Saving the same figures twice leaves the same figures standing; `put` looks for edits in between.
            idempotent=True, read_back=True, receipt_levels=(ReceiptLevel.ON_RECORD,), correctable=True,
            overwrites=True, by_person=mode is not Mode.AUTOMATIC, nil=False,
        )  # fmt: skip

    @property
    def pages(self) -> int:
        """How many pages of the platform were opened."""
        return self._browser.counts.pages

    def rest(self) -> None:
        """End the browser's session and let others use the account, until it is needed again."""
        with self._using:
            if not self._closed:
                self._browser.run(self._browser.stop)
                self._alone.leave()

    def close(self) -> None:
        """End the browser for good and let others use the account."""
        with self._using:
            self._closed = True
            if self._idle is not None:
                self._idle.cancel()
            self._browser.close()
            self._alone.leave()

    def put(self, obligation: Obligation, submission_id: str, section: SectionPayload) -> Answer:
        """Fill one section's screen, save it and read it back; see `Channel`."""
        with self._allowed(obligation):
            return self._browser.run(lambda: self._sitting.put(obligation, submission_id, section))

    def read_receipt(self, answer: Answer, submission_id: str, section: SectionPayload) -> SectionReceipt:
        """Understand an answer to `put`; see `Channel`."""
        try:
            receipt = answers.receipt(answer.raw)
        except answers.Unbelievable:
            raise unknown(submission_id, "what was read back cannot be understood") from None
        meant = submission_id, section.section, section.sha256
        if (receipt.submission_id, receipt.section, receipt.body_sha256) != meant:
            raise unknown(submission_id, "what was read back is about something else")
        return receipt

    def ask(self, submission_id: str) -> Answer | None:
        """Look which sections of a submission stand there as they were sent; see `Channel`."""
        obligation = _obligation(submission_id)
        bodies = [b for b in self._sent(obligation) if json.loads(b.body)["submission_id"] == submission_id]
        if not bodies:
            raise unknown(submission_id, "the bytes that were sent are not in the ledger")
        answer = self.read_back(obligation)
        standing = self.read_standing(answer, obligation)
        found = {b.section: self._sitting.receipt(b, submission_id, standing[b.section].last_updated, ())
                 for b in bodies if self._stands(b, standing.get(b.section))}  # fmt: skip
        if not found:
            return None
        return Answer(200, canonical({"submission_id": submission_id, "sections": found}), answer.came_at,
                      answer.receiver_clock)  # fmt: skip

    def read_submission(self, answer: Answer, submission_id: str) -> Mapping[str, SectionReceipt]:
        """Understand an answer to `ask`; see `Channel`."""
        try:
            return answers.submission(answer.raw)[1]
        except answers.Unbelievable:
            raise unknown(submission_id, "what was read back cannot be understood") from None

    def read_back(self, obligation: Obligation) -> Answer:
        """Read what stands on the platform; see `Channel`."""
        with self._allowed(obligation):
            return self._browser.run(lambda: self._sitting.read_back(obligation))

    def read_standing(self, answer: Answer, obligation: Obligation) -> Mapping[str, Standing]:
        """Understand an answer to `read_back`; see `Channel`."""
        try:
            return answers.standing(answer.raw)[1]
        except answers.Unbelievable:
            raise ScreenDiffers(obligation.id, "what the platform shows cannot be understood.") from None

    def fill(self, obligation: Obligation, sections: Sequence[SectionPayload]) -> tuple[Comparison, ...]:
        """Fill each screen and compare, show it to the person, and leave it unsaved.  Raises as `put` does."""
        with self._allowed(obligation):
            filled = self._browser.run(lambda: [self._sitting.fill_only(obligation, one) for one in sections])
            return tuple(c for part in filled for c in part)

    def look_at(self, obligation: Obligation) -> tuple[tuple[str, BridgeError | None], ...]:
        """Open every screen and hold it against the script: which sections match; nothing is filled."""
        with self._allowed(obligation):
            return self._browser.run(lambda: tuple(self._sitting.look_at(obligation)))

    # Within

    @contextmanager
    def _allowed(self, obligation: Obligation) -> Iterator[None]:
        """Let in only what the platform's operator has allowed, one session at a time per account."""
        if self.environment != "simulator" and not self._permitted(obligation.location):
            raise SubmissionRefused(
                obligation.id, "nobody has recorded that the platform's operator allows automated use.",
                "The portal was not opened.",
                "Ask the platform's operator in writing, then run `dscr-bridge portal permit`, or enter by hand.",
            )  # fmt: skip
        with self._using:
            if self._idle is not None:
                self._idle.cancel()
            self._alone.enter(obligation.id)
            try:
                yield
            finally:
                self._idle = threading.Timer(self._idle_seconds, self.rest)
                self._idle.daemon = True
                self._idle.start()

    def _stands(self, body: SectionPayload, standing: Standing | None) -> bool:
        """Say whether a section stands there as it was sent, saved no earlier than its figures were counted."""
        if standing is None:
            return False
        content = json.loads(body.body)
        as_at = datetime.fromisoformat(content["as_at"]).replace(second=0)
        return standing.last_updated >= as_at and all(
            plan.same(ours, standing.items.get(item)) for item, ours in content["items"].items()
        )


def _obligation(submission_id: str) -> Obligation:
    location, care_type, window, _ = submission_id.split(":")
    return Obligation(LocationId(location), CareType(care_type), window)
