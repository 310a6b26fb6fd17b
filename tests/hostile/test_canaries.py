"""Secrets of customers never reach a log or an error body (K2): seeded, then searched for."""

import asyncio
import io
import json
import random
from typing import Any

import pytest

from portico.core.errors import ErrorCode, PorticoError
from portico.core.jobs import Chunk
from portico.testing import FakeProvider
from tests.contract.gateways import UNDER_WAY, Wired, made, replace_simulator
from tests.hostile.evil_host import HTML, PNG, EvilHost, says
from tests.hostile.surface import DOORS, HEARING, SOUND, sound

pytestmark = pytest.mark.asyncio(loop_scope="module")
CANARY = "canary7f3a91"
PROMPT = f"{CANARY}-prompt a cat at dawn"
SECRET_FIELDS = {"secret_key": f"{CANARY}-secret", "api_key": f"{CANARY}-apikey", "user": CANARY}
SIGNED = f"?Signature={CANARY}-signature&token={CANARY}-token"
KEYS = ("Authorization", "X-Api-Key", "Cookie", "Idempotency-Key", "X-Forwarded-For", "User-Agent")


@pytest.fixture(autouse=True)
async def _searched(gateway: Wired, logged: io.StringIO):
    """Search what a test has made the gateway log."""
    yield
    text = logged.getvalue()
    key = gateway.client.headers["authorization"].removeprefix("Bearer ")
    assert CANARY not in text
    assert key not in text
    assert gateway.gateway.server_secret.decode() not in text
    for line in text.splitlines():
        assert isinstance(json.loads(line), dict)


async def test_something_is_logged_at_all(gateway: Wired, logged: io.StringIO):
    await gateway.post("/portico/v1/tasks", b"[]")
    assert '"event":"refused"' in logged.getvalue()


async def test_refused_requests_keep_their_secrets(gateway: Wired, host, evil: EvilHost):
    shuffled = random.Random(7)  # noqa: S311 - which field is spoilt, nothing more
    for door in HEARING:
        for _ in range(12):
            body: dict[str, Any] = sound(door, host.url) | SECRET_FIELDS
            body |= {"prompt": PROMPT} if "prompt" in body else {}
            spoilt = shuffled.choice(list(SOUND[door.template]))
            body[spoilt] = shuffled.choice(
                [[CANARY], {CANARY: CANARY}, CANARY, f"http://{CANARY}.invalid/a{SIGNED}", 5.5]
            )
            answer = await gateway.post(door.path, body)
            if answer.status_code >= 400:
                for word in ("-prompt", "-secret", "-apikey", "-signature", "-token"):
                    assert CANARY + word not in answer.text, answer.text


async def test_headers_stay_out_of_logs_and_answers(gateway: Wired):
    for door in DOORS:
        for name in KEYS:
            headers = {name: f"{CANARY}-header"}
            answer = await gateway.client.request(door.method, door.path, headers=headers)
            assert CANARY not in answer.text
            assert CANARY not in str(answer.headers)


async def test_paths_and_queries_stay_out_of_logs(gateway: Wired):
    for path in (f"/api/v1/{CANARY}", f"/{CANARY}", f"/files/{CANARY}/a.mp4", f"/v1/{CANARY}"):
        await gateway.get(path + SIGNED)
    answer = await gateway.get(f"/idfile?path={CANARY}")
    assert CANARY not in answer.text


async def ended(gateway: Wired, path: str) -> Any:
    """Let time pass until a task has ended; returns how it reads then, or after a while."""
    answer = await gateway.get(path)
    for _ in range(600):
        if answer.json()["finished_at"]:
            break
        await gateway.clock.advance(40)
        await asyncio.sleep(0.01)
        answer = await gateway.get(path)
    return answer


async def test_failing_tasks_keep_their_secrets(gateway: Wired, evil: EvilHost):
    """Signed links that break early and late, prompts of tasks that fail in every way."""
    words = PorticoError(ErrorCode.UPSTREAM_FAILED, "Generation failed", url=f"http://{CANARY}/")
    bug = RuntimeError(f"{CANARY} said the upstream")
    cases: list[tuple[Any, Any]] = [(words, (PNG,)), (bug, (PNG,))]
    cases += [(made(), (PNG, HTML)), (made(), (says(b""),))]
    for number, (outcome, script) in enumerate(cases):
        gateway.answers(outcome)
        url = evil.url(f"/{number}.png{SIGNED}", *script)
        inputs = [{"role": "first_frame", "url": url}]
        asked = {"prompt": PROMPT, "inputs": inputs, "callback_url": f"http://10.0.0.1/{CANARY}"}
        for body in (asked, {name: asked[name] for name in ("prompt", "inputs")}):
            answer = await gateway.post("/portico/v1/tasks", body)
            assert CANARY not in answer.text
            if answer.status_code == 202:
                path = f"/portico/v1/tasks/{answer.json()['task']['id']}"
                answer = await ended(gateway, path)
                assert answer.json()["state"] in {"failed", "expired"}
                assert CANARY not in answer.text
    gateway.answers(UNDER_WAY)


async def test_texts_stay_out_of_logs(gateway: Wired):
    for error in (
        RuntimeError(CANARY),
        PorticoError(ErrorCode.UPSTREAM_FAILED, "Generation failed"),
    ):
        writer = FakeProvider(pieces=[Chunk(text=f"{CANARY} "), error], name="simulator")
        replace_simulator(gateway.gateway, chat=writer)
        for stream in (True, False):
            asked = {"messages": [{"role": "user", "content": PROMPT}], "stream": stream}
            await gateway.post("/v1/chat/completions", asked | {"model": "gpt-4o"})
