"""A whole life in a bucket: made, stored, downloaded in a range, expired, swept."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
import requests

from tests.e2e.running import Server, make_account, running, until, verify

pytestmark = pytest.mark.e2e

SHORT_VIDEO = {
    "model": "portico/scene-fast",
    "prompt": "a lake at dawn",
    "params": {"duration": 1, "size": "640x640", "audio": False},
}


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    return folder


def download(server: Server, task_id: str, **headers: str) -> requests.Response:
    url = f"{server.url}/portico/v1/tasks/{task_id}/download"
    return requests.get(url, headers=server.headers | headers, timeout=30)


def test_video_lives_and_ends_in_a_bucket(bucket, data):
    key = make_account(data)
    settings = {"PORTICO_STORAGE_URL": bucket.url, "PORTICO_STORAGE_LINKS": "signed"}
    with running(data, key, **settings) as server:
        answer = server.post("/portico/v1/tasks", json=SHORT_VIDEO)
        task_id = answer.json()["task"]["id"]
        task = server.ended(task_id)
        assert task["state"] == "succeeded"
        whole = download(server, task_id)
        part = download(server, task_id, Range="bytes=100-199")
        by_link = requests.get(task["outputs"][0]["url"], timeout=30)

    assert whole.headers["content-type"] == "video/mp4"
    assert b"ftyp" in whole.content[:32]
    assert (part.status_code, part.content) == (206, whole.content[100:200])
    assert [each.status_code for each in by_link.history] == [307]
    assert by_link.content == whole.content
    assert by_link.url.startswith(bucket.server.url)
    assert sorted(key.rpartition(".")[2] for key in bucket.listed()) == ["jpg", "mp4"]
    assert not (data / "files").exists()

    expire(data)
    with running(data, key, **settings) as server:  # it sweeps first of all
        gone = any(not bucket.listed() for _ in until(10))
        expired = download(server, task_id)
        link = requests.get(f"{server.url}{path_of(task)}", timeout=30)
    assert gone
    assert (expired.status_code, link.status_code) == (410, 410)
    assert verify(data) == []


def path_of(task: dict[str, list[dict[str, str]]]) -> str:
    """Return a link's path: the restarted server listens elsewhere."""
    return "/" + task["outputs"][0]["url"].split("/", 3)[3]


def expire(data: Path) -> None:
    """Let every file's time be over, as if the days had passed."""
    with closing(sqlite3.connect(data / "portico.db")) as connection, connection:
        connection.execute("UPDATE assets SET expires_at = 1")
