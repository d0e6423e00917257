"""One browser with one page in one thread of its own: polite, same-origin, without memory.

Nothing of a page is logged.  Playwright's errors quote pages and addresses: none of their text leaves this module.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from threading import Event, Thread
from time import monotonic
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urljoin, urlsplit

from dscr_bridge.errors import ConfigError
from dscr_bridge.submit.portal.carried import Carrier
from dscr_bridge.submit.portal.launching import launched
from dscr_bridge.submit.portal.seen import Control, Seen, look_script, seen_from
from dscr_bridge.world import World

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Locator, Page, Response

_T = TypeVar("_T")
_REST = 0.3  # seconds for which a page has not changed
_ROLES = {"textarea": "textbox", "text": "textbox", "select": "combobox"}


class NoAnswer(Exception):
    """The browser got no page: nobody answered, or it took too long."""


class NoSuchThing(Exception):
    """A link, field or button that was just seen cannot be used."""


@dataclass
class Counts:
    """How much was asked of the platform."""

    pages: int = 0
    log_ins: int = 0


class Browser:
    """A browser for one platform; every method must be called through `run`."""

    def __init__(
        self, url: str, world: World, *, hosts: Sequence[str] = (), headed: bool = False,
        executable: Path | None = None, pause_seconds: float = 1.0, timeout_seconds: float = 30.0,
        settle_seconds: float = 1.0,
    ) -> None:  # fmt: skip
        """Take where the platform is and how politely to visit it; nothing is started yet.

        `settle_seconds` is how long a page that is not the expected one must stand still before it is taken for what
        came: many platforms put their fields in after the page has arrived.
        """
        self.url, self.counts = url.rstrip("/"), Counts()
        self._world, self._pause, self._timeout = world, timedelta(seconds=pause_seconds), timeout_seconds * 1000
        self._settle, self._headed, self._executable = settle_seconds, headed, executable
        self._origins = {urlsplit(url).netloc, *hosts}
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="portal")
        self._closing = Event()
        self._carrier = None if world.transport is None else Carrier(world.transport)
        self._started = ExitStack()
        self._page: "Page | None" = None  # noqa: UP037  (the names are for type checking only)
        self._beside: "Page | None" = None  # noqa: UP037
        self._asked_at: datetime | None = None
        self.clock: datetime | None = None  # of the platform, as its last answer said
        self.ahead = timedelta(0)  # by how much that clock ran before ours when it was said

    def run(self, act: Callable[[], _T]) -> _T:
        """Do something in the browser's own thread and wait for it."""
        try:
            return self._thread.submit(act).result()
        finally:
            if self._carrier is not None:
                self._carrier.require_whole()

    def meanwhile(self, act: Callable[[], _T]) -> _T:
        """Let a person be asked elsewhere while the page lives on: without this its requests would wait for the answer.

        Raises NoAnswer where the window or this browser is closed before the person answers.
        """
        answer: Future[_T] = Future()

        def asked() -> None:
            try:
                answer.set_result(act())
            except BaseException as given:  # noqa: BLE001  (for whoever waits)
                answer.set_exception(given)

        Thread(target=asked, daemon=True).start()  # no prompt keeps a process alive that is to end
        while not answer.done():
            if self._closing.is_set():
                raise NoAnswer
            with _mapped(NoAnswer):
                self.page.wait_for_timeout(50)
        return answer.result()

    def close(self) -> None:
        """Stop the browser; safe to call again."""
        self._closing.set()
        self._thread.submit(self.stop).result()
        self._thread.shutdown()

    @property
    def page(self) -> "Page":
        """The page; the browser starts with the first use.  Raises ConfigError where there is none."""
        if self._page is None:
            self._page = self._start()
        return self._page

    @property
    def path(self) -> str:
        """Where it is on the platform; kept in memory only."""
        return self.page.url.removeprefix(self.url)

    @property
    def running(self) -> bool:
        """Say whether a browser has been started."""
        return self._page is not None

    def stop(self) -> None:
        """End the browser and forget its session."""
        with suppress(Exception):
            self._started.close()
        self._page = self._beside = None

    def open(self, path: str, known: Callable[[Seen], bool] = lambda _seen: True) -> Seen:
        """Open a page of the platform and wait as `follow` does.  Raises NoAnswer."""
        with _mapped(NoAnswer):
            self._polite()
            self.page.goto(urljoin(f"{self.url}/", path.lstrip("/")))
        return self.wait(known, self._timeout / 1000, Seen("", ""))

    def follow(self, link: str, known: Callable[[Seen], bool]) -> Seen:
        """Follow a link by its name until a page is known, or another has settled.  Raises NoSuchThing or NoAnswer."""
        return self._click(self._only(self.page.get_by_role("link", name=link, exact=True)), known)

    def press(self, button: str, known: Callable[[Seen], bool]) -> Seen:
        """Press a button and wait likewise.  Raises NoSuchThing before it was pressed, NoAnswer after."""
        return self._click(self._only(self.page.get_by_role("button", name=button, exact=True)), known)

    def wait(self, known: Callable[[Seen], bool], seconds: float, before: Seen | None = None) -> Seen:
        """Look until a whole page is known; with `before`, one that has become another, or settled as another.

        Raises NoAnswer.
        """
        return self._waited(self.page, known, seconds, before)

    def at_rest(self, known: Callable[[Seen], bool], seconds: float) -> Seen:
        """Look until a whole page is known and has stood still for a moment.  Raises NoAnswer."""
        last, since = None, monotonic()
        for complete, seen in self._looks(self.page, seconds):
            if not complete or seen != last:
                last, since = (seen if complete else None), monotonic()
            elif known(seen) and monotonic() - since > _REST:
                return seen
        raise NoAnswer

    def look(self) -> Seen:
        """Read the page that is there.  Raises NoAnswer."""
        with _mapped(NoAnswer):
            return seen_from(self.page.evaluate(look_script()))

    def look_again(self, known: Callable[[Seen], bool]) -> Seen:
        """Read the same address anew, beside the page that is being filled; wait as `follow` does.  Raises NoAnswer."""
        with _mapped(NoAnswer):
            self._polite()
            if self._beside is None:
                self._beside = self._new_page(self.page.context)
            self._beside.goto(self.page.url)
            seen = self._waited(self._beside, known, self._timeout / 1000, Seen("", ""))
            self._beside.goto("about:blank")  # it shows nothing while nobody looks
            self.page.bring_to_front()  # a page that is covered draws, and so answers, once a second
            return seen

    def fill(self, control: Control, text: str) -> None:
        """Type into a field, or choose an option, found by its accessible group and label.  Raises NoSuchThing."""
        within: Any = self.page
        for group in filter(None, control.group.split(" > ")):
            within = within.get_by_role("group", name=group, exact=True)
        with _mapped(NoSuchThing):
            if control.kind == "choice":
                asked = within.get_by_role("group", name=control.label, exact=True)
                self._only(asked.get_by_role("radio", name=text, exact=True)).check()
            elif control.kind == "select":
                self._only(within.get_by_role("combobox", name=control.label, exact=True)).select_option(label=text)
            else:
                role = _ROLES.get(control.kind, "textbox")
                self._only(within.get_by_role(role, name=control.label, exact=True)).fill(text)

    def type_secret(self, label: str, secret: str) -> None:
        """Type into a field of the log-in page, found by its label.  Raises NoSuchThing."""
        with _mapped(NoSuchThing):
            self._only(self.page.get_by_label(label, exact=True)).fill(secret)

    def picture_of(self, boxes: Sequence[tuple[float, float, float, float]]) -> bytes:
        """Take a picture on which nothing but these boxes is drawn at all, since page headers show names."""
        with _mapped(NoAnswer):
            self.page.evaluate(_HIDE_ALL_BUT, [list(b) for b in boxes])
            return self.page.screenshot(full_page=True, animations="disabled")

    def _only(self, found: "Locator") -> "Locator":
        with suppress(Exception):  # one that is not there yet may still come
            found.first.wait_for(state="attached", timeout=self._settle * 1000)
        with _mapped(NoSuchThing):
            if found.count() != 1:
                raise NoSuchThing
        return found

    def _polite(self) -> None:
        """Let at least the pause pass between two pages."""
        if self._asked_at is not None:
            left = (self._asked_at + self._pause - self._world.now()).total_seconds()
            if left > 0:
                self._world.sleep(left)
        self._asked_at = self._world.now()
        self.counts.pages += 1

    def _click(self, target: "Locator", known: Callable[[Seen], bool]) -> Seen:
        before = self.look()
        self._polite()
        with _mapped(NoAnswer):
            target.click()
        return self.wait(known, self._timeout / 1000, before)

    def _waited(self, page: "Page", known: Callable[[Seen], bool], seconds: float, before: Seen | None) -> Seen:
        other, since = before, monotonic()
        for complete, seen in self._looks(page, seconds):
            if complete and seen != before and known(seen):
                return seen
            if seen != other or not complete:
                other, since = seen, monotonic()
            elif before is not None and seen != before and monotonic() - since > self._settle:
                return seen
        raise NoAnswer

    def _looks(self, page: "Page", seconds: float) -> Iterator[tuple[bool, Seen]]:
        """Look again and again: whether the page had arrived whole, and what it was, of one and the same moment."""
        ends = monotonic() + seconds
        while monotonic() < ends:
            with suppress(Exception):  # a page that is just being left cannot be read
                found = page.evaluate(look_script())
                yield found["complete"], seen_from(found)
            if page.url.startswith("chrome-error:"):
                raise NoAnswer
            with _mapped(NoAnswer):
                page.wait_for_timeout(20)

    def _noted(self, response: "Response") -> None:
        """Keep what the platform's clock says."""
        stated = response.headers.get("date") if response.request.is_navigation_request() else None
        with suppress(Exception):
            if stated:
                self.clock = parsedate_to_datetime(stated)
                self.ahead = self.clock - self._world.now()

    def _start(self) -> "Page":
        try:
            with _mapped(NoAnswer):
                browser = launched(self._started, headed=self._headed, executable=self._executable)
        except (ConfigError, NoAnswer):
            self.stop()
            raise
        with _mapped(NoAnswer):
            context = browser.new_context(locale="en-GB", timezone_id="Europe/London", accept_downloads=False,
                                          service_workers="block")  # fmt: skip
            context.set_default_timeout(self._timeout)
            context.route(lambda address: urlsplit(address).netloc not in self._origins, lambda route: route.abort())
            page = self._new_page(context)
            page.on("response", self._noted)
            return page

    def _new_page(self, context: "BrowserContext") -> "Page":
        page = context.new_page()
        if self._carrier is not None:
            self._carrier.join(page)
        return page


_HIDE_ALL_BUT = """boxes => {
  const near = (a, b) => Math.abs(a - b) < 1;
  for (const e of document.querySelectorAll("html, body *")) {
    const r = e.getBoundingClientRect(), x = r.x + scrollX, y = r.y + scrollY;
    const isBox = e.matches("input, select, textarea") && boxes.some(b => near(b[0], x) && near(b[1], y)
      && near(b[2], r.width) && near(b[3], r.height));
    const isRadio = e.matches("input[type=radio]") && boxes.some(b => x >= b[0] - 1 && y >= b[1] - 1
      && x + r.width <= b[0] + b[2] + 1 && y + r.height <= b[1] + b[3] + 1);
    e.style.setProperty("visibility", isBox || isRadio ? "visible" : "hidden", "important");
  }
}"""


@contextmanager
def _mapped(kind: type[Exception]) -> Iterator[None]:
    """Turn whatever the browser says into one of our own words; its text may hold what stands on the page."""
    try:
        yield
    except (NoAnswer, NoSuchThing, ConfigError):
        raise
    except Exception:  # noqa: BLE001  (Playwright's errors, and those of a driver that died)
        raise kind from None
