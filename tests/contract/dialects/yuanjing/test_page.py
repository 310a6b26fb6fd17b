"""Every video sample of Yuanjing's page: the request in, the very answer out.

Task ids and the folders of links are placeholders; results lie at our own address.
"""

import re
import shutil

import pytest

from portico.core.errors import ErrorCode, PorticoError
from tests.contract.dialects.yuanjing.samples import made_with_cover
from tests.contract.gateways import PICTURE, UNDER_WAY, VIDEO, WAITING, made, told
from tests.contract.serving import served

SUBMIT, TASKS = "/llmage/video", "/llmage/tasks"
CREATED = '{"taskid":"TASK_ID","status":"created"}'
SEEDANCE_JSON = """{
"llmid": "CrEMkFQfRCmbmopZsCqLj",
"prompt": "小猫在抓老鼠",
"duration": 5,
"ratio": "16:9",
"resolution": "480p"
}"""
HAPPYHORSE = {
    "llmid": "o5vfXYD5BURJWRTWpopE5",
    "prompt": "一起来调科目三",
    "duration": "15",
    "resolution": "720P",
}
SEEDANCE = {
    "model": "dreamina-seedance-2-0-260128",
    "llmid": "CrEMkFQfRCmbmopZsCqLj",
    "prompt": "从图片1到图片2丝滑转换",
    "duration": "5",
    "ratio": "16:9",
    "resolution": "480p",
}
REFERENCE = {
    "llmid": "dmPXF65TD1riKj9KaxLmg",
    "model": "doubao-seedance-2-0-260128",
    "prompt": "平滑过度从第一张图片到第二张图片",
    "ratio": "4:3",
    "resolution": "720p",
    "duration": "4",
}
VIDU = {
    "llmid": "r0ill7L0s6PtBS8mkmg-7",
    "prompt": "a cat",
    "duration": 1,
    "resolution": "540p",
    "off_peak": "N",
}
_FOLDERS = re.compile(r"(?<=path=/)tmp/[A-Za-z0-9_/-]+(?=/)")


def part(name: str, file: str) -> tuple[str, tuple[str, bytes, str]]:
    return name, (file, PICTURE, "image/jpeg")


async def made_as(gateway, task_id: str) -> dict[str, object]:
    """Return the mode and parameters a task is made with, and its price."""
    task = (await gateway.get(f"/portico/v1/tasks/{task_id}")).json()
    return {"mode": task["mode"], "price": task["price"], **task["params"]}


async def test_json_submit_answers_as_the_page(start):
    gateway = await start(script=[UNDER_WAY])

    answer = await gateway.post(SUBMIT, SEEDANCE_JSON)

    assert (answer.status_code, told(answer)) == (200, CREATED)
    assert await made_as(gateway, answer.json()["taskid"]) == {
        "mode": "text",
        "price": "25",
        "duration": 5,
        "ratio": "16:9",
        "resolution": "480p",
    }


@pytest.mark.parametrize(
    ("fields", "files", "expected"),
    [
        (
            HAPPYHORSE,
            [part("image1_file", "02.jpg")],
            {"mode": "image", "price": "180", "duration": 15, "resolution": "720p"},
        ),
        (
            SEEDANCE,
            [part("image1_file", "myimg1.jpg"), part("image1_file", "myimg2.jpg")],
            {"mode": "first_last", "price": "25", "ratio": "16:9", "resolution": "480p"},
        ),
        (
            REFERENCE,
            [part("image_files", "1.jpg"), part("image_files", "2.jpg")],
            {"mode": "reference", "price": "60", "ratio": "4:3", "duration": 4},
        ),
    ],
    ids=["happyhorse", "seedance 1.5", "seedance 2.0 reference"],
)
async def test_multipart_submit_answers_as_the_page(start, fields, files, expected):
    gateway = await start(script=[UNDER_WAY])

    answer = await gateway.client.post(SUBMIT, data=fields, files=files)

    assert (answer.status_code, told(answer)) == (200, CREATED)
    assert expected.items() <= (await made_as(gateway, answer.json()["taskid"])).items()


async def test_uploaded_files_reach_the_upstream_in_their_roles(start):
    gateway = await start(script=[UNDER_WAY])

    answer = await gateway.client.post(
        SUBMIT,
        data=SEEDANCE,
        files=[part("image1_file", "1.jpg"), part("image1_file", "2.jpg")],
    )
    await gateway.reach(f"{TASKS}?taskid={answer.json()['taskid']}", ["RUNNING"])

    (_, assignment), *_ = gateway.upstream.started
    assert [each.role for each in assignment.inputs] == ["first_frame", "last_frame"]
    assert {each.media_type for each in assignment.inputs} == {"image/png"}  # the bytes decide


async def test_query_answers_as_the_page(start):
    gateway = await start(script=[made_with_cover()])
    task_id = (await gateway.post(SUBMIT, VIDU)).json()["taskid"]

    answer = await gateway.reach(f"{TASKS}?taskid={task_id}", ["SUCCEEDED"])

    assert _FOLDERS.sub("FOLDERS", told(answer)) == (
        '{"usage":{"action":"t2v","credits":10,"type":"text2video","model":"viduq3-pro",'
        '"resolution":"540p","off_peak":false,"duration":1},'
        '"image":"https://portico.test/idfile?path=/FOLDERS/cover.png",'
        '"video":"https://portico.test/idfile?path=/FOLDERS/video.mp4",'
        '"status":"SUCCEEDED","taskid":"TASK_ID"}'
    )


async def test_links_are_read_without_a_key(start):
    gateway = await start(script=[made_with_cover()])
    task_id = (await gateway.post(SUBMIT, VIDU)).json()["taskid"]
    done = (await gateway.reach(f"{TASKS}?taskid={task_id}", ["SUCCEEDED"])).json()
    del gateway.client.headers["authorization"]

    video, cover = await gateway.get(done["video"]), await gateway.get(done["image"])

    assert (video.content, video.headers["content-type"]) == (VIDEO, "video/mp4")
    assert (cover.content, cover.headers["content-type"]) == (PICTURE, "image/png")


async def test_task_goes_through_the_pages_states(start):
    gateway = await start(script=[WAITING])
    task_id = (await gateway.post(SUBMIT, VIDU)).json()["taskid"]
    path = f"{TASKS}?taskid={task_id}"

    waiting = await gateway.reach(path, ["PENDING"])
    gateway.answers(UNDER_WAY)
    running = await gateway.reach(path, ["RUNNING"], wake=True)
    gateway.answers(made())
    await gateway.reach(path, ["SUCCEEDED"], wake=True)

    assert told(waiting) == '{"status":"PENDING","taskid":"TASK_ID"}'
    assert told(running) == '{"status":"RUNNING","taskid":"TASK_ID"}'


async def test_failed_task_says_why_and_is_refunded(start):
    failure = PorticoError(ErrorCode.UPSTREAM_FAILED, "Generation failed")
    gateway = await start(balance="10", script=[failure])
    task_id = (await gateway.post(SUBMIT, VIDU)).json()["taskid"]

    answer = await gateway.reach(f"{TASKS}?taskid={task_id}", ["FAILED"])

    assert answer.status_code == 200
    assert told(answer) == '{"status":"FAILED","taskid":"TASK_ID","error":"Generation failed"}'
    assert await gateway.balance() == "10"


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("curl"), reason="needs curl")
async def test_pages_curl_lines_run(start, tmp_path):
    """But for host and key, and for the `-F "model": …` line, which curl itself refuses (D7)."""
    for name in ("02.jpg", "myimg1.jpg", "myimg2.jpg", "1.jpg", "2.jpg"):
        (tmp_path / name).write_bytes(PICTURE)
    async with served(start, script=[made_with_cover()]) as server:
        printed = ""
        for line in _CURL:
            script = line.replace("https://opencomputing.ai", server.url)
            script = script.replace("<your-apikey>", server.key).replace("<APIKEY>", server.key)
            script = script.replace("<your-apikey-from-opencomputing.ai", f"<{server.key}")
            printed = await server.run("bash", "-c", script, cwd=tmp_path)
            assert '"status":"created"' in printed
        task_id = re.findall(r"\d{15,}", printed)[0]
        await server.gateway.reach(f"{TASKS}?taskid={task_id}", ["SUCCEEDED"])
        query = _QUERY.replace("https://opencomputing.ai", server.url)
        query = query.replace("<taskid>", task_id).replace(
            "<your-apikey-from-opencomputing.ai>", server.key
        )
        printed = await server.run("bash", "-c", query, cwd=tmp_path)

    assert '"status":"SUCCEEDED"' in printed


_CURL = [
    r"""curl -X POST https://opencomputing.ai/llmage/video \
-H "Content-Type: application/json" \
-H "Authorization: Bearer <your-apikey-from-opencomputing.ai" \
-d '{
"llmid": "CrEMkFQfRCmbmopZsCqLj",
"prompt": "小猫在抓老鼠",
"duration": 5,
"ratio": "16:9",
"resolution": "480p"
}'""",
    r"""curl -X POST https://opencomputing.ai/llmage/video \
-H "Authorization: Bearer <your-apikey>" \
-F "llmid=o5vfXYD5BURJWRTWpopE5" \
-F "prompt=一起来调科目三" \
-F "duration=15" \
-F "resolution=720P" \
-F "image1_file=@./02.jpg"
""",
    r"""curl -X POST https://opencomputing.ai/llmage/video \
-H "Authorization: Bearer <your-apikey-from-opencomputing.ai" \
-F "model=dreamina-seedance-2-0-260128" \
-F "llmid=CrEMkFQfRCmbmopZsCqLj" \
-F "prompt=从图片1到图片2丝滑转换" \
-F "duration=5" \
-F "ratio=16:9" \
-F "resolution=480p" \
-F "image1_file=@./myimg1.jpg" \
-F "image1_file=@./myimg2.jpg"
""",
    r"""curl -X POST https://opencomputing.ai/llmage/video \
-H "Authorization: Bearer <APIKEY>" \
-F "llmid=dmPXF65TD1riKj9KaxLmg" \
-F "image_files=@./1.jpg" \
-F "image_files=@./2.jpg" \
-F "prompt=平滑过度从第一张图片到第二张图片" \
-F "ratio=4:3" \
-F "resolution=720p" \
-F "duration=4"
""",
]
_QUERY = r"""curl -X POST https://opencomputing.ai/llmage/tasks?taskid=<taskid> \
-H "Authorization: Bearer <your-apikey-from-opencomputing.ai>"
"""
