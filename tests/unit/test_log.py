"""Log events carry an allow-list of fields and never a value that a person wrote."""

import io
import json
import logging
import subprocess
import sys
from datetime import UTC, datetime

import pytest

from dscr_bridge import daemon, log


def logged(as_json: bool, **fields: log.Value) -> str:
    stream = io.StringIO()
    log.configure(as_json=as_json, stream=stream)
    log.room("pull").warning("page_read", **fields)
    return stream.getvalue()


def test_an_event_is_room_fact_and_fields() -> None:
    line = json.loads(logged(True, source="rota", pages=3))
    assert {k: line[k] for k in ("event", "level", "source", "pages")} == {
        "event": "pull.page_read", "level": "warning", "source": "rota", "pages": 3,
    }  # fmt: skip
    assert "WARNING pull.page_read source=rota pages=3" in logged(False, source="rota", pages=3)


def test_a_field_that_is_not_on_the_allow_list_is_refused() -> None:
    with pytest.raises(TypeError, match="allow-list"):
        logged(True, name="Ada")


def test_a_value_that_is_not_a_plain_word_is_not_shown() -> None:
    assert "Lovelace" not in logged(True, source="Ada Lovelace")
    assert "9449304130" not in logged(False, error="https://x.example/Patient?identifier=9449304130")


def test_text_that_did_not_come_through_an_event_is_hidden() -> None:
    stream = io.StringIO()
    log.configure(as_json=True, stream=stream)
    logging.getLogger("dscr_bridge.stray").error("Ada Lovelace")
    assert "Ada" not in stream.getvalue() and "log.message_hidden" in stream.getvalue()


def failed() -> BaseException:
    try:
        raise ValueError("Ada Lovelace")
    except ValueError as failure:
        return failure


def test_where_a_question_failed_is_named_when_somebody_asked_and_never_what_with(capsys: pytest.CaptureFixture[str]) -> None:
    def fails() -> datetime:
        raise failed()

    now = datetime.now(UTC)
    for asked in (False, True):
        log.name_places(asked)
        try:
            daemon.wanted(fails, lambda: now)
        finally:
            log.name_places(False)
        said = capsys.readouterr().err
        assert ("test_log.py:" in said and " in failed" in said) is asked
        assert "Lovelace" not in said


def test_levels_below_the_configured_one_cost_nothing() -> None:
    stream = io.StringIO()
    log.configure(as_json=False, level=logging.ERROR, stream=stream)
    log.room("pull").info("page_read")
    log.room("pull").error("page_lost")
    assert stream.getvalue().count("\n") == 1


def test_libraries_that_log_urls_are_silenced() -> None:
    log.silence_libraries()
    assert not logging.getLogger("httpx").isEnabledFor(logging.INFO)


LIBRARY = """
import logging
from dscr_bridge import log
log.configure(as_json={as_json})
try:
    raise ValueError("Ada Lovelace, 944 930 4130")
except ValueError:
    logging.getLogger("sqlalchemy.pool").error("Exception during reset: %s", "Ada Lovelace", exc_info=True)
"""


@pytest.mark.parametrize("as_json", [True, False])
def test_what_a_library_says_is_told_by_its_name_and_the_kind_of_its_error_alone(as_json: bool) -> None:
    """A database that was killed left a traceback with the driver's words in the log of the service."""
    said = subprocess.run([sys.executable, "-c", LIBRARY.format(as_json=as_json)], capture_output=True, text=True).stderr
    assert "Ada" not in said and "Traceback" not in said and said.count("\n") == 1
    assert "log.message_hidden" in said and "sqlalchemy" in said and "ValueError" in said
