"""The door for upstreams' notices: a hint makes a task end early, and nothing else gets in."""

import asyncio
import io
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import structlog

from portico.flows import notices
from portico.flows.connected import Connected
from portico.hooks import BODY_BYTES_MAX
from portico.providers.base import Pending
from portico.providers.http import hint_of
from portico.testing import FakeProvider
from portico.testing.clock import let_run
from tests.contract.gateways import PUBLIC_URL, Wired, made, started
from tests.raw_sql import raw_sql

SUBMIT = "/portico/v1/tasks"
FAR = Pending("job-1", check_after_s=3_600)
DONE = {"id": "job-1", "status": "succeeded"}


class Calling(FakeProvider):
    """A scripted upstream that gives notice."""

    def parse_callback(self, body: bytes) -> str | None:
        return hint_of(body, "id")

    def reply_to_callback(self, body: bytes) -> dict[str, str] | None:
        told = hint_of(body, "challenge")
        return {"challenge": told} if told else None


@dataclass(frozen=True)
class Hooked:
    """A gateway with one task under way, whose next look is due in an hour."""

    wired: Wired
    upstream: FakeProvider
    task: str

    @property
    def url(self) -> str:
        url = self.upstream.started[0][1].callback_url
        assert url is not None
        return url

    @property
    def path(self) -> str:
        return self.url.removeprefix(PUBLIC_URL)

    async def say(self, body: Any = DONE, path: str = "") -> int:
        """Give notice without a key; returns the status, after checking that nothing is told."""
        answer = await self.wired.client.post(
            path or self.path,
            content=body if isinstance(body, bytes) else None,
            json=None if isinstance(body, bytes) else body,
            headers={"authorization": ""},
        )
        assert answer.content == b""
        return answer.status_code

    async def state(self) -> str:
        return str((await self.wired.get(f"{SUBMIT}/{self.task}")).json()["state"])

    async def checks(self) -> int:
        """Return how often the upstream was asked, once everything has run that can."""
        for _ in range(5):
            await let_run()
            await asyncio.sleep(0.01)
        return len(self.upstream.checked)


def put(wired: Wired, upstream: FakeProvider, **given: Any) -> None:
    """Connect a scripted upstream as the credential `main`."""
    given = {"callback_secret": "of-this-credential"} | given
    wired.gateway.providers.put(Connected("main", "simulator", tasks=upstream, **given))


@pytest.fixture
async def hooked(tmp_path: Path) -> AsyncIterator[Hooked]:
    async with started(tmp_path) as wired:
        wired.gateway.providers.drop("simulator")
        upstream = Calling([FAR], name="simulator")
        put(wired, upstream)
        answer = await wired.post(SUBMIT, {"model": "portico/scene", "prompt": "sea"})
        task = answer.json()["task"]["id"]
        await wired.reach(f"{SUBMIT}/{task}", ["running"])
        yield Hooked(wired, upstream, task)


async def test_notice_ends_a_task_before_its_next_look_is_due(hooked: Hooked):
    hooked.upstream._script[:] = [made()]
    assert await hooked.say() == 200
    await hooked.wired.reach(f"{SUBMIT}/{hooked.task}", ["succeeded"])
    assert len(hooked.upstream.checked) == 1


async def test_notice_decides_nothing_by_itself(hooked: Hooked):
    assert await hooked.say() == 200
    assert await hooked.checks() == 1
    assert await hooked.state() == "running"


async def test_notice_that_is_repeated_is_asked_about_once(hooked: Hooked):
    for _ in range(100):
        assert await hooked.say() == 200
    assert await hooked.checks() == 1


async def test_flood_of_different_notices_is_not_listened_to_for_ever(hooked: Hooked, monkeypatch):
    monkeypatch.setattr(notices, "NOTICES_MAX", 5)
    for number in range(40):
        assert await hooked.say({**DONE, "n": number}) == 200
        await let_run()
    assert 1 <= await hooked.checks() <= 5


async def test_forged_tokens_are_answered_404(hooked: Hooked):
    head, _, token = hooked.path.rpartition("/")
    other = "A" if token[5] != "A" else "B"
    forged = [
        token[:5] + other + token[6:],
        token[:-1],
        token + "A",
        token[22:],
        "x",
        "A" * 400,
        "%C3%BC",
        "a.b",
    ]
    for each in forged:
        assert await hooked.say(path=f"{head}/{each}") == 404, each
    assert await hooked.checks() == 0


async def test_token_of_another_credential_is_void(hooked: Hooked):
    put(hooked.wired, hooked.upstream, callback_secret="made-anew")
    assert await hooked.say() == 404
    hooked.wired.gateway.providers.drop("main")
    assert await hooked.say() == 404
    assert await hooked.checks() == 0


async def test_notice_of_another_job_is_worth_nothing(hooked: Hooked):
    for body in ({"id": "job-2"}, {"status": "succeeded"}, [1], b"", b"\xff{", b"[" * 5_000):
        assert await hooked.say(body) == 200
    assert await hooked.checks() == 0


async def test_oversized_body_is_refused_unread(hooked: Hooked):
    assert await hooked.say(b" " * (BODY_BYTES_MAX + 1)) == 404
    assert await hooked.say(b'{"id": "job-1"}'.ljust(BODY_BYTES_MAX)) == 200
    assert await hooked.checks() == 1


async def test_other_methods_are_answered_404(hooked: Hooked):
    for method in ("GET", "HEAD", "PUT", "DELETE", "OPTIONS"):
        answer = await hooked.wired.client.request(method, hooked.path)
        assert (answer.status_code, answer.content) == (404, b"")


async def test_upstream_that_asks_for_an_answer_gets_its_own(hooked: Hooked):
    asked = {"challenge": "1a3cs1j-601a-118y-ch52-o48911eabc3u"}
    answer = await hooked.wired.client.post(hooked.path, json=asked)
    assert (answer.status_code, answer.json()) == (200, asked)
    assert answer.headers["content-type"] == "application/json"
    assert await hooked.say(asked, path=hooked.path[:-2] + "AA") == 404


async def test_notice_may_leave_out_where_a_job_was_begun(hooked: Hooked):
    async with raw_sql(hooked.wired.app.settings.database) as sql:
        await sql.execute("UPDATE attempts SET upstream_id = 'text2video:job-1'")
    assert await hooked.say({"id": "ob-1"}) == 200
    assert await hooked.checks() == 0
    assert await hooked.say() == 200
    assert await hooked.checks() == 1


async def test_notice_of_a_task_that_has_ended_changes_nothing(hooked: Hooked):
    hooked.upstream._script[:] = [made()]
    await hooked.say()
    await hooked.wired.reach(f"{SUBMIT}/{hooked.task}", ["succeeded"])
    assert await hooked.say({**DONE, "again": 1}) == 200
    assert await hooked.checks() == 1


async def test_database_that_is_away_costs_the_hint_and_no_more(hooked: Hooked, monkeypatch):
    async def away(*_: object) -> None:
        raise OSError

    stream = io.StringIO()
    monkeypatch.setattr(type(hooked.wired.gateway.store), "read", away)
    before = structlog.get_config()
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(stream))
    status = await hooked.say()
    structlog.configure(**before)
    monkeypatch.undo()
    assert status == 200
    assert "notice_lost" in stream.getvalue()
    assert hooked.path.rpartition("/")[2] not in stream.getvalue()


async def test_url_is_given_only_where_notices_can_come(hooked: Hooked):
    gateway = hooked.wired.gateway

    def url(**limits: Any) -> str | None:
        changed = replace(gateway, limits=replace(gateway.limits, **limits))
        return notices.callback_url(changed, "main", "att_1")

    assert url() is not None
    assert url(is_reachable=False) is None
    put(hooked.wired, hooked.upstream, callback_secret="")
    assert url() is None
    put(hooked.wired, FakeProvider([FAR]))
    assert url() is None
    assert notices.callback_url(gateway, "nobody", "att_1") is None


async def test_every_attempt_has_a_url_of_its_own(hooked: Hooked):
    urls = {notices.callback_url(hooked.wired.gateway, "main", f"att_{n}") for n in range(50)}
    assert len(urls) == 50
