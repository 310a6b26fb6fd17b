"""Speed and memory over HTTP: the server on one core, the load on the other, simulator provider.

Every figure is printed beside a plain Starlette application answering the same bytes in the same
run, so that it can be read on any machine as a ratio.
"""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.bench import load
from tests.e2e.running import Server, free_port, make_account, running, until

pytestmark = pytest.mark.bench
SECONDS = 5.0
VIDEO = json.dumps(
    {"model": "seedance-2.0/text-to-video", "prompt": "A cat walking on a beach", "duration": 8}
).encode()
CHAT = json.dumps(
    {"model": "qwen3-max", "messages": [{"role": "user", "content": "Who are you?"}]}
).encode()

BASELINE = """
import sys, uvicorn
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route
async def answer(request):
    await request.body()
    body = b'{"task_id":"1","status":"processing","outputs":[]}'
    return Response(body, media_type="application/json")
app = Starlette(routes=[Route("/x", answer, methods=["GET", "POST"])])
port = int(sys.argv[1])
uvicorn.run(app, port=port, access_log=False, log_level="error", loop="uvloop", http="httptools")
"""


@pytest.fixture(scope="module")
def baseline_per_second() -> Iterator[float]:
    """What a bare Starlette does here and now."""
    port = free_port()
    process = subprocess.Popen(
        ["taskset", "-c", str(load.SERVER_CORE), sys.executable, "-c", BASELINE, str(port)]
    )
    try:
        time.sleep(1.5)
        make = load.for_seconds(SECONDS, lambda: load.request("POST", "/x", "k", VIDEO))
        yield in_child(port, make)
    finally:
        process.kill()
        process.wait(10)


def in_child(port: int, take: object) -> float:
    return load.run(port, take).per_second  # type: ignore[arg-type]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """A server on its own core, with limits out of the way, whose tasks take a minute."""
    key = make_account(tmp_path, balance=1_000_000_000)
    with running(
        tmp_path,
        key,
        PORTICO_SIMULATE="latency=60s",
        PORTICO_XPILOT_SUBMITS_PER_MINUTE="0",
        PORTICO_XPILOT_READS_PER_MINUTE="0",
        PORTICO_LOG_LEVEL="error",
    ) as server:
        os.sched_setaffinity(server.process.pid, {load.SERVER_CORE})
        yield server


def port_of(server: Server) -> int:
    return int(server.url.rpartition(":")[2])


def report(name: str, result: load.Result, baseline: float, floor: float) -> None:
    print(
        f"\n{name}: {result.per_second:,.0f}/s (floor {floor:,.0f}), "
        f"{result.per_second / baseline:.2f} of bare Starlette ({baseline:,.0f}/s), "
        f"p50 {result.percentile_ms(0.5):.1f} ms, p99 {result.percentile_ms(0.99):.1f} ms, "
        f"answers {result.statuses}"
    )


def test_submit_with_durable_hold(server: Server, baseline_per_second: float) -> None:
    made = load.request("POST", "/api/v1/video/generate", server.key, VIDEO)
    result = load.run(port_of(server), load.for_seconds(SECONDS, lambda: made))
    report("submit", result, baseline_per_second, 2_000)
    assert set(result.statuses) == {200}


def test_status_polls(server: Server, baseline_per_second: float) -> None:
    task_id = server.post("/api/v1/video/generate", data=VIDEO).json()["task_id"]
    made = load.request("GET", f"/api/v1/video/{task_id}", server.key)
    result = load.run(port_of(server), load.for_seconds(SECONDS, lambda: made))
    report("poll", result, baseline_per_second, 8_000)
    assert set(result.statuses) == {200}


def test_whole_chats(tmp_path: Path, baseline_per_second: float) -> None:
    key = make_account(tmp_path, balance=1_000_000_000)
    with running(tmp_path, key, PORTICO_SIMULATE="1", PORTICO_LOG_LEVEL="error") as server:
        os.sched_setaffinity(server.process.pid, {load.SERVER_CORE})
        made = load.request("POST", "/llmage/v1/chat/completions", key, CHAT)
        result = load.run(port_of(server), load.for_seconds(SECONDS, lambda: made))
    report("chat", result, baseline_per_second, 3_000)
    assert set(result.statuses) == {200}


def test_waiting_tasks_cost_little(server: Server) -> None:
    idle_kb = resident_kb(server)
    count = 5_000
    left = iter(range(count))
    made = load.request("POST", "/api/v1/video/generate", server.key, VIDEO)
    load.run(port_of(server), lambda: made if next(left, None) is not None else None)
    time.sleep(2)
    each_kb = (resident_kb(server) - idle_kb) / count
    before, began_at = cpu_s(server), time.monotonic()
    time.sleep(10)
    share = (cpu_s(server) - before) / (time.monotonic() - began_at)
    print(
        f"\nidle {idle_kb / 1024:.0f} MB; {count} waiting: {each_kb:.1f} KB each, "
        f"{share:.1%} of a core"
    )


def test_ready_and_idle(tmp_path: Path) -> None:
    key = make_account(tmp_path)
    for _ in range(3):
        began_at = time.monotonic()
        with running(tmp_path, key) as server:
            ready_s = time.monotonic() - began_at
            time.sleep(1)
            print(f"\nready {ready_s:.2f} s, idle {resident_kb(server) / 1024:.0f} MB")


def test_polls_while_rendering(tmp_path: Path) -> None:
    key = make_account(tmp_path)
    with running(tmp_path, key, PORTICO_LOG_LEVEL="error") as server:
        body = {"model": "portico/scene", "prompt": "the sea", "params": {"duration": 10}}
        task_id = server.post("/portico/v1/tasks", json=body).json()["task"]["id"]
        server.ended(task_id)
        made = load.request("GET", f"/portico/v1/tasks/{task_id}", key)
        idle = paced(server, made)
        for _ in range(2):
            server.post("/portico/v1/tasks", json=body)
        time.sleep(1)
        busy = paced(server, made)
    print(
        f"\npoll p99 idle {idle.percentile_ms(0.99):.2f} ms, "
        f"while two renders run {busy.percentile_ms(0.99):.2f} ms "
        f"({busy.percentile_ms(0.99) / idle.percentile_ms(0.99):.1f} times; bound 10)"
    )


def paced(server: Server, made: bytes) -> load.Result:
    """Poll from four connections for a few seconds."""
    result = load.run(port_of(server), load.for_seconds(4.0, lambda: made), connections=4)
    os.sched_setaffinity(0, {load.SERVER_CORE, load.CLIENT_CORE})
    return result


def resident_kb(server: Server) -> int:
    for _ in until(1):
        status = Path(f"/proc/{server.process.pid}/status").read_text()
        return int(status.partition("VmRSS:")[2].split()[0])
    raise AssertionError


def cpu_s(server: Server) -> float:
    fields = Path(f"/proc/{server.process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_first_token(tmp_path: Path) -> None:
    """How much later the first piece of a streamed text comes than a bare answer."""
    key = make_account(tmp_path, balance=1_000_000)
    body = json.dumps(json.loads(CHAT) | {"stream": True}).encode()
    streamed = load.request("POST", "/llmage/v1/chat/completions", key, body)
    with running(tmp_path, key, PORTICO_SIMULATE="1", PORTICO_LOG_LEVEL="error") as server:
        bare = first_byte_ms(server, load.request("GET", "/healthz", key), b"HTTP/1.1 200", b"}")
        first = first_byte_ms(server, streamed, b"data: ", b"0\r\n\r\n")
    print(
        f"\nfirst token: {first:.2f} ms p50, a bare answer {bare:.2f} ms: "
        f"{first - bare:.2f} ms added (bound 1)"
    )


def first_byte_ms(server: Server, made: bytes, awaited: bytes, last: bytes) -> float:
    """Ask 500 times over one connection; the median of how long `awaited` took to come."""
    times = []
    with socket.create_connection(("127.0.0.1", port_of(server))) as connection:
        for _ in range(500):
            began_at = time.perf_counter()
            connection.sendall(made)
            came = b""
            while awaited not in came:
                came += connection.recv(65_536)
            times.append(time.perf_counter() - began_at)
            while not came.endswith(last):
                came += connection.recv(65_536)
    return sorted(times)[len(times) // 2] * 1000
