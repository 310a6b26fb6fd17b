"""The installation of the compose file, rehearsed: two API processes, two workers, real backing.

Nothing is shared but the database, the bucket, Valkey and the secrets. What is tested is what one
process alone cannot get wrong.
"""

import base64
import json
import os
import signal
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest
import requests
import standardwebhooks

from tests.contract.gateways import PICTURE
from tests.contract.media_host import MediaHost, media_host
from tests.deploy.files import services
from tests.e2e.clients import settled, under_load
from tests.e2e.composed import Composed, Part, composed
from tests.e2e.house import children_of
from tests.e2e.running import EMAIL, Server, until
from tests.postgres import Postgres
from tests.s3 import S3Server
from tests.valkey import ValkeyServer

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.slow,
    pytest.mark.timeout(300),
    pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc"),
]

# What an operator with an upstream adds; the only one that needs no network is the simulator.
UPSTREAM = """
[[models]]
id = "{0}"
title = "{0}"
kind = "video"
provider_label = "upstream"
routes = [{{ provider = "simulator", upstream_model = "{0}" }}]
"""
MADE_ELSEWHERE = ("wan-2.5", "seedance-2.0", "happyhorse-1.0")
QUICK = {"model": "wan-2.5", "prompt": "sea"}
THIRTY = 30  # xPilot's limit of submits a minute
WATCHED_S = 8.0  # longer than the one who sends callbacks looks for new ones

# One task in each dialect: path, what is posted, where the id is in the answer.
ASKED: dict[str, tuple[str, dict[str, Any], tuple[str, ...]]] = {
    "xiaoyang, drawn": (
        "/api/v1/tasks",
        {"json": {"modal_key": "enhance_image", "option_key": "default", "image_url": "PICTURE"}},
        ("task_id",),
    ),
    "xpilot, drawn": (
        "/api/v1/image/generate",
        {"json": {"model": "bytedance/seedream-4.5", "prompt": "sea"}},
        ("task_id",),
    ),
    "xpilot": (
        "/api/v1/video/generate",
        {"json": {"model": "seedance-2.0/text-to-video", "prompt": "sea", "duration": 4}},
        ("task_id",),
    ),
    "apixo": (
        "/api/v1/generateTask/wan-2-5",
        {"json": {"request_type": "async", "input": {"mode": "text-to-video", "prompt": "sea"}}},
        ("data", "taskId"),
    ),
    "yuanjing": (
        "/llmage/video",
        {"json": {"llmid": "o5vfXYD5BURJWRTWpopE5", "prompt": "sea"}},
        ("taskid",),
    ),
    "yuanjing, from an upload": (
        "/llmage/video",
        {
            "data": {"llmid": "7y7kfYM0Xasizyi37WvAZ", "prompt": "sea"},
            "files": {"image_file": ("a.png", PICTURE, "image/png")},
        },
        ("taskid",),
    ),
    "openai": ("/v1/videos", {"json": {"model": "wan-2.5", "prompt": "sea"}}, ("id",)),
    "portico, drawn": (
        "/portico/v1/tasks",
        {"json": {"model": "portico/picture", "prompt": "a", "params": {"size": "512x512"}}},
        ("task", "id"),
    ),
}


@dataclass(slots=True)
class Topology:
    """The running installation, as a client and as its operator see it."""

    installation: Composed
    client: Server
    api: Part
    s3: S3Server
    host: MediaHost
    workers: dict[str, Part]


@pytest.fixture(scope="module")
def topology(
    postgres: Postgres, valkey_program: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Topology]:
    folder = tmp_path_factory.mktemp("topology")
    catalogue = folder / "catalogue"
    catalogue.mkdir()
    (catalogue / "upstream.toml").write_text("".join(map(UPSTREAM.format, MADE_ELSEWHERE)))
    valkey = ValkeyServer(valkey_program, folder)
    s3 = S3Server(folder)
    with media_host() as host:
        beside = {"PORTICO_CATALOGUE": str(catalogue), "PORTICO_PRIVATE_HOSTS": host.address}
        try:
            valkey.start()
            s3.start()
            with composed(folder, postgres, valkey, s3, **beside) as installation:
                yield _started(installation, s3, host)
        finally:
            s3.stop()
            valkey.stop()


def _started(installation: Composed, s3: S3Server, host: MediaHost) -> Topology:
    migration = installation.start("migrate")
    assert migration.process.wait(60) == 0, migration.log.read_text()
    api = installation.start("api")
    queues = services()["worker"]["command"]
    queues = queues[queues.index("--queues") + 1].split(",")
    workers = {queue: installation.start("worker", queues=queue) for queue in queues}
    for part in (api, *workers.values()):
        installation.wait_for(part)
    installation.answer("api", "account", "create", "--email", EMAIL, "--credits", "1000000")
    client = _with_new_key(installation, api)
    return Topology(installation, client, api, s3, host, workers)


def _with_new_key(installation: Composed, api: Part) -> Server:
    key = installation.answer("api", "key", "create", "--account", EMAIL)["key"]
    return installation.server(api, key)


def test_every_address_in_the_files_was_replaced_and_each_queue_has_its_worker(topology):
    assert topology.installation.unused() == set()
    assert set(topology.workers) == {"render", "upstream"}
    assert len(children_of(topology.api.process)) == 2


def test_health_checks_of_the_containers_say_yes(topology):
    for part in (topology.api, *topology.workers.values()):
        ran = topology.installation.check(part)
        assert (ran.returncode, ran.stdout) == (0, "/healthz: 200\n"), ran.stderr


def test_task_of_each_dialect_is_made_by_a_worker_and_downloaded_from_the_api(topology):
    client = topology.client
    submitted = {name: _submit(topology, *asked) for name, asked in ASKED.items()}
    for name, task_id in submitted.items():
        task = client.ended(task_id, within_s=120)
        assert task["state"] == "succeeded", (name, task)
        whole = client.get(f"/portico/v1/tasks/{task_id}/download")
        part = client.get(f"/portico/v1/tasks/{task_id}/download", headers={"Range": "bytes=10-99"})
        linked = requests.get(task["outputs"][0]["url"], timeout=30)
        assert whole.status_code == 200
        assert (part.status_code, part.content) == (206, whole.content[10:100])
        assert linked.content == whole.content
    assert client.get("/portico/v1/balance").json()["held"] == "0"


def test_picture_that_is_waited_for_comes_from_an_upload_by_way_of_a_worker(topology):
    answer = topology.client.post(
        "/v1/images/edits",
        data={"model": "portico/picture", "prompt": "the same at night", "size": "512x512",
              "response_format": "b64_json"},
        files={"image": ("a.png", PICTURE, "image/png")},
    )  # fmt: skip
    assert answer.status_code == 200, answer.text
    picture = base64.b64decode(answer.json()["data"][0]["b64_json"])
    assert picture.startswith((b"\x89PNG", b"\xff\xd8", b"RIFF"))


def test_text_is_streamed_and_settled(topology):
    answer = topology.client.post(
        "/v1/chat/completions",
        json={"model": "portico-echo", "stream": True,
              "messages": [{"role": "user", "content": "sea and sand"}]},
    )  # fmt: skip
    *pieces, last = [
        line.removeprefix("data: ") for line in answer.text.splitlines() if line.startswith("data:")
    ]
    assert last == "[DONE]"
    texts = [json.loads(piece)["choices"] for piece in pieces]
    assert "sea" in "".join(c["delta"].get("content") or "" for each in texts for c in each)
    for _ in until(5):
        if topology.client.get("/portico/v1/balance").json()["held"] == "0":
            return
    pytest.fail("what the text held was not given back")


def test_callback_of_a_workers_task_comes_once_and_signed(topology):
    before = len(topology.host.callbacks)
    body = QUICK | {"callback_url": f"{topology.host.url}/callback"}
    task_id = topology.client.post("/portico/v1/tasks", json=body).json()["task"]["id"]
    topology.client.ended(task_id)
    for _ in until(15):
        if len(topology.host.callbacks) > before:
            break
    for _ in until(WATCHED_S, every_s=0.5):
        assert len(topology.host.callbacks) <= before + 1
    (callback,) = topology.host.callbacks[before:]
    secret = topology.installation.answer("api", "account", "webhook-secret", EMAIL)
    signed = standardwebhooks.Webhook(secret["webhook_secret"])
    assert task_id in json.dumps(signed.verify(callback.body, callback.headers))


def test_limit_of_rates_holds_over_both_processes(topology):
    client = _with_new_key(topology.installation, topology.api)
    one, other = children_of(topology.api.process)
    with _held(other):
        first = _texts(client, times=20)
    with _held(one):
        second = _texts(client, times=20)
    assert first == {200: 20}
    assert second == {200: THIRTY - 20, 429: 10}


def test_processes_are_replaced_while_clients_go_on_and_nothing_fails(topology):
    before = set(children_of(topology.api.process))
    with under_load(topology.client, clients=4, asked=QUICK) as (failures, accepted):
        topology.api.process.send_signal(signal.SIGHUP)
        for _ in until(120):
            if "all_replaced" in topology.api.log.read_text():
                break
        else:
            pytest.fail(topology.api.log.read_text())
    assert failures == []
    assert len(accepted) > 10
    assert len(set(children_of(topology.api.process)) - before) == 2
    assert set(settled(topology.client, accepted)) == {"succeeded"}


def test_drawing_of_a_worker_that_is_killed_is_made_by_another(topology):
    body = {
        "model": "portico/scene-fast",
        "prompt": "a lake at dawn",
        "params": {"duration": 4, "size": "640x640", "audio": False},
    }
    before = topology.client.get("/portico/v1/balance").json()
    task_id = topology.client.post("/portico/v1/tasks", json=body).json()["task"]["id"]
    for _ in until(30):
        if topology.client.task(task_id)["state"] == "running":
            break
    dead = topology.workers["render"]
    dead.process.kill()
    dead.process.wait(10)
    assert topology.client.task(task_id)["state"] == "running"
    topology.workers["render"] = topology.installation.start("worker", queues="render")

    task = topology.client.ended(task_id, within_s=150)

    after = topology.client.get("/portico/v1/balance").json()
    assert task["state"] == "succeeded"
    spent = float(before["available"]) - float(after["available"])
    assert (spent, after["held"]) == (float(task["price"]), "0")


def test_second_stage_goes_on_from_the_first_ones_result_on_another_machine(topology):
    first = topology.workers["upstream"]
    first.process.terminate()
    assert first.process.wait(45) == 0
    frail = topology.installation.start(
        "worker", queues="upstream", fault="stage.after_commit:kill"
    )
    topology.installation.wait_for(frail)
    asked = {"modal_key": "seedance_v20", "option_key": "480p_5_off", "prompt": "sea",
             "image_url": "PICTURE", "enhance_4k": True}  # fmt: skip
    task_id = _submit(topology, "/api/v1/tasks", {"json": asked}, ("task_id",))
    assert frail.process.wait(30) == -signal.SIGKILL
    topology.workers["upstream"] = topology.installation.start("worker", queues="upstream")

    assert topology.client.ended(task_id)["state"] == "succeeded"


def test_no_machine_keeps_what_another_would_need(topology):
    task_id = topology.client.post("/portico/v1/tasks", json=QUICK).json()["task"]["id"]
    assert topology.client.ended(task_id)["state"] == "succeeded"
    for part in topology.installation.parts:
        left = [path.relative_to(part.data) for path in part.data.rglob("*") if path.is_file()]
        assert [path for path in left if path.parts[0] != "work"] == []
    stored = requests.get(f"{topology.s3.url}/portico?list-type=2", timeout=10).text
    assert "<Key>results/" in stored


def test_money_is_right_and_every_machine_is_sound(topology):
    installation = topology.installation
    assert installation.run("api", "ledger", "verify").returncode == 0
    for service in ("api", "worker"):
        found = {each["check"]: each for each in installation.answer(service, "doctor")["checks"]}
        assert [name for name, each in found.items() if each["advice"]] == []
        assert found["runners"]["detail"].startswith(
            "4 alive: 1 for render, 1 for upstream, 2 without tasks"
        )


def _submit(topology: Topology, path: str, given: dict[str, Any], where: tuple[str, ...]) -> str:
    """Submit a task; returns its id without what dialects put before it."""
    if body := given.get("json"):
        picture = f"{topology.host.url}/a.png"
        body = {name: picture if text == "PICTURE" else text for name, text in body.items()}
        given = {"json": body}
    answer = topology.client.post(path, **given)
    assert answer.status_code in {200, 202}, answer.text
    found = answer.json()
    for name in where:
        assert name in found, answer.text
        found = found[name]
    return str(found).rpartition("_")[2]


def _texts(client: Server, *, times: int) -> Counter[int]:
    body = {"model": "gpt-4o", "prompt": "hello"}
    return Counter(
        client.post("/api/v1/text/generate", json=body).status_code for _ in range(times)
    )


@contextmanager
def _held(process_id: int) -> Iterator[None]:
    """Keep a process from running, so that all requests go to the other."""
    os.kill(process_id, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(process_id, signal.SIGCONT)
