"""Every page of the simulated portal says what it is, and the link of its e-mail does what it says and no more."""

import re
from collections import deque
from contextlib import closing
from html import unescape
from urllib.parse import urlsplit

import httpx
import pytest
from portal_site import ELM, START, WILLOWS, WINDOW, a_site, make_checked

from dscr_bridge import sending
from dscr_bridge.ledger import ObligationState
from dscr_bridge.sandbox import portal as simulated
from dscr_bridge.sandbox import portal_faults, portal_screens
from dscr_bridge.submit.portal.browser import Browser

SAYS = ("A simulation made by dscr-bridge. It is not Capacity Tracker", "<title>SIMULATED: ")
STAMP = '<header class="simulated">SIMULATED: not a real return</header>'
KINDS = {ELM: ["care_home"], WILLOWS: ["care_home", "home_care"]}
SECTION = f"/location/{ELM}/care-home/workforce"
LEVERS = {"touches-another": {"value": "d0"}, "person-edit": {"value": {"d0": "5"}, "on": "open"}, "refused": {"value": "No."}}
QUICK = "Nothing to report, or nothing has changed"


@pytest.fixture(scope="module")
def plain_site(tmp_path_factory):
    """The portal without a browser."""
    with a_site(tmp_path_factory.mktemp("pages"), KINDS) as made:
        yield made


@pytest.fixture
def visitor(plain_site):
    """Somebody who reads pages as they come."""
    plain_site.levers()
    plain_site.post("/simulator/forget", None)
    with httpx.Client(base_url=plain_site.url, follow_redirects=True, timeout=30) as client:
        yield client


def form(page, **typed):
    """Fill in the form of a page: what stands in it, and what is typed."""
    token = re.search(r'name="token" value="([^"]*)"', page.text)
    stands = {"token": token[1]} if token else {}
    for name, value in re.findall(r'<input inputmode="decimal"[^>]* name="([^"]*)"[^>]* value="([^"]*)"', page.text):
        stands[name] = value or "1"
    return {**stands, **typed}


def logged_in(visitor):
    page = visitor.get("/login")
    return visitor.post("/login", data=form(page, user=simulated.USER, password=simulated.PASSWORD))


def says_so(answer):
    page = answer.text
    return answer.headers["content-type"].startswith("text/html") and all(s in page for s in SAYS) and page.count(STAMP) == 1


def crawled(visitor, begin):
    """Follow every link from some pages on, each address once; give every answer."""
    found, waiting = {}, deque(begin)
    while waiting:
        path = waiting.popleft()
        if path in found:
            continue
        found[path] = answer = visitor.get(path)
        waiting.extend(urlsplit(unescape(one)).path for one in re.findall(r'href="([^"#]*)"', answer.text))
    return found


def test_every_page_says_that_it_is_a_simulation_of_this_project(visitor):
    logged_in(visitor)
    letters = [f"/email/{one}/{kind.replace('_', '-')}" for one, kinds in KINDS.items() for kind in kinds]
    found = crawled(visitor, ["/login", "/code", "/", *letters])
    screens = {f"/location/{one}/{kind}/{s.name}" for one, kinds in KINDS.items()
               for kind in (k.replace("_", "-") for k in kinds) for s in portal_screens.SCREENS[kind]}  # fmt: skip
    assert screens < set(found) and sum(p.startswith("/link/") for p in found) == 3
    assert {answer.status_code for answer in found.values()} == {200}
    assert [path for path, answer in found.items() if not says_so(answer)] == []


# A connection that is cut shows no page.
@pytest.mark.parametrize("kind", sorted(set(portal_faults.KINDS) - {"hang-up", "hang-up-before"}))
def test_a_page_that_a_lever_changes_says_so_too(visitor, kind):
    logged_in(visitor)
    page = visitor.get(SECTION)
    _pulled(visitor, {"kind": kind, "times": 1, **LEVERS.get(kind, {})})
    if kind in ("keeps-old", "refused"):
        answer = visitor.post(SECTION, data=form(page))
    else:
        answer = logged_in(visitor) if kind == "mfa" else visitor.get("/" if kind in ("news", "maintenance") else SECTION)
    assert says_so(answer), answer.text[:400]
    assert [(lever["kind"], lever["times"]) for lever in visitor.get("/simulator/levers").json()] == [(kind, 0)]  # it was pulled


def test_every_refusal_says_so_too(visitor):
    page = visitor.get("/login")
    wrong = [visitor.post("/login", data=form(page, user=simulated.USER, password="no")), visitor.post("/login"),
             visitor.post("/code", data={"code": "1"})]  # fmt: skip
    assert all(answer.status_code == 200 and ("wrong" in answer.text) for answer in wrong)
    logged_in(visitor)
    wrong += [visitor.get("/nothing-here"), visitor.get(f"/location/{ELM}/home-care"), visitor.get(f"{SECTION}x"),
              visitor.put("/login"), visitor.get(f"/link/{ELM}/care-home/{'0' * 32}"),
              visitor.post(SECTION, data={"token": "another"}), visitor.post(SECTION, content=b"x" * 5_000_000),
              visitor.post(SECTION, data=form(visitor.get(SECTION), d0="many"))]  # fmt: skip
    assert {answer.status_code for answer in wrong} == {200, 403, 404, 405, 413}
    assert [answer.url.path for answer in wrong if not says_so(answer)] == []


def _pulled(visitor, lever):
    visitor.post("/simulator/levers", json=[lever]).raise_for_status()


def the_link(visitor, location, kind):
    letter = visitor.get(f"/email/{location}/{kind}")
    assert "open until the end of Monday 16 November" in letter.text
    return re.search(r'href="(/link/[^"]*)"', letter.text)[1]


def test_no_change_saves_what_stands_as_of_now_and_nothing_else(visitor, plain_site):
    old = {f"{e}{n}": str(n + 1) for e in "da" for n in range(3)}
    plain_site.edit(ELM, "care-home", "workforce", old)  # in October
    answer = visitor.post(the_link(visitor, ELM, "care-home"), data={"what": "unchanged"})
    assert "Your previous information has been saved" in answer.text
    made = plain_site.saves("unchanged")
    assert [s["screen"] for s in made] == [s.name for s in portal_screens.SCREENS["care-home"]]
    assert {(s["location"], s["kind"], s["at"][:10]) for s in made} == {(ELM, "care-home", f"{START:%Y-%m-%d}")}
    assert next(s["answers"] for s in made if s["screen"] == "workforce") == old
    assert plain_site.saves("nil") == plain_site.saves("form") == []
    logged_in(visitor)
    assert "9 November 2026 10:3" in visitor.get(f"/location/{ELM}/care-home/workforce").text


def test_a_nil_return_is_kept_as_one_and_leaves_every_answer_as_it_was(visitor, plain_site):
    plain_site.edit(WILLOWS, "home-care", "workforce", {"workers": "12"})
    answer = visitor.post(the_link(visitor, WILLOWS, "home-care"), data={"what": "nil"})
    assert "Your nil return has been received" in answer.text
    (made,) = plain_site.saves("nil")
    assert (made["location"], made["kind"], made["answers"]) == (WILLOWS, "home-care", {})
    assert plain_site.standing(WILLOWS, "home-care", "workforce") == {"workers": "12"}
    assert plain_site.saves("unchanged") == []


def test_a_link_is_good_for_its_own_return_and_does_nothing_until_a_button_is_pressed(visitor, plain_site):
    link = the_link(visitor, WILLOWS, "home-care")
    assert visitor.get(link).status_code == 200
    seal = link.rpartition("/")[2]
    others = (f"/link/{WILLOWS}/care-home/{seal}", f"/link/{ELM}/care-home/{seal}", f"{link[:-1]}g")
    assert {visitor.post(one, data={"what": "nil"}).status_code for one in others} == {403}
    assert visitor.post(link, data={"what": "something"}).status_code == 400
    assert [s for how in ("nil", "unchanged", "form") for s in plain_site.saves(how)] == []


def test_who_follows_no_change_in_a_browser_in_the_window_leaves_the_bridge_nothing_to_save(site, ledger, channel, house):
    """A person was quicker: the same figures, confirmed by the e-mail's link, are found by reading back."""
    checked = make_checked(only=("visiting",))
    site.edit(ELM, "care-home", "visiting", {"visitors": "Yes, with restrictions"})  # in October
    house.channel.rest()
    with closing(Browser(site.url, site.world(), pause_seconds=0)) as browser:
        browser.run(lambda: _no_change(browser))
    sent = sending.send(checked, ledger, channel, site.world(), window=WINDOW, owner="test", software="dscr-bridge 0.1")
    assert sent.state is ObligationState.ON_RECORD
    assert site.saves() == [] and len(site.saves("unchanged")) == len(portal_screens.SCREENS["care-home"])


def _no_change(browser):
    browser.open(f"/email/{ELM}/care-home")
    browser.follow(QUICK, lambda seen: seen.heading == QUICK)
    browser.press("Save the information that you already hold", lambda seen: bool(seen.status))
