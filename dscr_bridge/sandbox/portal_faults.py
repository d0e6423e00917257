"""What the simulated portal's levers do: screens that change overnight, sessions that end, saves that only look so."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from flask import Response

from dscr_bridge.sandbox import portal_pages, portal_scripted, serving
from dscr_bridge.sandbox.levers import Levers
from dscr_bridge.sandbox.portal_screens import Question, Screen

KINDS = {
    "moved-field": "the first question moves: `value` group (default), screen or order",
    "renamed-label": "the first question is asked in other words",
    "swapped-labels": "the first two questions have exchanged their labels",
    "new-question": "a new question that must be answered",
    "session-ends": "the session is over: the log-in page comes (match on: home, sections, open, save, held)",
    "maintenance": "a maintenance page with status 503",
    "person-edit": "a person changes the section meanwhile: `value` answers; match on: open or saved",
    "keeps-old": "a save that shows success and keeps the old values",
    "hang-up": "saves, waits `seconds` and hangs up: the sender cannot know",
    "hang-up-before": "waits `seconds` and hangs up; nothing is stored",
    "refused": "refuses a save with the sentence in `value`",
    "news": "a page of news in place of the list of locations",
    "mfa": "asks for a code at log-in",
    "late-content": "a script puts the fields or rows in `seconds` after the page has arrived (match on: open, held)",
    "touches-another": "typing in a field changes another one, named by `value`, `seconds` later",
    "slow": "waits `seconds`, then goes on as if nothing were wrong",
}
_DOTS = {"whole": 0, "decimal": 1}  # how many dots a number may have


class Answered(Exception):
    """The answer is given already."""

    def __init__(self, response: Response) -> None:
        """Take the answer."""
        super().__init__()
        self.response = response


def before(
    levers: Levers, sleep: Callable[[float], None], environ: dict[str, Any], facts: Mapping[str, str]
) -> None:
    """Misbehave before anything is read or stored; raises Answered, or waits, or does nothing."""
    if slow := levers.take("slow", **facts):
        sleep(slow.seconds)
    if levers.take("maintenance", **facts):
        raise Answered(Response(portal_pages.maintenance(), 503, content_type="text/html; charset=utf-8"))
    if lever := levers.take("hang-up-before", **facts):
        serving.hang_up(environ, lever.seconds, sleep)
        raise Answered(Response(status=204))


def hang_up(levers: Levers, sleep: Callable[[float], None], environ: dict[str, Any], facts: Mapping[str, str]) -> None:
    """Hang up after a save, where the lever says so."""
    if lever := levers.take("hang-up", **facts):
        serving.hang_up(environ, lever.seconds, sleep)
        raise Answered(Response(status=204))


def changed(levers: Levers, screen: Screen, facts: Mapping[str, str]) -> Screen:
    """Give the screen as the levers have changed it overnight."""
    first, *rest = screen.questions
    if levers.take("renamed-label", **facts):
        screen = replace(screen, questions=(replace(first, label=f"{first.label} this week"), *rest))
    if rest and levers.take("swapped-labels", **facts):
        screen = replace(screen, questions=_swapped(first, *rest))
    if lever := levers.take("moved-field", **facts):
        screen = replace(screen, questions=_moved(first, tuple(rest), str(lever.value or "group")))
    if levers.take("new-question", **facts):
        new = Question("volunteers", "Number of volunteers", "Number of volunteers")
        screen = replace(screen, grid=False, questions=(*screen.questions, new)) if not screen.grid else replace(
            screen, questions=(*screen.questions, replace(new, kind="decimal")))  # fmt: skip
    return screen


def scripted(levers: Levers, page: str, facts: Mapping[str, str]) -> str:
    """Give the page as a script of the levers alters it in the browser."""
    if lever := levers.take("touches-another", **facts):
        page = portal_scripted.touching(page, str(lever.value), lever.seconds)
    if lever := levers.take("late-content", **facts):
        page = portal_scripted.late(page, lever.seconds)
    return page


def mistakes(screen: Screen, answers: Mapping[str, str]) -> str:
    """Say what is wrong with the answers of a form, or nothing."""
    for question in screen.asked():
        answer = answers.get(question.key, "")
        if not answer and question.required:
            return f"Answer the question: {question.label}"
        if answer and question.kind in _DOTS and not answer.replace(".", "", _DOTS[question.kind]).isdecimal():
            return f"Give a number: {question.label}"
        if answer and question.options and answer not in question.options:
            return f"Choose one of the answers: {question.label}"
    return ""


def _swapped(first: Question, second: Question, *rest: Question) -> tuple[Question, ...]:
    return (replace(first, label=second.label), replace(second, label=first.label), *rest)


def _moved(first: Question, rest: tuple[Question, ...], where: str) -> tuple[Question, ...]:
    if where == "screen":
        return rest
    if where == "order":
        return (*rest, first)
    return (replace(first, group="Other questions"), *rest)
