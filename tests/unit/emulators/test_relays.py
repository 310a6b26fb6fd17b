"""The emulators of services whose formats we speak too: they take their pages' own examples.

What their pages forbid they refuse, in their pages' words.
"""

from collections.abc import Callable
from typing import Any

import pytest
from httpx2 import AsyncClient, Response

from portico.emulators.emulator import Emulator, sample
from portico.emulators.faults import Fault
from portico.emulators.registry import EMULATORS

KEY = {"authorization": "Bearer k"}
PICTURE, MOTION = "https://your-domain.com/input.png", "https://your-domain.com/motion.mp4"
XIAOYANG = {"modal_key": "img2vid_v30", "option_key": "5_off", "prompt": "p", "image_url": PICTURE}
APIXO_INPUT = {
    "mode": "text-to-video",
    "prompt": "mountains",
    "resolution": "1080p",
    "duration": 10,
    "aspect_ratio": "16:9",
    "negative_prompt": "blurry",
    "enable_prompt_expansion": True,
}
APIXO_PICTURE = {
    "mode": "image-to-video",
    "prompt": "zoom",
    "resolution": "720p",
    "duration": 5,
    "image_urls": ["https://example.com/ref.jpg"],
    "seed": 42,
}
XPILOT = {"model": "seedance-2.0/text-to-video", "prompt": "cat", "duration": 8}
YUANJING = {"llmid": "CrEMkFQfRCmbmopZsCqLj", "prompt": "p", "duration": 5, "ratio": "16:9"}
PORTICO = {"model": "portico/scene", "prompt": "A lake at dawn", "params": {"duration": 8}}

TAKEN: list[tuple[str, str, dict[str, Any]]] = [
    ("xiaoyang", "/api/v1/tasks", XIAOYANG),
    ("xiaoyang", "/api/v1/tasks", XIAOYANG | {"modal_key": "seedance_v20", "ratio": "16:9"}),
    (
        "xiaoyang",
        "/api/v1/tasks",
        XIAOYANG | {"modal_key": "motion_v30", "video_url": MOTION, "motion_orientation": "video"},
    ),
    (
        "xiaoyang",
        "/api/v1/tasks",
        {
            "modal_key": "ai_wardrobe",
            "option_key": "default",
            "image_url": PICTURE,
            "clothes_image_url": PICTURE,
            "wardrobe_replace": "upper",
        },
    ),
    (
        "apixo",
        "/api/v1/generateTask/wan-2-5",
        {"request_type": "async", "provider": "value", "input": APIXO_INPUT},
    ),
    ("apixo", "/api/v1/generateTask/wan-2-5", {"input": APIXO_PICTURE}),
    (
        "xpilot",
        "/api/v1/video/generate",
        XPILOT | {"aspect_ratio": "16:9", "generate_audio": True, "lock_camera": False},
    ),
    (
        "xpilot",
        "/api/v1/image/generate",
        {"model": "bytedance/seedream-4.5", "prompt": "city", "aspect_ratio": "16:9"},
    ),
    (
        "xpilot",
        "/api/v1/text/generate",
        {"model": "openai/gpt-4o", "prompt": "tweet", "max_tokens": 280},
    ),
    ("yuanjing", "/llmage/video", YUANJING | {"resolution": "480p"}),
    ("portico", "/portico/v1/tasks", PORTICO),
]
REFUSED: list[tuple[str, str, dict[str, Any]]] = [
    ("xiaoyang", "/api/v1/tasks", {"modal_key": "img2vid_v30", "prompt": "p"}),
    ("xiaoyang", "/api/v1/tasks", XIAOYANG | {"image_url": None}),
    ("xiaoyang", "/api/v1/tasks", XIAOYANG | {"image_url": "data:image/png;base64,"}),
    ("xiaoyang", "/api/v1/tasks", XIAOYANG | {"modal_key": "ai_wardrobe"}),
    ("xiaoyang", "/api/v1/tasks", XIAOYANG | {"ratio": "9:21"}),
    ("xiaoyang", "/api/v1/tasks", XIAOYANG | {"nonsense": 1}),
    ("apixo", "/api/v1/generateTask/wan-2-5", {}),
    ("apixo", "/api/v1/generateTask/wan-2-5", {"input": APIXO_INPUT | {"resolution": "480p"}}),
    ("apixo", "/api/v1/generateTask/wan-2-5", {"input": APIXO_INPUT | {"duration": "5"}}),
    ("apixo", "/api/v1/generateTask/wan-2-5", {"input": APIXO_INPUT | {"image_urls": [PICTURE]}}),
    (
        "apixo",
        "/api/v1/generateTask/wan-2-5",
        {"request_type": "callback", "input": APIXO_INPUT},
    ),
    ("apixo", "/api/v1/generateTask/wan-2-5", {"provider": "any", "input": APIXO_INPUT}),
    ("xpilot", "/api/v1/video/generate", XPILOT | {"duration": 5}),
    ("xpilot", "/api/v1/video/generate", XPILOT | {"image_url": PICTURE}),
    ("xpilot", "/api/v1/video/generate", {"model": "wan-2.6", "prompt": "p", "lock_camera": True}),
    ("xpilot", "/api/v1/image/generate", {"model": "m", "prompt": "p", "mode": "t2v"}),
    ("xpilot", "/api/v1/text/generate", {"model": "m"}),
    ("yuanjing", "/llmage/video", YUANJING | {"llmid": "unknown"}),
    ("yuanjing", "/llmage/video", YUANJING | {"model": "dreamina-seedance-2-0-260128"}),
    ("yuanjing", "/llmage/video", YUANJING | {"prompt": ""}),
    ("yuanjing", "/llmage/video", YUANJING | {"llmid": "dmPXF65TD1riKj9KaxLmg"}),
    ("yuanjing", "/llmage/video", {"model": "wan2.6-t2v", "prompt": "p"}),
    ("portico", "/portico/v1/tasks", {"prompt": "p"}),
    ("portico", "/portico/v1/tasks", PORTICO | {"inputs": [{"role": "hero", "url": PICTURE}]}),
    ("portico", "/portico/v1/tasks", PORTICO | {"route": "cheapest"}),
]


async def asked(name: str, ask: Callable[[AsyncClient], Any]) -> tuple[Emulator, Response]:
    emulator = EMULATORS[name]()
    await emulator.start()
    try:
        async with AsyncClient(base_url=f"http://{emulator.address}", headers=KEY) as client:
            return emulator, await ask(client)
    finally:
        await emulator.stop()


@pytest.mark.parametrize(("name", "path", "body"), TAKEN)
async def test_example_of_the_page_is_taken(name, path, body):
    emulator, answer = await asked(name, lambda client: client.post(path, json=body))
    assert answer.status_code in {200, 202}, answer.text
    assert emulator.begun == 1


@pytest.mark.parametrize(("name", "path", "body"), REFUSED)
async def test_what_the_page_forbids_is_refused(name, path, body):
    emulator, answer = await asked(name, lambda client: client.post(path, json=body))
    assert answer.status_code == 400, answer.text
    assert emulator.begun == 0


@pytest.mark.parametrize(
    ("name", "path", "fault", "status", "told"),
    [
        ("xiaoyang", "/api/v1/tasks", Fault.BAD_KEY, 401, {"detail": "Invalid API key"}),
        ("xiaoyang", "/api/v1/tasks", Fault.NO_CREDIT, 402, {"detail": "Không đủ credit"}),
        (
            "apixo",
            "/api/v1/generateTask/wan-2-5",
            Fault.NO_CREDIT,
            400,
            {"code": 400, "message": "Insufficient credits", "data": None},
        ),
        ("yuanjing", "/llmage/video", Fault.BAD_KEY, 401, {"error": "Invalid API Key"}),
        ("yuanjing", "/llmage/video", Fault.NO_CREDIT, 429, {"error": "Insufficient balance"}),
    ],
)
async def test_refusals_are_in_the_page_s_words(name, path, fault, status, told):
    emulator = EMULATORS[name]()
    emulator.plans.add(fault)
    await emulator.start()
    async with AsyncClient(base_url=f"http://{emulator.address}", headers=KEY) as client:
        answer = await client.post(path, json={})
    await emulator.stop()
    assert (answer.status_code, answer.json()) == (status, told)


async def test_xpilot_s_task_is_under_its_provider_only():
    async def ask(client: AsyncClient) -> Response:
        begun = (await client.post("/api/v1/video/generate", json=XPILOT)).json()
        assert (await client.get(f"/api/v1/video/{begun['task_id']}")).status_code == 404
        return await client.get(begun["poll_url"])

    _, answer = await asked("xpilot", ask)
    assert answer.json()["status"] == "completed"


async def test_result_of_xiaoyang_needs_the_key():
    async def ask(client: AsyncClient) -> Response:
        begun = (await client.post("/api/v1/tasks", json=XIAOYANG)).json()
        task = (await client.get(f"/api/v1/tasks/{begun['task_id']}")).json()
        stranger = await client.get(task["video_url"], headers={"authorization": ""})
        assert stranger.status_code == 401
        return await client.get(task["video_url"])

    _, answer = await asked("xiaoyang", ask)
    assert answer.content == sample("mp4")


async def test_same_key_at_portico_is_the_same_job():
    async def ask(client: AsyncClient) -> Response:
        keyed = {"idempotency-key": "att_1"}
        first = await client.post("/portico/v1/tasks", json=PORTICO, headers=keyed)
        again = await client.post("/portico/v1/tasks", json=PORTICO, headers=keyed)
        assert first.json()["task"]["id"] == again.json()["task"]["id"]
        return again

    emulator, _ = await asked("portico", ask)
    assert emulator.begun == 1
