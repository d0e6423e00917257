"""Pull the levers of a simulator that runs, from another terminal: show, add, let go; edit as a person does."""

import argparse
import json
import sys
from typing import Any
from urllib.parse import urlsplit

_HERE = frozenset({"127.0.0.1", "localhost"})


def add_to(kinds: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the commands `lever` and `edit`."""
    lever = kinds.add_parser("lever", help="pull a lever of a simulator that runs, show them, or let go of them")
    lever.set_defaults(act=pull)
    lever.add_argument("url", help="the address that the simulator printed")
    lever.add_argument("kind", nargs="?", help="one of `levers`; left out, those that are pulled are shown")
    lever.add_argument("--seconds", type=float, help="for the slow ones, and for Retry-After")
    lever.add_argument("--times", type=int, help="how often; always, when left out")
    lever.add_argument("--after", type=int, help="so many requests go well first")
    lever.add_argument("--value", type=_value, help="what the kind needs: text or JSON")
    lever.add_argument("--match", type=_pair, action="append", default=[], metavar="NAME=VALUE",
                       help="only such requests: on, location, section, resource, page; can be repeated")
    lever.add_argument("--clear", action="store_true", help="let go of all levers first")
    edit = kinds.add_parser("edit", help="change figures at a running receiver, as a person on the platform does")
    edit.set_defaults(act=change)
    edit.add_argument("url", help="the address that the simulator printed")
    for name in ("--window", "--location", "--care-type", "--section"):
        edit.add_argument(name, required=True)
    edit.add_argument("items", type=_pair, nargs="+", metavar="ITEM=VALUE", help="what the person enters")


def pull(asked: argparse.Namespace) -> None:
    """Show the levers of a running simulator, add one to them, or let go of them."""
    door = f"{_loopback(asked.url)}/simulator/levers"
    levers = [] if asked.clear else _asked("GET", door)
    if asked.kind:
        own = {name: getattr(asked, name) for name in ("seconds", "times", "after", "value")}
        stated = {name: value for name, value in own.items() if value is not None}
        levers.append({"kind": asked.kind, **stated, **dict(asked.match)})
    if asked.kind or asked.clear:
        levers = _asked("POST", door, levers)
    sys.stdout.write("".join(f"{json.dumps(one)}\n" for one in levers) or "No lever is pulled.\n")


def change(asked: argparse.Namespace) -> None:
    """Change figures at a running receiver as a person on the platform does."""
    told = {"window": asked.window, "location": asked.location, "care_type": asked.care_type, "section": asked.section}
    items = {item: _value(text) for item, text in asked.items}
    _asked("POST", f"{_loopback(asked.url)}/simulator/edit", {**told, "items": items})
    sys.stdout.write(f"SIMULATED: a person changed {', '.join(items)}.\n")


def _asked(method: str, door: str, told: Any = None) -> Any:
    """Give what a simulator answered.  Raises ValueError where none answers, or where it refused."""
    import httpx

    try:
        response = httpx.request(method, door, json=told, timeout=30)
    except httpx.HTTPError:
        raise ValueError("nothing answers at that address; start it with `dscr-bridge sandbox`") from None
    if response.headers.get("X-Simulator") is None:
        raise ValueError("no simulator of dscr-bridge answers there")
    if response.status_code != 200:
        raise ValueError(f"the simulator refused it ({response.status_code}); `sandbox levers` lists what it knows")
    return response.json()


def _loopback(url: str) -> str:
    if urlsplit(url).hostname not in _HERE:
        raise ValueError("only a simulator on this machine has levers: give the address that it printed")
    return url.rstrip("/")


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not (name and equals):
        raise argparse.ArgumentTypeError("write it as NAME=VALUE")
    return name, value


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text
