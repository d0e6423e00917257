"""One sitting at the platform's screens, in the browser's own thread: fill, save, prove, read back.

Nothing is believed before it was read back afresh; whatever differs stops before Save.
"""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from dscr_bridge import log, paper
from dscr_bridge.errors import BridgeError, ReceiverUnavailable, SubmissionRefused, SubmissionUnknown
from dscr_bridge.returns import Obligation, SectionPayload, canonical, instant
from dscr_bridge.submit import Answer, ReceiptLevel, Superseded
from dscr_bridge.submit.portal import pictures, plan
from dscr_bridge.submit.portal.browser import Browser, NoAnswer, NoSuchThing
from dscr_bridge.submit.portal.plan import Plan, ScreenDiffers
from dscr_bridge.submit.portal.script import Screen, Script, matches
from dscr_bridge.submit.portal.seen import Seen
from dscr_bridge.submit.portal.visit import Asked, LoggedOut, Person, Visit, no_answer
from dscr_bridge.window import Window
from dscr_bridge.world import World

_events = log.room("portal")
_T = TypeVar("_T")
_AN_HOUR = timedelta(hours=1)


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


@dataclass(frozen=True)
class Sitting:
    """What a sitting needs; every method must be called in the browser's thread."""

    script: Script
    browser: Browser
    visit: Visit
    world: World
    environment: str
    mode: Mode
    folder: Path
    window: Callable[[str], Window]
    person: Person | None
    patience_seconds: float
    watch: Callable[[str], None]

    def put(self, obligation: Obligation, submission_id: str, section: SectionPayload) -> Answer:
        where = f"{obligation.id}, section {section.section}"
        screen, planned, body = self._planned(obligation, section, where)
        before = self._once_more(lambda: self._filled(obligation, screen, planned, body, where))
        if self._stands(before, planned, body, where):
            return self._proved(obligation, section, submission_id, screen, [], where)
        self.watch("pressing")
        after = self._save(screen, before, where)
        self.watch("saved")
        taken = self._picture(obligation, section, submission_id, after, planned)
        self.watch("pictured")
        return self._proved(obligation, section, submission_id, screen, taken, where)

    def _planned(
        self, obligation: Obligation, section: SectionPayload, where: str
    ) -> tuple[Screen, Plan, dict[str, Any]]:
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
        before = self.visit.screen(obligation, screen)
        self.watch("opened")
        self._require_unedited(before, planned, body, where)
        self._fill(screen, before, planned, where)
        self.watch("filled")
        self._require_alone(screen, before, where)
        self._require_filled(planned, before, where)  # once more: a page may change a field a moment later
        return before

    def _stands(self, seen: Seen, planned: Plan, body: Mapping[str, Any], where: str) -> bool:
        """Say whether it was saved in this window as we would save it; a person who presses Save decides alone."""
        last = self.visit.last_updated(seen, where)
        saved = last is not None and self.window(body["window"]).is_open(last)
        return saved and self.mode is Mode.AUTOMATIC and not plan.to_fill(planned, seen)

    def _require_unedited(self, seen: Seen, planned: Plan, body: Mapping[str, Any], where: str) -> None:
        """Raise Superseded for figures that somebody saved after ours were counted."""
        last = self.visit.last_updated(seen, where)
        # Compared by the platform's clock; one that differs by more than an hour is none to go by.  Pages show minutes.
        behind = max(min(self.browser.ahead, timedelta(0)), -_AN_HOUR)
        as_at = (datetime.fromisoformat(body["as_at"]) + behind).replace(second=0, microsecond=0)
        if last is not None and last >= as_at and plan.to_fill(planned, seen):
            raise Superseded(
                where, "somebody saved other figures on the platform after ours were counted.",
                "Nothing was overwritten.", "Look at what stands there; send again to put newer figures in its place.",
            )  # fmt: skip

    def _fill(self, screen: Screen, before: Seen, planned: Plan, where: str) -> None:
        plan.require_answerable(screen, planned, before, where)
        try:
            for key, wanted in plan.to_fill(planned, before).items():
                control = before.control(key)
                assert control is not None  # noqa: S101  (require_screen)
                self.browser.fill(control, wanted.text)
        except NoSuchThing:
            raise ScreenDiffers(where, "a field could not be filled in.") from None
        self._require_filled(planned, before, where)

    def _require_filled(self, planned: Plan, before: Seen, where: str) -> None:
        try:
            after = self.browser.look()
        except NoAnswer:
            raise no_answer(where) from None
        plan.require_filled(planned, before, after, where)

    def _require_alone(self, screen: Screen, before: Seen, where: str) -> None:
        """Look at the screen once more beside the filled one, so that an edit in between is not overwritten."""
        try:
            again = self.browser.look_again(partial(plan.fits, self.script, screen))
        except NoAnswer:
            raise no_answer(where) from None
        self.visit.expect(again, screen.page, where)
        values = [(c.key, c.value) for c in before.controls]
        if values != [(c.key, c.value) for c in again.controls] or before.facts != again.facts:
            raise Superseded(
                where, "somebody changed this screen while it was being filled.", "Nothing was overwritten.",
                "Look at what stands there; send again to put newer figures in its place.",
            )  # fmt: skip

    def _save(self, screen: Screen, before: Seen, where: str) -> Seen:
        """Press Save, or let the person press it, and see success; after this nobody knows until it is read back."""
        def known(seen: Seen) -> bool:
            later = any(matches(title, seen.title) for title in self.script.come_back_later)
            return self._succeeded(seen) or bool(seen.alerts) or later or seen.is_page(self.script.login.page)

        try:
            if self.mode is Mode.ASSISTED and self.person is not None:
                self.person(Asked.SAVE, self.browser)
                seen = self.browser.wait(known, self.patience_seconds)
            else:
                seen = self.browser.press(screen.save, known)
        except NoSuchThing:
            raise ScreenDiffers(where, f'the button "{screen.save}" cannot be pressed.') from None
        except NoAnswer:
            raise unknown(where, "no page came after Save") from None
        if seen.is_page(screen.page) and self._succeeded(seen):
            return seen
        if seen.is_page(screen.page) and seen.alerts:
            raise SubmissionRefused(
                where, "the platform did not accept this section.", "Nothing of this section was saved.",
                "Open the screen, read what it says, mend the figures in the record and send again, or enter by hand.",
            )  # fmt: skip
        if any(matches(title, seen.title) for title in self.script.come_back_later):
            raise unknown(where, "a maintenance page came after Save")
        raise unknown(where, "another page than expected came after Save")

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
            raise unknown(where, "it was saved and could not be read back") from None
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
        receipt = self.receipt(section, submission_id, last, taken)
        return Answer(200, canonical(receipt), self.world.now(), self.browser.clock)

    def _standing(self, obligation: Obligation, screen: Screen) -> tuple[dict[str, Any], datetime | None]:
        where = f"{obligation.id}, section {screen.section}"
        held = self.visit.held(obligation)
        if held is not None and (part := self.script.part_for(obligation.care_type, screen.section)) is not None:
            figures = plan.held_figures(self.script, obligation.care_type, screen.section, held)
            return figures or {}, self.visit.last_updated(held, where, part.region)
        seen = self.visit.screen(obligation, screen)
        return plan.figures(self.script, screen, seen), self.visit.last_updated(seen, where)

    def read_back(self, obligation: Obligation) -> Answer:
        sections = dict(self._once_more(lambda: self._sections(obligation)))
        document = {"location": obligation.location, "care_type": obligation.care_type, "window": obligation.window,
                    "sections": sections}  # fmt: skip
        return Answer(200, canonical(document), self.world.now(), self.browser.clock)

    def _sections(self, obligation: Obligation) -> "list[tuple[str, dict[str, Any]]]":
        held = self.visit.held(obligation)
        window, found = self.window(obligation.window), []
        for screen in (s for s in self.script.screen if s.care_type == obligation.care_type):
            part = self.script.part_for(obligation.care_type, screen.section)
            if held is not None and part is not None:
                figures = plan.held_figures(self.script, obligation.care_type, screen.section, held) or {}
                last = self.visit.last_updated(held, f"{obligation.id}, section {screen.section}", part.region)
            else:
                figures, last = self._standing(obligation, screen)
            if last is not None:
                found.append((screen.section, {
                    # A screen does not say who saved it: everything there is treated as a person's.
                    "items": figures, "submission_id": None, "revision": 0, "body_sha256": None, "changed_by": "person",
                    "last_updated": instant(last), "in_window": window.is_open(last), "reference": _reference(last),
                }))  # fmt: skip
        return found

    def fill_only(self, obligation: Obligation, section: SectionPayload) -> list[Comparison]:
        where = f"{obligation.id}, section {section.section}"
        screen, planned, _ = self._planned(obligation, section, where)
        before = self._once_more(lambda: self.visit.screen(obligation, screen))
        self._fill(screen, before, planned, where)
        if self.person is not None:
            self.person(Asked.LOOK, self.browser)
        stood = {key: c.value if (c := before.control(key)) else "" for key in planned}
        return [Comparison(section.section, w.item, w.bed_type, stood[key], w.text) for key, w in planned.items()]

    def look_at(self, obligation: Obligation) -> "list[tuple[str, BridgeError | None]]":
        found: list[tuple[str, BridgeError | None]] = []
        for screen in (s for s in self.script.screen if s.care_type == obligation.care_type):
            try:
                seen = self._once_more(lambda s=screen: self.visit.screen(obligation, s))  # type: ignore[misc]
                self.visit.last_updated(seen, f"{obligation.id}, {screen.section}")
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
            whole = self.browser.picture_of([box for _, box in boxes])
        except NoAnswer:
            return []  # a picture is evidence beside the read-back, never a condition of it
        head = f"{submission_id} {section.section} {instant(self.world.now())}"
        stamp = "SIMULATED " if self.environment == "simulator" else ""
        picture = pictures.strip(whole, boxes, stamp + head)
        name = f"{submission_id.replace(':', '-')}-{section.section}.png"
        paper.write_whole(self.folder / name, picture)
        return [{"file": name, "sha256": hashlib.sha256(picture).hexdigest()}]

    def receipt(
        self, section: SectionPayload, submission_id: str, last: datetime, taken: Sequence[Mapping[str, str]]
    ) -> dict[str, Any]:
        """Write a receipt of a section that was read back, with the platform's own stamp."""
        body = json.loads(section.body)
        return {
            "reference": _reference(last), "level": ReceiptLevel.ON_RECORD, "section": section.section,
            "submission_id": submission_id, "body_sha256": section.sha256, "received_at": instant(last),
            "in_window": self.window(body["window"]).is_open(last), "simulated": self.environment == "simulator",
            "script": self.script.id, "pictures": list(taken),
        }  # fmt: skip


def _reference(last: datetime) -> str:
    """Give the platform's own stamp as a reference: no screen that was ever described shows another one."""
    return f"last-updated:{instant(last)}"


def _about(obligation: Obligation) -> dict[str, str]:
    return {"location": obligation.location, "care_type": obligation.care_type.value, "window": obligation.window}


def unknown(where: str, what: str) -> SubmissionUnknown:
    """Say that nobody knows whether the figures stand there."""
    return SubmissionUnknown(
        where, f"{what}, so it is not known whether the figures stand there.",
        "The bridge reads the platform before it sends anything again.",
        "Nothing, for now; if it stays like this for an hour, look at the return on the platform.",
    )  # fmt: skip
