"""Logs hold ids, sizes, durations and codes, and nothing else."""

import io
import json
import logging
import os
import sys

import pytest
import structlog

from portico.cli import logs

SECRET = "sk-canary-0123456789"
PROMPT = "a prompt nobody else may read"


@pytest.fixture
def written():
    """Everything logged; the libraries' set-up is put back afterwards."""
    stream = io.StringIO()
    root = logging.getLogger()
    before = (root.handlers[:], root.level, structlog.get_config())
    logs.set_up(level="debug", as_json=True, stream=stream)
    structlog.configure(cache_logger_on_first_use=False)
    yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
    root.handlers[:], level = before[0], before[1]
    root.setLevel(level)
    structlog.configure(**before[2])


def test_listed_fields_are_kept_and_others_dropped(written):
    structlog.get_logger().info("done", task_id=17, size_bytes=5, prompt=PROMPT, key=SECRET)
    (line,) = written()
    assert (line["event"], line["task_id"], line["size_bytes"]) == ("done", 17, 5)
    assert set(line) == {"event", "level", "time", "task_id", "size_bytes"}


@pytest.mark.parametrize("value", [PROMPT, "two words", "x" * 200, {"a": SECRET}, b"bytes", "é\n"])
def test_listed_field_with_anything_but_a_code_shows_its_type_only(written, value):
    structlog.get_logger().info("done", status=value)
    assert written()[0]["status"] == f"<{type(value).__name__}>"


def test_ids_of_the_context_are_on_every_line(written):
    with structlog.contextvars.bound_contextvars(request_id="abc"):
        structlog.get_logger().info("done")
    assert written()[0]["request_id"] == "abc"


def fail() -> None:
    try:
        os.environ[SECRET]
    except KeyError as error:
        raise ValueError(PROMPT) from error


def test_error_shows_its_kind_and_place_but_not_its_words(written):
    with pytest.raises(ValueError) as caught:
        fail()
    structlog.get_logger().error("unhandled", exc_info=caught.value)
    (line,) = written()
    assert (line["error"], line["cause"]) == ("ValueError", "KeyError")
    assert line["trace"].startswith("cli/test_logs.py:")
    assert SECRET not in json.dumps(written())
    assert PROMPT not in json.dumps(written())


def test_library_is_quoted_without_the_values_of_its_message(written):
    logging.getLogger("uvicorn.error").error("Cancel %s tasks\nfor %s", SECRET, PROMPT)
    (line,) = written()
    assert line["message"] == "Cancel %s tasks"
    assert line["library"] == "uvicorn.error"


def test_unknown_library_says_only_that_it_spoke(written):
    logging.getLogger("some.library").warning(f"could not fetch {SECRET}")  # noqa: G004
    assert "message" not in written()[0] or written()[0]["message"] == ""
    assert SECRET not in json.dumps(written())


def test_error_of_a_library_shows_its_place(written):
    try:
        fail()
    except ValueError:
        logging.getLogger("asyncio").exception("Task failed")
    assert written()[0]["error"] == "ValueError"
    assert PROMPT not in json.dumps(written())


def test_request_lines_and_chatter_are_not_logged(written):
    logging.getLogger("uvicorn.access").info("GET /files/secret-token")
    logging.getLogger("uvicorn.error").warning("Invalid HTTP request received.")
    logging.getLogger("aiohttp.client").info("anything")
    assert written() == []


def test_level_is_kept(written):
    logs.set_up(level="warning", as_json=True, stream=io.StringIO())
    structlog.configure(cache_logger_on_first_use=False)
    assert structlog.get_logger().info("done") is None


def test_text_form_is_one_readable_line():
    event = {"event": "ready", "level": "info", "time": "12:00", "open_tasks": 3, "code": "x"}
    assert logs.render_text(None, "", event) == "12:00 info    ready code=x open_tasks=3"


def test_own_fields_are_all_listed():
    assert not logs.FIELDS & {"prompt", "key", "authorization", "url", "path", "email", "message"}
    assert "structlog" in sys.modules
