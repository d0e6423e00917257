"""Both HTTP surfaces are asked everything that their own contracts allow, and more: none falls over or breaks its word."""

import os
import sys
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import content_type_conformance, response_schema_conformance

from dscr_bridge.accounts import Account, Role, hashed, new_key
from dscr_bridge.sandbox import receiver, registry
from dscr_bridge.web import api_document

sys.path.insert(0, str(Path(__file__).parents[1] / "web"))

from installed import served_site

EXAMPLES = {"full": 500}.get(os.environ.get("DSCR_DOSE", ""), 8)
MONDAY = datetime(2026, 11, 9, 12, tzinfo=UTC)

pytestmark = pytest.mark.timeout(1800)


def ask_everything(schema: Any, headers: Callable[[], Mapping[str, str]], **call: Any) -> int:
    """Ask each operation so many things, as its contract allows; gives how many operations there were."""
    operations = [found.ok() for found in schema.get_all_operations()]
    for operation in operations:

        @settings(max_examples=EXAMPLES, deadline=None, database=None, suppress_health_check=list(HealthCheck))
        @given(operation.as_strategy())
        def ask(case: Any) -> None:
            response = case.call(headers=dict(headers()), **call)
            case.validate_response(response, checks=[not_a_server_error, content_type_conformance, response_schema_conformance])

        ask()
    return len(operations)


def test_the_simulated_receiver_keeps_its_contract_whatever_it_is_asked(tmp_path: Path) -> None:
    registry.write(tmp_path, registry.Registry({registry.CLIENT_ID: registry.CLIENT_SECRET}))
    app = receiver.make(tmp_path, lambda: MONDAY, [])
    form = {"grant_type": "client_credentials", "client_id": registry.CLIENT_ID, "client_secret": registry.CLIENT_SECRET}

    def bearer() -> Mapping[str, str]:
        return {"Authorization": f"Bearer {app.test_client().post('/token', data=form).json['access_token']}"}

    assert ask_everything(schemathesis.openapi.from_wsgi("/openapi.json", app), bearer) >= 3


@pytest.mark.parametrize("role", [Role.SUPPLIER, Role.APPROVER])
def test_the_local_api_keeps_its_contract_whatever_it_is_asked(role: Role, tmp_path: Path) -> None:
    with ExitStack() as running:
        site = served_site(tmp_path, running, None, lambda c: c)
        standing = "nominated individual" if role is Role.APPROVER else ""
        changed, key = new_key(Account("jo", "Jo Example", role, hashed("a long password of mine"), standing, "", ()))
        site.desk.accounts.put(changed)
        schema = schemathesis.openapi.from_dict(api_document.openapi())
        assert ask_everything(schema, lambda: {"Authorization": f"Bearer {key}"}, base_url=site.address) >= 5
        site.bridge.ledger.require_sound()
