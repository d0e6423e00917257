"""One visit to the platform: log in, find a return, open its screens.  Whatever is not as the script says raises."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from functools import partial
from typing import Protocol

from dscr_bridge.errors import BridgeError, ReceiverUnavailable, SubmissionRefused
from dscr_bridge.returns import Obligation
from dscr_bridge.submit import AskedToWait
from dscr_bridge.submit.portal.browser import Browser, NoAnswer, NoSuchThing
from dscr_bridge.submit.portal.plan import ScreenDiffers, fits, require_screen, shows_all
from dscr_bridge.submit.portal.script import Page, Screen, Script, matches
from dscr_bridge.submit.portal.seen import Seen

_LATER = timedelta(minutes=10)


class Asked(StrEnum):
    """What a person is asked to do in the browser."""

    LOG_IN = "log_in"
    CODE = "code"
    LOOK = "look"      # at a screen that is filled and left unsaved
    SAVE = "save"


class Person(Protocol):
    """A person at the browser; returns when the request has been shown, and the bridge then waits."""

    def __call__(self, asked: Asked, browser: Browser, /) -> None: ...


class LoggedOut(Exception):
    """The log-in page came where another was expected."""


@dataclass(frozen=True)
class Account:
    """The bridge's own account; never a manager's."""

    username: str
    secret: Callable[[], str]


@dataclass(frozen=True)
class Visit:
    """What a visit needs."""

    script: Script
    browser: Browser
    account: Account
    person: Person | None = None        # who logs in and answers for a second proof; None: nobody is there
    logs_in: bool = True                # False: the person does
    patience_seconds: float = 300.0
    paths: dict[tuple[str, ...], str] = field(default_factory=dict)  # where links led to, while the session lasts

    def screen(self, obligation: Obligation, screen: Screen) -> Seen:
        """Open a section's screen and hold it against the script.  Raises as `sections` does."""
        where = f"{obligation.id}, {screen.section}"
        whole = partial(fits, self.script, screen)
        seen = self._below(obligation, screen.link, screen.page, whole, where)
        require_screen(self.script, screen, seen, where)
        return seen

    def held(self, obligation: Obligation) -> Seen | None:
        """Open the page that shows what is held; None where the platform has none."""
        if self.script.held is None:
            return None
        page = self.script.held.page

        def whole(seen: Seen) -> bool:
            return seen.is_page(page) and shows_all(self.script, obligation.care_type, seen)

        return self._below(obligation, self.script.held.link, page, whole, obligation.id)

    def sections(self, obligation: Obligation) -> Seen:
        """Open the list of a return's sections, from the list of locations, logging in where needed.

        Raises ScreenDiffers, SubmissionRefused for a log-in that fails, AskedToWait or ReceiverUnavailable.
        """
        try:
            return self._sections(obligation)
        except LoggedOut:
            # Sessions end by themselves; nothing was pressed yet, so one new log-in is safe, and no more than one.
            try:
                return self._sections(obligation)
            except LoggedOut:
                raise _refused_login(obligation.id, "asks to log in again and again") from None

    def last_updated(self, seen: Seen, where: str, region: str = "") -> datetime | None:
        """Read when the section was last saved; None for never.  Raises ScreenDiffers."""
        label = self.script.last_updated.label
        shown = seen.fact(label, region)
        if shown is None:
            raise ScreenDiffers(where, f'the page does not say "{label}".')
        try:
            return self.script.last_updated.read(shown)
        except ValueError:
            raise ScreenDiffers(where, f'what the page says as "{label}" cannot be read as a time.') from None

    def expect(self, seen: Seen, page: Page, where: str) -> Seen:
        """Give the page if it is the one that was meant.  Raises LoggedOut, AskedToWait or ScreenDiffers."""
        if seen.is_page(page):
            return seen
        if seen.is_page(self.script.login.page):
            raise LoggedOut
        if any(matches(title, seen.title) for title in self.script.come_back_later):
            raise come_back_later(where)
        raise ScreenDiffers(where, f'the page "{page.heading}" was expected, and another one came.')

    def _below(
        self, obligation: Obligation, link: str, page: Page, whole: Callable[[Seen], bool], where: str
    ) -> Seen:  # fmt: skip
        """Open a page of a return, straight away where its link has led before, and wait until all of it is there."""
        key = (obligation.location, obligation.care_type, link)
        if (seen := self._remembered(key, page, whole, where)) is not None:
            return seen
        self.sections(obligation)
        return self._kept(key, self._follow(link, page, whole, where))

    def _remembered(
        self, key: tuple[str, ...], page: Page, whole: Callable[[Seen], bool], where: str
    ) -> Seen | None:  # fmt: skip
        path = self.paths.pop(key, None)
        if path is None or not self.browser.running:
            return None
        seen = self._answered(lambda: self.browser.open(path, self._or_elsewhere(whole)), where)
        return self._kept(key, seen) if seen.is_page(page) else None

    def _kept(self, key: tuple[str, ...], seen: Seen) -> Seen:
        self.paths[key] = self.browser.path
        return seen

    def _sections(self, obligation: Obligation) -> Seen:
        key, page = (obligation.location, obligation.care_type), self.script.sections
        if (seen := self._remembered(key, page, lambda s: s.is_page(page), obligation.id)) is not None:
            return seen
        words = {"{location}": obligation.location, "{care_type}": self.script.care_types[obligation.care_type]}
        pattern = self.script.return_link
        for name, word in words.items():
            pattern = pattern.replace(name, word)
        home = self._home(pattern, obligation.id)
        links = [name for name in home.links if matches(pattern, name)]
        if len(links) != 1:
            raise ScreenDiffers(obligation.id, f"this account's list shows {len(links)} such returns instead of one.")
        return self._kept(key, self._follow(links[0], page, lambda s: s.is_page(page), obligation.id))

    def _home(self, pattern: str, where: str) -> Seen:
        def listed(seen: Seen) -> bool:
            return seen.is_page(self.script.home) and any(matches(pattern, name) for name in seen.links)

        seen = self._answered(lambda: self.browser.open(self.script.login.path, self._or_elsewhere(listed)), where)
        if seen.is_page(self.script.login.page):
            seen = self._log_in(seen, listed, where)
        return self.expect(seen, self.script.home, where)

    def _or_elsewhere(self, whole: Callable[[Seen], bool]) -> Callable[[Seen], bool]:
        """Know a page when all of it is there, and the pages that may come instead of any other."""
        login = self.script.login
        return lambda seen: whole(seen) or (seen.is_page(login.page) and login.button in seen.buttons) or any(
            matches(title, seen.title) for title in self.script.come_back_later)  # fmt: skip

    def _log_in(self, seen: Seen, listed: Callable[[Seen], bool], where: str) -> Seen:
        login = self.script.login
        self.browser.counts.log_ins += 1
        if not self.logs_in:
            return self._by_person(Asked.LOG_IN, lambda s: s.is_page(self.script.home), where)

        def known(seen: Seen) -> bool:
            return listed(seen) or self._refused_or_asked(seen)

        self._answered(lambda: self._give_proof(), where)
        seen = self._answered(lambda: self.browser.press(login.button, known), where)
        if login.code is not None and seen.is_page(login.code.page):
            if self.person is None:
                raise SubmissionRefused(
                    where, "the platform asks for a second proof of who logs in, and nobody is there to give it.",
                    "Nothing was sent.", "Run `dscr-bridge portal assist`, or enter the return by hand.",
                )  # fmt: skip
            return self._by_person(Asked.CODE, lambda s: s.is_page(self.script.home), where)
        if seen.is_page(login.page) and seen.alerts:
            raise _refused_login(where, "did not accept the account's name and password")
        return seen

    def _give_proof(self) -> None:
        self.browser.type_secret(self.script.login.username, self.account.username)
        self.browser.type_secret(self.script.login.password, self.account.secret())

    def _refused_or_asked(self, seen: Seen) -> bool:
        login = self.script.login
        return (seen.is_page(login.page) and bool(seen.alerts)) or (
            login.code is not None and seen.is_page(login.code.page))  # fmt: skip

    def _by_person(self, asked: Asked, known: Callable[[Seen], bool], where: str) -> Seen:
        if self.person is None:
            raise _nobody(where)
        self.person(asked, self.browser)
        try:
            return self.browser.wait(known, self.patience_seconds)
        except NoAnswer:
            raise _nobody(where) from None

    def _follow(self, link: str, page: Page, whole: Callable[[Seen], bool], where: str) -> Seen:
        try:
            seen = self._answered(lambda: self.browser.follow(link, self._or_elsewhere(whole)), where)
        except NoSuchThing:
            raise ScreenDiffers(where, f'there is no link "{link}".') from None
        return self.expect(seen, page, where)

    def _answered(self, act: Callable[[], "Seen | None"], where: str) -> Seen:
        try:
            return act() or Seen("", "")
        except NoAnswer:
            raise no_answer(where) from None


def come_back_later(where: str) -> AskedToWait:
    """Say that the platform is down for maintenance."""
    return AskedToWait(
        where, "the platform shows a maintenance page.", "Nothing was sent; a running bridge tries again by itself.",
        "Nothing, for now; if it goes on near the close, enter the figures by hand.", _LATER,
    )  # fmt: skip


def _refused_login(where: str, what: str) -> SubmissionRefused:
    return SubmissionRefused(
        where, f"the platform {what}.",
        "Nothing was sent, and the bridge does not try again by itself, so that the account is not locked.",
        "Check the account with the platform's support centre.",
    )  # fmt: skip


def no_answer(where: str) -> ReceiverUnavailable:
    """Say that no page came, and that nothing can have been saved."""
    return ReceiverUnavailable(
        where, "the platform's pages could not be reached.",
        "Nothing was sent; a running bridge tries again by itself.",
        "If this goes on, look whether the platform opens in a browser on this machine.",
    )  # fmt: skip


def _nobody(where: str) -> BridgeError:
    return ReceiverUnavailable(
        where, "the person at the browser did not do what was asked in time.", "Nothing was sent.",
        "Run the command again when somebody has time for it.",
    )  # fmt: skip
