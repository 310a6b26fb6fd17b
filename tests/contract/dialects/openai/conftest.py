"""One real server for OpenAI's own client."""

from collections.abc import Iterator

import pytest

from tests.e2e.running import Server, make_account, running


@pytest.fixture(scope="session")
def server(tmp_path_factory) -> Iterator[Server]:
    data = tmp_path_factory.mktemp("openai")
    key = make_account(data)
    with running(data, key, PORTICO_SIMULATE="1") as started:
        yield started
