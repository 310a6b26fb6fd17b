"""The two scripts at the end of xPilot's page run as they are, but for host and key."""

import shutil
import sys

import pytest

from tests.contract.gateways import VIDEO, made
from tests.contract.serving import served

BASH = r"""#!/bin/bash
API_KEY="xp_your_key_here"
HOST="https://xpilot.jytech.us"
# 1. Submit video generation
RESULT=$(curl -s -X POST "$HOST/api/v1/video/generate" \
-H "Authorization: Bearer $API_KEY" \
-H "Content-Type: application/json" \
-d '{
"model": "seedance-2.0/text-to-video",
"prompt": "A golden retriever running through a meadow",
"duration": 8,
"generate_audio": true
}')
POLL_PATH=$(echo $RESULT | jq -r '.poll_url')
echo "Task submitted. Poll path: $POLL_PATH"
# 2. Poll until complete
while true; do
STATUS=$(curl -s -H "Authorization: Bearer $API_KEY" "$HOST$POLL_PATH")
STATE=$(echo $STATUS | jq -r '.status')
echo "Status: $STATE"
if [ "$STATE" = "completed" ]; then
VIDEO_URL=$(echo $STATUS | jq -r '.outputs[0]')
echo "Video ready: $VIDEO_URL"
curl -o output.mp4 "$VIDEO_URL"
break
elif [ "$STATE" = "failed" ]; then
echo "Error: $(echo $STATUS | jq -r '.error')"
break
fi
sleep 5
done
"""
PYTHON = """import requests, time
API_KEY = "xp_your_key_here"
HOST = "https://xpilot.jytech.us"
HEADERS = {"Authorization": f"Bearer {API_KEY}", "Content-Type": "application/json"}
# Submit
resp = requests.post(f"{HOST}/api/v1/video/generate", headers=HEADERS, json={
    "model": "seedance-2.0/text-to-video",
    "prompt": "A cat walking on a beach at sunset",
    "duration": 8,
    "generate_audio": True,
})
data = resp.json()
poll_path = data["poll_url"]
print(f"Cost: {data['cost_cents']} cents | Credits left: {data['remaining_credits_cents']}")
# Poll
while True:
    status = requests.get(f"{HOST}{poll_path}", headers=HEADERS).json()
    print(f"Status: {status['status']}")
    if status["status"] == "completed":
        print(f"Video URL: {status['outputs'][0]}")
        break
    elif status["status"] == "failed":
        print(f"Error: {status.get('error')}")
        break
    time.sleep(5)
"""
FAILURE = "Generation failed"


def addressed(script: str, server) -> str:
    there = script.replace("https://xpilot.jytech.us", server.url)
    return there.replace("xp_your_key_here", server.key)


@pytest.mark.slow
@pytest.mark.skipif(not (shutil.which("jq") and shutil.which("curl")), reason="needs curl and jq")
async def test_bash_script_fetches_the_video(start, tmp_path):
    async with served(start, balance="5000", script=[made()]) as server:
        printed = await server.run("bash", "-c", addressed(BASH, server), cwd=tmp_path)

    lines = printed.splitlines()
    assert lines[0].startswith("Task submitted. Poll path: /api/v1/video/")
    assert "Status: completed" in lines
    assert lines[-1].startswith(f"Video ready: {server.url}/files/")
    assert (tmp_path / "output.mp4").read_bytes() == VIDEO


@pytest.mark.slow
async def test_python_script_finds_the_video(start, tmp_path):
    async with served(start, balance="5000", script=[made()]) as server:
        printed = await server.run(sys.executable, "-c", addressed(PYTHON, server), cwd=tmp_path)

    lines = printed.splitlines()
    assert lines[0] == "Cost: 300 cents | Credits left: 4700"
    assert lines[-2] == "Status: completed"
    assert lines[-1].startswith(f"Video URL: {server.url}/files/")


@pytest.mark.slow
async def test_python_script_prints_why_it_failed(start, tmp_path):
    from portico.core.errors import ErrorCode, PorticoError

    failure = PorticoError(ErrorCode.UPSTREAM_FAILED, FAILURE)
    async with served(start, balance="5000", script=[failure]) as server:
        printed = await server.run(sys.executable, "-c", addressed(PYTHON, server), cwd=tmp_path)

    assert printed.splitlines()[-2:] == ["Status: failed", f"Error: {FAILURE}"]
