"""What `connectors/servers.toml` says of servers is in words that the program knows, and the guide says the same."""

import tomllib
from typing import Any

import pytest

from dscr_bridge import bundled, connector
from dscr_bridge.assess.manners import QUIRKS
from dscr_bridge.assess.shape import Grade
from dscr_bridge.mapping.codes import load_codes

SERVERS: list[dict[str, Any]] = tomllib.loads((bundled.connectors() / "servers.toml").read_text("utf-8"))["server"]


@pytest.mark.parametrize("server", SERVERS, ids=lambda server: server["name"])
def test_a_profile_of_a_server_is_data_that_the_connector_takes(server: dict[str, Any]) -> None:
    declared = connector.load(server["connector"], load_codes()).with_settings(server["settings"])
    assert set(server["habits"]) <= QUIRKS.keys() and server["grade"] in list(Grade)
    assert set(server["reads_by"]) <= {*declared.reads_with, "bulk_export"}


def test_the_guide_tells_what_the_profiles_say() -> None:
    guide = (bundled.connectors() / "README.md").read_text("utf-8")
    assert [row for row in map(told, SERVERS) if row not in guide] == []


def told(server: dict[str, Any]) -> str:
    """Write a profile as a line of the guide."""
    habits = [QUIRKS[habit][0] for habit in server["habits"]]
    otherwise = ". ".join([*(f"{h[0].upper()}{h[1:]}" for h in habits), *(r.rstrip(".") for r in server["remarks"])])
    settings = "; ".join(f"`{k} = {v!r}`" for k, v in server["settings"].items()) or "none"
    reads_by = ", ".join(server["reads_by"]).replace("_", " ")
    return f"| {server['name']} {server['version']} | {reads_by} | {otherwise} | {settings} | {server['grade']} |"
