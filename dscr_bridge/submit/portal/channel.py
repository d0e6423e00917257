"""The channel `portal`: figures are typed into a web platform's screens, and believed only when they are read back.

The receipt is the read-back: what the screen shows after a fresh load, with the page's own "last updated".  Anything that
is not as the script says stops before Save.
"""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Any, TypeVar

from dscr_bridge import log, paper
from dscr_bridge.errors import BridgeError, ReceiverUnavailable, SubmissionRefused, SubmissionUnknown
from dscr_bridge.returns import CareType, LocationId, Obligation, SectionPayload, canonical, instant
from dscr_bridge.submit import Answer, Capabilities, ReceiptLevel, SectionReceipt, Standing, Superseded, answers
from dscr_bridge.submit.portal import pictures, plan
from dscr_bridge.submit.portal.alone import Alone
from dscr_bridge.submit.portal.browser import Browser, NoAnswer, NoSuchThing
from dscr_bridge.submit.portal.plan import Plan, ScreenDiffers
from dscr_bridge.submit.portal.script import Screen, Script, matches
from dscr_bridge.submit.portal.seen import Seen
from dscr_bridge.submit.portal.visit import Account, Asked, LoggedOut, Person, Visit, come_back_later, no_answer
from dscr_bridge.window import Window
from dscr_bridge.world import World

_events = log.room("portal")
_MINUTE = timedelta(minutes=1)
_T = TypeVar("_T")


class Mode(StrEnum):
    """Who presses Save."""

    FILL = "fill"            # nobody: fields are filled and compared, and left unsaved
    ASSISTED = "assisted"    # a person logs in and presses Save
    AUTOMATIC = "automatic"  # the bridge, with the platform operator's written permission


@dataclass(frozen=True)
class Comparison:
    """One field: what stood there and what was filled in."""

    section: str
    item: str
    bed_type: str | None
    stood: str
    filled: str


class Portal:
    """A web platform that is visited with an account of the bridge's own; see `submit.Channel`."""

    name = "portal"

    def __init__(
        self, url: str, script: Script, account: Account, world: World, *, environment: str, mode: Mode, folder: Path,
        sent: Callable[[Obligation], Sequence[SectionPayload]], window: Callable[[str], Window],
        permitted: Callable[[LocationId], bool], person: Person | None = None, headed: bool = False,
        browser: Path | None = None, pause_seconds: float = 1.0, timeout_seconds: float = 30.0,
        patience_seconds: float = 300.0, watch: Callable[[str], None] = lambda _step: None,
    ) -> None:  # fmt: skip
        """Take where the platform is, its script, the account and what the ledger knows; nothing is started yet.

        `sent` gives the bytes of a return that is under way; `permitted` says whether the platform's operator has allowed
        automated use for a location; `folder` is where pictures are kept; `watch` is told of every step.
        """
        self.environment, self.mode, self.script = environment, mode, script
        self._browser = Browser(url, world, hosts=script.hosts, headed=headed, executable=browser,
                                pause_seconds=pause_seconds, timeout_seconds=timeout_seconds)  # fmt: skip
        self._visit = Visit(script, self._browser, account, person, mode is Mode.AUTOMATIC, patience_seconds)
        self._alone = Alone(folder / f".{hashlib.sha256(f'{url} {account.username}'.encode()).hexdigest()[:16]}.lock")
        self._world, self._folder, self._sent, self._window = world, folder, sent, window
        self._permitted, self._person, self._watch, self._patience = permitted, person, watch, patience_seconds
        self.capabilities = Capabilities(
            # Saving the same figures twice leaves the same figures standing; `put` looks for edits in between.
            idempotent=True, read_back=True, receipt_levels=(ReceiptLevel.ON_RECORD,), correctable=True, overwrites=True,
            by_person=mode is not Mode.AUTOMATIC,
        )  # fmt: skip

    @property
    def pages(self) -> int:
        """How many pages of the platform were opened."""
        return self._browser.counts.pages

    def rest(self) -> None:
        """End the browser's session and let others use the account, until it is needed again."""
        self._browser.run(self._browser.stop)
        self._alone.leave()

    def close(self) -> None:
        """End the browser for good and let others use the account."""
        self._browser.close()
        self._alone.leave()

    def put(self, obligation: Obligation, submission_id: str, section: SectionPayload) -> Answer:
        """Fill one section's screen, save it and read it back; see `Channel`."""
        with self._allowed(obligation):
            return self._browser.run(lambda: self._put(obligation, submission_id, section))

    def read_receipt(self, answer: Answer, submission_id: str, section: SectionPayload) -> SectionReceipt:
        """Understand an answer to `put`; see `Channel`."""
        try:
            receipt = answers.receipt(answer.raw)
        except answers.Unbelievable:
            raise _unknown(submission_id, "what was read back cannot be understood") from None
        if (receipt.submission_id, receipt.section, receipt.body_sha256) != (submission_id, section.section, section.sha256):
            raise _unknown(submission_id, "what was read back is about something else")
        return receipt

    def ask(self, submission_id: str) -> Answer | None:
        """Look which sections of a submission stand there as they were sent; see `Channel`."""
        obligation = _obligation(submission_id)
        bodies = [b for b in self._sent(obligation) if json.loads(b.body)["submission_id"] == submission_id]
        if not bodies:
            raise _unknown(submission_id, "the bytes that were sent are not in the ledger")
        answer = self.read_back(obligation)
        standing = self.read_standing(answer, obligation)
        found = {b.section: self._receipt(b, submission_id, standing[b.section].last_updated, ())
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
            raise _unknown(submission_id, "what was read back cannot be understood") from None

    def read_back(self, obligation: Obligation) -> Answer:
        """Read what stands on the platform; see `Channel`."""
        with self._allowed(obligation):
            return self._browser.run(lambda: self._read_back(obligation))

    def read_standing(self, answer: Answer, obligation: Obligation) -> Mapping[str, Standing]:
        """Understand an answer to `read_back`; see `Channel`."""
        try:
            return answers.standing(answer.raw)[1]
        except answers.Unbelievable:
            raise ScreenDiffers(obligation.id, "what the platform shows cannot be understood.") from None

    def fill(self, obligation: Obligation, sections: Sequence[SectionPayload]) -> tuple[Comparison, ...]:
        """Fill each screen and compare, show it to the person, and leave it unsaved.  Raises as `put` does."""
        with self._allowed(obligation):
            return self._browser.run(lambda: tuple(c for one in sections for c in self._fill_only(obligation, one)))

    def look_at(self, obligation: Obligation) -> tuple[tuple[str, BridgeError | None], ...]:
        """Open every screen and hold it against the script: which sections match; nothing is filled."""
        with self._allowed(obligation):
            return self._browser.run(lambda: tuple(self._look_at(obligation)))

    # In the browser's thread

    def _put(self, obligation: Obligation, submission_id: str, section: SectionPayload) -> Answer:
        where = f"{obligation.id}, section {section.section}"
        screen, planned, body = self._planned(obligation, section, where)
        before = self._once_more(lambda: self._filled(obligation, screen, planned, body, where))
        self._step("pressing")
        after = self._save(screen, before, where)
        self._step("saved")
        taken = self._picture(obligation, section, submission_id, after, planned)
        self._step("pictured")
        return self._proved(obligation, section, submission_id, screen, taken, where)

    def _planned(self, obligation: Obligation, section: SectionPayload, where: str) -> tuple[Screen, Plan, dict[str, Any]]:
        body: dict[str, Any] = json.loads(section.body)
        screen = self.script.screen_for(obligation.care_type, section.section)
        if screen is None:
            raise ScreenDiffers(where, "the script has no screen for this section.")
        return screen, plan.plan(self.script, screen, body["items"], where), body

    def _once_more(self, act: Callable[[], _T]) -> _T:
        """Begin anew, once, when the session ended before anything was pressed."""
        try:
            return act()
        except LoggedOut:
            return act()

    def _filled(
        self, obligation: Obligation, screen: Screen, planned: Plan, body: Mapping[str, Any], where: str
    ) -> Seen:
        """Leave the screen filled and unsaved, surely unchanged by anybody else; give it as it was before."""
        before = self._visit.screen(obligation, screen)
        self._step("opened")
        self._require_unedited(before, planned, body, where)
        self._fill(screen, before, planned, where)
        self._step("filled")
        self._require_alone(screen, before, where)
        return before

    def _require_unedited(self, seen: Seen, planned: Plan, body: Mapping[str, Any], where: str) -> None:
        """Raise Superseded for figures that somebody saved after ours were counted."""
        last = self._visit.last_updated(seen, where)
        as_at = datetime.fromisoformat(body["as_at"]).replace(second=0)  # pages show minutes
        if last is not None and last >= as_at and plan.to_fill(planned, seen):
            raise Superseded(
                where, "somebody saved other figures on the platform after ours were counted.", "Nothing was overwritten.",
                "Look at what stands there; send again to put newer figures in its place.",
            )  # fmt: skip

    def _fill(self, screen: Screen, before: Seen, planned: Plan, where: str) -> None:
        plan.require_answerable(screen, planned, before, where)
        try:
            for key, wanted in plan.to_fill(planned, before).items():
                control = before.control(key)
                assert control is not None  # noqa: S101  (require_screen)
                self._browser.fill(control, wanted.text)
            after = self._browser.look()
        except NoSuchThing:
            raise ScreenDiffers(where, "a field could not be filled in.") from None
        except NoAnswer:
            raise no_answer(where) from None
        plan.require_filled(planned, before, after, where)

    def _require_alone(self, screen: Screen, before: Seen, where: str) -> None:
        """Look at the screen once more beside the filled one, so that an edit in between is not overwritten."""
        try:
            again = self._visit.expect(self._browser.look_again(), screen.page, where)
        except NoAnswer:
            raise no_answer(where) from None
        values = [(c.key, c.value) for c in before.controls]
        if values != [(c.key, c.value) for c in again.controls] or before.facts != again.facts:
            raise Superseded(
                where, "somebody changed this screen while it was being filled.", "Nothing was overwritten.",
                "Look at what stands there; send again to put newer figures in its place.",
            )  # fmt: skip

    def _save(self, screen: Screen, before: Seen, where: str) -> Seen:
        """Press Save, or let the person press it, and see success; after this nobody knows until it is read back."""
        def known(seen: Seen) -> bool:
            return self._succeeded(seen) or bool(seen.alerts) or not seen.is_page(screen.page)

        try:
            if self.mode is Mode.ASSISTED and self._person is not None:
                self._person(Asked.SAVE, self._browser)
                seen = self._browser.wait(known, self._patience)
            else:
                seen = self._browser.press(screen.save, known)
        except NoSuchThing:
            raise ScreenDiffers(where, f'the button "{screen.save}" cannot be pressed.') from None
        except NoAnswer:
            raise _unknown(where, "no page came after Save") from None
        if seen.is_page(screen.page) and self._succeeded(seen):
            return seen
        if seen.is_page(screen.page) and seen.alerts:
            raise SubmissionRefused(
                where, "the platform did not accept this section.", "Nothing of this section was saved.",
                "Open the screen, read what it says, mend the figures in the record and send again, or enter by hand.",
            )  # fmt: skip
        if any(matches(title, seen.title) for title in self.script.come_back_later):
            raise _unknown(where, "a maintenance page came after Save")
        raise _unknown(where, "another page than expected came after Save")

    def _succeeded(self, seen: Seen) -> bool:
        return any(matches(self.script.success, said) for said in seen.status)

    def _proved(
        self, obligation: Obligation, section: SectionPayload, submission_id: str, screen: Screen,
        taken: Sequence[Mapping[str, str]], where: str,
    ) -> Answer:  # fmt: skip
        """Read the section back afresh, where the platform can in other words than it was asked in."""
        try:
            figures, last = self._once_more(lambda: self._standing(obligation, screen))
        except (ReceiverUnavailable, LoggedOut):
            raise _unknown(where, "it was saved and could not be read back") from None
        except ScreenDiffers as differs:
            raise SubmissionRefused(
                where, f"it was saved, and then: {differs.what}", "This section does not count as done.",
                "Look at the platform's screen now, and confirm by hand what stands there; then mend the script.",
            ) from None  # fmt: skip
        wrong = [i for i, ours in json.loads(section.body)["items"].items() if not plan.same(ours, figures.get(i))]
        if wrong or last is None:
            raise SubmissionRefused(
                where, f"the platform said that it saved, and shows other figures for {', '.join(wrong) or 'all'}.",
                "This section does not count as done, and nothing more is sent.",
                "Look at the platform's screen now and put it right by hand; then mend the script.",
            )  # fmt: skip
        _events.info("section_read_back", **_about(obligation), section=section.section)
        receipt = self._receipt(section, submission_id, last, taken)
        return Answer(200, canonical(receipt), self._world.now(), self._browser.clock)

    def _standing(self, obligation: Obligation, screen: Screen) -> tuple[dict[str, Any], datetime | None]:
        where = f"{obligation.id}, section {screen.section}"
        held = self._visit.held(obligation)
        if held is not None and (part := self.script.part_for(obligation.care_type, screen.section)) is not None:
            figures = plan.held_figures(self.script, obligation.care_type, screen.section, held)
            return figures or {}, self._visit.last_updated(held, where, part.region)
        seen = self._visit.screen(obligation, screen)
        return plan.figures(self.script, screen, seen), self._visit.last_updated(seen, where)

    def _read_back(self, obligation: Obligation) -> Answer:
        sections = dict(self._once_more(lambda: self._sections(obligation)))
        document = {"location": obligation.location, "care_type": obligation.care_type, "window": obligation.window,
                    "sections": sections}  # fmt: skip
        return Answer(200, canonical(document), self._world.now(), self._browser.clock)

    def _sections(self, obligation: Obligation) -> "list[tuple[str, dict[str, Any]]]":
        held = self._visit.held(obligation)
        window, found = self._window(obligation.window), []
        for screen in (s for s in self.script.screen if s.care_type == obligation.care_type):
            part = self.script.part_for(obligation.care_type, screen.section)
            if held is not None and part is not None:
                figures = plan.held_figures(self.script, obligation.care_type, screen.section, held) or {}
                last = self._visit.last_updated(held, f"{obligation.id}, section {screen.section}", part.region)
            else:
                figures, last = self._standing(obligation, screen)
            if last is not None:
                found.append((screen.section, {
                    # A screen does not say who saved it: everything there is treated as a person's.
                    "items": figures, "submission_id": None, "revision": 0, "body_sha256": None, "changed_by": "person",
                    "last_updated": instant(last), "in_window": window.is_open(last), "reference": _reference(last),
                }))  # fmt: skip
        return found

    def _fill_only(self, obligation: Obligation, section: SectionPayload) -> list[Comparison]:
        where = f"{obligation.id}, section {section.section}"
        screen, planned, _ = self._planned(obligation, section, where)
        before = self._once_more(lambda: self._visit.screen(obligation, screen))
        self._fill(screen, before, planned, where)
        if self._person is not None:
            self._person(Asked.LOOK, self._browser)
        stood = {key: c.value if (c := before.control(key)) else "" for key in planned}
        return [Comparison(section.section, w.item, w.bed_type, stood[key], w.text) for key, w in planned.items()]

    def _look_at(self, obligation: Obligation) -> "list[tuple[str, BridgeError | None]]":
        found: list[tuple[str, BridgeError | None]] = []
        for screen in (s for s in self.script.screen if s.care_type == obligation.care_type):
            try:
                seen = self._once_more(lambda s=screen: self._visit.screen(obligation, s))  # type: ignore[misc]
                self._visit.last_updated(seen, f"{obligation.id}, {screen.section}")
            except ScreenDiffers as differs:
                found.append((screen.section, differs))
            else:
                found.append((screen.section, None))
        return found

    def _picture(
        self, obligation: Obligation, section: SectionPayload, submission_id: str, seen: Seen, planned: Plan
    ) -> list[dict[str, str]]:
        """Keep a picture of the owned fields' boxes, and give its name and fingerprint."""
        boxes = [(f"{w.item} {w.bed_type or ''}".strip(), c.box) for key, w in planned.items()
                 if (c := seen.control(key)) is not None and (w.text or c.value)]  # fmt: skip
        try:
            whole = self._browser.picture_of([box for _, box in boxes])
        except NoAnswer:
            return []  # a picture is evidence beside the read-back, never a condition of it
        picture = pictures.strip(whole, boxes, f"{submission_id} {section.section} {instant(self._world.now())}")
        name = f"{submission_id.replace(':', '-')}-{section.section}.png"
        paper.write_whole(self._folder / name, picture)
        return [{"file": name, "sha256": hashlib.sha256(picture).hexdigest()}]

    # Within

    @contextmanager
    def _allowed(self, obligation: Obligation) -> "Any":
        """Let in only what the platform's operator has allowed, one session at a time per account."""
        if self.environment != "simulator" and not self._permitted(obligation.location):
            raise SubmissionRefused(
                obligation.id, "nobody has recorded that the platform's operator allows automated use.",
                "The portal was not opened.",
                "Ask the platform's operator in writing, then run `dscr-bridge portal permit`; until then, enter by hand.",
            )  # fmt: skip
        self._alone.enter(obligation.id)
        yield

    def _stands(self, body: SectionPayload, standing: Standing | None) -> bool:
        """Say whether a section stands there as it was sent, saved no earlier than its figures were counted."""
        if standing is None:
            return False
        content = json.loads(body.body)
        as_at = datetime.fromisoformat(content["as_at"]).replace(second=0)
        return standing.last_updated >= as_at and all(
            plan.same(ours, standing.items.get(item)) for item, ours in content["items"].items()
        )

    def _receipt(
        self, section: SectionPayload, submission_id: str, last: datetime, taken: Sequence[Mapping[str, str]]
    ) -> dict[str, Any]:
        body = json.loads(section.body)
        return {
            "reference": _reference(last), "level": ReceiptLevel.ON_RECORD, "section": section.section,
            "submission_id": submission_id, "body_sha256": section.sha256, "received_at": instant(last),
            "in_window": self._window(body["window"]).is_open(last), "simulated": self.environment == "simulator",
            "script": self.script.id, "pictures": list(taken),
        }  # fmt: skip

    def _step(self, name: str) -> None:
        self._watch(name)


def _obligation(submission_id: str) -> Obligation:
    location, care_type, window, _ = submission_id.split(":")
    return Obligation(LocationId(location), CareType(care_type), window)


def _reference(last: datetime) -> str:
    """Give the platform's own stamp as a reference: no screen that was ever described shows another one."""
    return f"last-updated:{instant(last)}"


def _about(obligation: Obligation) -> dict[str, str]:
    return {"location": obligation.location, "care_type": obligation.care_type.value, "window": obligation.window}


def _unknown(where: str, what: str) -> SubmissionUnknown:
    return SubmissionUnknown(
        where, f"{what}, so it is not known whether the figures stand there.",
        "The bridge reads the platform before it sends anything again.",
        "Nothing, for now; if it stays like this for an hour, look at the return on the platform.",
    )  # fmt: skip
