"""One real server for OpenAI's own client."""

from collections.abc import Iterator

import pytest

from tests.e2e.running import Server, make_account, running, use_database


@pytest.fixture(scope="module")
def server(tmp_path_factory, shared_database) -> Iterator[Server]:
    data = tmp_path_factory.mktemp("openai")
    use_database(data, shared_database)
    key = make_account(data)
    with running(data, key, PORTICO_SIMULATE="1") as started:
        yield started
