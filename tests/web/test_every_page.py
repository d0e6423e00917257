"""Every page and every act in a real browser, at three widths, light and dark, judged by axe-core."""

import os
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from installed import ELM, NOW, RIVER, ROSE, WILLOWS, Site, a_year_behind, declared, served_site

from dscr_bridge import bridge as flow
from dscr_bridge.config import Pages, Provider

HOME = f"/location/{ELM}/care_home"
PAGES = {
    "wall": "/", "wall-found": "/?q=willows&sort=name", "wall-none": "/?q=nowhere", "return": f"{HOME}/",
    "month": f"{HOME}/month", "month-home-care": f"/location/{RIVER}/home_care/month",
    "item": f"{HOME}/item/ch_beds_occupied?steps=yes", "history": f"{HOME}/history",
    "history-home-care": f"/location/{WILLOWS}/home_care/history", "beds": f"/location/{ELM}/beds",
    "receipts": "/receipts?window=2026-10", "receipt": f"{HOME}/receipt/2026-10", "audit": f"/audit?of={ELM}",
    "inspection": f"/location/{ELM}/inspection", "sources": "/sources", "enforcement": "/enforcement",
    "about": "/about", "assurance": "/assurance", "hazards": "/assurance/hazards", "fields": "/assurance/fields", "missing": "/nothing-here",
}  # fmt: skip
LEVELS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
LOOKS = [(1280, "light"), (320, "dark"), (768, "light"), (320, "light"), (1280, "dark"), (768, "dark")]
PICTURES = os.environ.get("DSCR_PICTURES")  # a folder outside the repository, to look at them


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """An installation with a year behind it, and this month counted."""
    folder = tmp_path_factory.mktemp("site")
    with ExitStack() as running:
        served = served_site(folder, running, Pages(port=0))
        declared(served.bridge, folder)
        a_year_behind(served.bridge, served.clock, missed=((ROSE, "2026-06"), (ROSE, "2026-07"), (RIVER, "2026-03")))
        served.clock.at = NOW
        flow.run_due(served.bridge)
        yield served


def sign_in(page: Any, site: Site, acts_as: str = "The registered manager") -> None:
    page.goto(site.door())
    page.fill("#name", "Jo Example")
    page.get_by_label(acts_as).check()
    press(page, "Go on")
    page.wait_for_url(f"{site.address}/")


def says(page: Any, *words: str) -> None:
    told = page.content()
    assert [each for each in words if each not in told] == []


def press(page: Any, name: str, role: str = "button", *, exact: bool = False) -> None:
    """Press a button or follow a link, and wait for the answer: a click alone does not."""
    with page.expect_navigation(timeout=60_000):
        page.get_by_role(role, name=name, exact=exact).first.click()


def judged(page: Any, axe: str) -> list[str]:
    page.evaluate(axe)
    found = page.evaluate("levels => axe.run(document, {runOnly: {type: 'tag', values: levels}})", LEVELS)
    return [f"{v['id']}: {v['nodes'][0]['html'][:160]}" for v in found["violations"]]


def look(page: Any, name: str) -> None:
    if PICTURES:
        page.screenshot(path=Path(PICTURES) / f"{name}.png", full_page=True)


@pytest.mark.timeout(900)
@pytest.mark.parametrize(("width", "scheme"), LOOKS if os.environ.get("DSCR_DOSE") else LOOKS[:2])
def test_no_page_breaks_an_accessibility_rule_or_asks_for_anything_from_elsewhere(
    browser: Any, axe: str, site: Site, width: int, scheme: str
) -> None:
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme, java_script_enabled=True)
    page = context.new_page()
    asked: list[str] = []
    complaints: list[str] = []
    page.on("request", lambda r: asked.append(r.url))
    page.on("console", lambda m: complaints.append(m.text) if "Content Security" in m.text or "Refused" in m.text else None)
    page.goto(site.door())
    wrong = {"sign-in": judged(page, axe)}
    sign_in(page, site)
    for name, path in PAGES.items():
        page.goto(site.address + path)
        wrong[name] = judged(page, axe)
        wide = page.evaluate("document.documentElement.scrollWidth")
        if wide > width:
            wrong[name].append(f"scrolls sideways: {wide} at {width}")
        look(page, f"{name}-{width}-{scheme}")
    context.close()
    assert {name: found for name, found in wrong.items() if found} == {}
    assert [url for url in asked if not url.startswith(site.address)] == []
    assert complaints == []


def test_whoever_answers_for_one_return_sees_where_it_stands_and_goes_to_it(browser: Any, axe: str, serve: Any) -> None:
    """One home with one care type is the commonest provider of all."""
    site = serve(Pages(port=0), lambda config: config.model_copy(update={"provider": (_of_one_home(config.provider[0]),)}))
    flow.run_due(site.bridge)
    context = browser.new_context(viewport={"width": 320, "height": 640})
    page = context.new_page()
    sign_in(page, site)
    assert judged(page, axe) == [] and page.evaluate("document.documentElement.scrollWidth") <= 320
    assert page.get_by_role("heading", name="Elm Court, care home").is_visible() and page.get_by_text("Next step:").is_visible()
    look(page, "wall-of-one-320")
    press(page, "Go to the return")
    page.wait_for_url(f"{site.address}{HOME}/")
    page.goto(f"{site.address}/?q=elm")
    assert page.get_by_role("link", name="Elm Court").is_visible()
    context.close()


def _of_one_home(provider: Provider) -> Provider:
    return provider.model_copy(update={"location": tuple(one for one in provider.location if one.id == ELM)})


def test_text_at_twice_its_size_still_fits(browser: Any, site: Site) -> None:
    context = browser.new_context(viewport={"width": 640, "height": 450})  # 1280 at 200 per cent
    page = context.new_page()
    sign_in(page, site)
    for path in PAGES.values():
        page.goto(site.address + path)
        assert page.evaluate("document.documentElement.scrollWidth") <= 640, path
    context.close()


@pytest.mark.timeout(900)
@pytest.mark.parametrize("width", [320, 768, 1280] if os.environ.get("DSCR_DOSE") else [320])
def test_every_act_is_done_without_any_script_and_its_answer_breaks_no_rule(browser: Any, axe: str, serve: Any, width: int) -> None:
    site = serve(Pages(port=0, bed_board="rooms"))
    # Without JavaScript: a page that needed it could do nothing here.
    context = browser.new_context(viewport={"width": width, "height": 640}, java_script_enabled=False)
    page = context.new_page()
    # axe-core is itself a script: it judges a copy of the answer in a page where scripts run.
    judges = browser.new_context(viewport={"width": width, "height": 640})
    copy = judges.new_page()
    wrong: dict[str, list[str]] = {}

    def judge(act: str) -> None:
        there, answer = f"{site.address}/sign-in?copy", page.content()
        copy.route(there, lambda route: route.fulfill(body=answer, content_type="text/html; charset=utf-8"))
        copy.goto(there)
        copy.unroute(there)
        wrong[act] = judged(copy, axe)
        if (wide := page.evaluate("document.documentElement.scrollWidth")) > width:
            wrong[act].append(f"scrolls sideways: {wide}")
        look(page, f"act-{act.replace(' ', '-')}-{width}")

    page.goto(site.door())
    press(page, "Go on")  # nothing filled in
    says(page, "There is a problem")
    judge("sign-in refused")
    sign_in(page, site)
    here = f"{site.address}/location/{ELM}/care_home"

    page.goto(f"{here}/month")
    page.get_by_label("With restrictions").check()
    press(page, "Save and look at the figures")
    says(page, "Your answers are kept", "With restrictions")
    judge("answered")

    page.goto(f"{here}/")
    _open(page, "Hold it")
    page.fill("#hold-note", "The whiteboard says something else")
    press(page, "Hold", exact=True)
    says(page, "Held. It goes on")
    judge("held")

    press(page, "Approve these figures")
    says(page, "Approved. It now stands at", "To enter by hand")
    judge("approved")

    _open(page, "I entered it on the platform")
    page.fill("#reference", "Saved 10:34")
    photo = b"\x89PNG\r\n\x1a\n" + b"0" * 1_000_000
    page.set_input_files("#photo", {"name": "Mrs Example.png", "mimeType": "image/png", "buffer": photo})
    look(page, f"confirm-{width}")
    press(page, "Confirm")
    says(page, "Confirmed. The bridge stops asking")
    judge("confirmed")
    press(page, "Receipt", "link", exact=True)
    says(page, "Jo Example (registered manager)")
    (kept,) = (site.bridge.config.data_folder / "attachments").iterdir()
    assert kept.read_bytes() == photo and kept.name in page.content() and "Mrs Example" not in page.content()

    page.goto(f"{site.address}/location/{WILLOWS}/home_care/")
    _open(page, "There is nothing to report")
    page.locator("input[name=reason][value=paused]").check()
    page.fill("#looked_at", "The letter of CQC of 2 November")
    page.get_by_label("What you looked at").fill("The rota of this week")
    press(page, "State it", exact=True)
    says(page, "The records read just now show people or staff")
    judge("nil refused")
    _open(page, "There is nothing to report")
    page.get_by_label("We think that we have no duty, but were asked").check()
    page.get_by_label("What you looked at").fill("The letter of our adviser")
    press(page, "State it", exact=True)
    says(page, "Now choose the nil return on the platform")
    judge("nil")
    _open(page, "Pause everything")
    page.fill("#pause-note", "Sold on Friday")
    press(page, "Pause")
    says(page, "Its windows still close")
    judge("paused")
    _open(page, "End the pause")
    press(page, "Go on")
    says(page, "The pause is over")
    judge("gone on")

    page.goto(f"{site.address}/location/{ELM}/beds")
    judge("beds to look at")
    press(page, "Show every room")
    says(page, "Room A1")
    judge("beds by room")

    page.goto(f"{site.address}/sources")
    press(page, "Run the drill now")
    says(page, "Works: source elm-court-record")
    judge("drilled")

    page.goto(f"{site.address}/enforcement")
    _open(page, "Note a contact")
    page.select_option("#kind", "notice_of_intent")
    page.fill("#day", "2026-11-02")
    page.fill("#case-note", "By letter")
    press(page, "Note it")
    says(page, "Monday 16 November 2026: write representations")
    judge("case noted")

    page.goto(f"{site.address}/audit?of={ELM}")
    said = page.content()
    assert "Return held" in said and "Entered by hand and confirmed" in said and "The whiteboard says something else" in said
    page.goto(f"{site.address}/audit?of=provider:{site.bridge.config.provider[0].id}")
    says(page, "Drill run", "Jo Example (registered manager)")
    page.goto(f"{site.address}/assurance")
    press(page, "Make and keep them")
    says(page, "Up to date")
    judge("assured")

    page.goto(f"{site.address}/location/{ROSE}/care_home/")
    press(page, "Count now")
    _open(page, "Nothing that I say has changed")
    press(page, "State it again")
    judge("unchanged")
    page.goto(f"{site.address}/location/{ROSE}/care_home/item/ch_beds_occupied")
    _open(page, "State this figure yourself")
    judge("to declare")
    page.fill("#value", "7")
    page.fill("#until", "2026-12-31")
    press(page, "State it")
    says(page, "Stated, in your name")
    judge("declared")
    press(page, "Take it back")
    says(page, "Taken back")

    press(page, "Sign out")
    page.goto(f"{here}/")
    says(page, "one-time address")
    judge("signed out")
    context.close()
    judges.close()
    assert {act: found for act, found in wrong.items() if found} == {}


def test_a_warning_is_accepted_with_a_note_that_the_receipt_prints(browser: Any, serve: Any) -> None:
    site = serve()
    context = browser.new_context(viewport={"width": 768, "height": 900}, java_script_enabled=False)
    page = context.new_page()
    sign_in(page, site)
    page.goto(f"{site.address}/location/{ELM}/care_home/")
    press(page, "Count now")
    _open(page, "It is right: accept it")
    page.locator("textarea").first.fill("Both stays were checked with the ward")
    press(page, "Accept")
    says(page, "Accepted; your note is printed")
    page.goto(f"{site.address}/location/{ELM}/care_home/month")
    page.get_by_label("Yes").check()
    press(page, "Save and look")
    press(page, "Approve these figures")
    press(page, "How far it came", "link")
    says(page, "Both stays were checked with the ward")
    context.close()


def test_the_keyboard_alone_reaches_and_shows_every_control(browser: Any, site: Site) -> None:
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    sign_in(page, site)
    page.goto(f"{site.address}{HOME}/")
    wanted = page.evaluate("document.querySelectorAll('a[href], button, summary, input:not([type=hidden]), select, textarea').length")
    seen = set()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to main content"
    for _ in range(wanted + 5):
        mark = page.evaluate("(e => e.outerHTML.slice(0, 200) + [...document.querySelectorAll('*')].indexOf(e))(document.activeElement)")
        seen.add(mark)
        shown = page.evaluate("(e => { const s = getComputedStyle(e); return s.outlineStyle != 'none' || s.boxShadow != 'none' })(document.activeElement)")
        assert shown or mark.startswith("<body"), mark
        page.keyboard.press("Tab")
    closed = page.evaluate("document.querySelectorAll('details:not([open]) :is(a[href], button, input:not([type=hidden]), select, textarea)').length")
    assert len([m for m in seen if not m.startswith("<body")]) >= wanted - closed
    context.close()


def test_a_page_prints_without_its_controls(browser: Any, site: Site) -> None:
    context = browser.new_context(viewport={"width": 794, "height": 1123})
    page = context.new_page()
    sign_in(page, site)
    page.goto(f"{site.address}/location/{ELM}/inspection")
    page.emulate_media(media="print")
    assert not page.get_by_role("button", name="Sign out").is_visible()
    assert page.get_by_role("heading", name="Elm Court: inspection and handover").is_visible()
    assert page.get_by_text("Entered by Sam Example").count() == 11
    look(page, "inspection-print")
    context.close()


def _open(page: Any, summary: str) -> None:
    page.locator("summary", has_text=summary).first.click()
