"""The documents of a provider's assurance say what is configured, hold no secret, and a stale one is flagged."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from installed import Clock, Site, installation

from dscr_bridge import assurance
from dscr_bridge.assurance import facts, hazards
from dscr_bridge.config import Alerts, Config, Contact, Fallback, Pages, Secret
from dscr_bridge.opening import Bridge, opened
from dscr_bridge.tables import Kind


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return installation(tmp_path)


def with_(bridge: Bridge, **changed: Any) -> Bridge:
    return Bridge(bridge.config.model_copy(update=changed), bridge.world, bridge.ledger, None)


def told(folder: Path) -> Alerts:
    secret = folder / "address"
    secret.write_text("mailtos://bridge:hunter2@mail.example.org")
    secret.chmod(0o600)
    return Alerts(contact=(Contact(name="Gil Example", role="group", to=Secret(file=secret)),))


def test_every_element_that_a_connector_reads_stands_in_the_inventory_and_no_other_column_exists(config: Config) -> None:
    with opened(config, Clock().world()) as bridge:
        found = facts.fields(bridge)
        read = {(f.source, f.table, f.column) for f in found}
        for source, one in bridge.connectors.items():
            for view in one.views:
                assert {(source, view.table, c.column.name) for c in view.columns if c.path and c.constant is None} <= read
            for file in one.files:
                for rows in file.rows:
                    assert {(source, rows.table, c.column.name) for c in rows.columns if c.headers or c.together} <= read
    assert any(f.read_from.startswith("EpisodeOfCare: ") for f in found) and len(found) > 60
    assert set(facts.BECOMES) | {Kind.CODE} == set(Kind)  # a new kind of column must say what becomes of a value


def test_what_the_bed_board_reads_besides_stands_in_the_inventory_where_it_is_wanted(config: Config) -> None:
    with opened(config, Clock().world()) as bridge:
        assert not [f for f in facts.fields(bridge) if f.table == "bed board"]
        wanted = with_(bridge, pages=Pages(port=0, bed_board="rooms"))
        found = [f for f in facts.fields(wanted) if f.table == "bed board"]
    assert {f.read_from for f in found} == {"Location: name", "rooms: Room ID", "residents: Room ID", "bookings: Room ID"}
    assert all("kept nowhere" in f.becomes for f in found)


def test_a_change_of_the_configuration_changes_the_documents_and_makes_the_kept_ones_stale(config: Config, tmp_path: Path) -> None:
    with opened(config, Clock().world()) as bridge:
        assert assurance.standing(bridge).made_at is None
        paths = assurance.write(bridge)
        assert [p.stem for p in paths] == list(assurance.TITLES) and all(p.stat().st_mode & 0o077 == 0 for p in paths)
        assert assurance.standing(bridge).changed == ()
        other = with_(bridge, alerts=told(tmp_path), mode="automatic")
        found = assurance.standing(other)
        assert found.is_stale and found.changed == ("configuration",)
        changed = {name for name in assurance.TITLES if _without_mark(assurance.page(other, name)) != _without_mark(assurance.page(bridge, name))}
        assert changed == {"data-flow", "dpia", "hazards"}
        assert "Gil Example (group)" in assurance.page(other, "data-flow")
        assert "hunter2" not in "".join(assurance.page(other, name) for name in assurance.TITLES)


def _without_mark(page: str) -> str:
    return re.sub(r"[0-9a-f]{64}", "", page)


def test_a_note_that_cannot_be_read_counts_as_never_made(config: Config) -> None:
    with opened(config, Clock().world()) as bridge:
        assurance.write(bridge)
        (assurance.folder(bridge) / "made.json").write_text("{")
        assert assurance.standing(bridge).made_at is None


def test_a_hazard_stays_as_grave_as_it_was_until_every_control_is_in_place(config: Config, tmp_path: Path) -> None:
    with opened(config, Clock().world()) as bridge:
        before = {h.id: h for h in hazards.log(bridge)}
        after = {h.id: h for h in hazards.log(with_(bridge, alerts=told(tmp_path)))}
        page = assurance.page(bridge, "hazards")
    assert before["H3"].residual == before["H3"].rating and after["H3"].residual < after["H3"].rating
    assert "NOT IN PLACE" in page and "discharge" in before["H1"].effect
    # The way out decides which control there is: a person who sees the screen, or a comparison before writing.
    assert [c.owner for c in before["H7"].controls] == ["provider"]
    by_machine = config.model_copy(update={"fallback": (Fallback(channel="receiver-api", url="http://127.0.0.1:1", environment="simulator", hours_before_close=12),)})
    assert hazards.in_place(by_machine)["machine"] and hazards.in_place(by_machine)["fallback"]


def test_the_matrix_is_the_published_one_and_never_falls() -> None:
    # From very high to very low likelihood, as NHS England prints it above minor ... catastrophic.
    published = ["34455", "23345", "22334", "12234", "11223"]
    ours = ["".join(str(hazards.rating(likelihood, severity)) for severity in range(1, 6)) for likelihood in range(5, 0, -1)]
    assert ours == published
    for a in range(1, 6):
        rows = [hazards.rating(a, b) for b in range(1, 6)], [hazards.rating(b, a) for b in range(1, 6)]
        assert all(list(row) == sorted(row) for row in rows)
    for wrong in ((0, 1), (1, 0), (6, 1)):
        with pytest.raises(IndexError):
            hazards.rating(*wrong)


def test_the_pages_show_them_and_say_when_they_are_stale(serve: Any) -> None:
    from test_hostile_visitors import csrf, in_by_token

    site: Site = serve(Pages(port=0))
    client = in_by_token(site, "supplier")
    assert b"Never kept" in client.get("/assurance").data
    client.post("/assurance", data={"csrf": csrf(client.get("/"))})
    assert b"Up to date" in client.get("/assurance").data
    assert {d.by for d in site.bridge.ledger.decided("assured")} == {"Jo Example"}
    for name in assurance.TITLES:
        assert client.get(f"/assurance/{name}").status_code == 200
    assert client.get("/assurance/other").status_code == 404
    viewer = in_by_token(site, "viewer")
    assert viewer.post("/assurance", data={"csrf": csrf(viewer.get("/"))}).status_code == 403
    site.desk.bridge = replace(site.bridge, config=site.bridge.config.model_copy(update={"mode": "automatic"}))
    assert b"Stale: configuration changed" in client.get("/assurance").data
