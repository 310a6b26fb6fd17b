"""Every sample of XiaoYang's page: the request in, the very answer out.

Hosts of input files are this machine's own; task ids are placeholders; the clock stands at
the page's own created_at.
"""

from functools import partial

import pytest

from portico.core.errors import ErrorCode, PorticoError
from tests.contract.gateways import PICTURE, UNDER_WAY, VIDEO, WAITING, error, made, told

IMG2VID = """{
"modal_key": "img2vid_v30",
"option_key": "5_off",
"prompt": "Create a cinematic video",
"image_url": "https://your-domain.com/input.png"
}"""
MOTION = """{
"modal_key": "motion_v30",
"option_key": "default",
"prompt": "Make the person follow the reference motion",
"image_url": "https://your-domain.com/input.png",
"video_url": "https://your-domain.com/motion.mp4",
"motion_orientation": "video"
}"""
SEEDANCE = """{
"modal_key": "seedance_v20",
"option_key": "720p_5_off",
"prompt": "Create a smooth commercial video",
"image_url": "https://your-domain.com/input.png",
"ratio": "16:9"
}"""
WARDROBE = """{
"modal_key": "ai_wardrobe",
"option_key": "default",
"image_url": "https://your-domain.com/person.png",
"clothes_image_url": "https://your-domain.com/clothes.png",
"wardrobe_replace": "upper"
}"""


def local(sample: str, host) -> str:
    return sample.replace("https://your-domain.com", host.url)


@pytest.fixture
def start(start):
    return partial(start, now=1_779_710_000_000)


async def submitted(gateway, sample: str, host) -> str:
    answer = await gateway.post("/api/v1/tasks", local(sample, host))
    assert answer.status_code == 200, answer.text
    return f"/api/v1/tasks/{answer.json()['task_id']}"


@pytest.mark.parametrize(
    ("sample", "balance"),
    [(IMG2VID, "1264"), (MOTION, "1294"), (SEEDANCE, "1306"), (WARDROBE, "1235")],
    ids=["img2vid", "motion", "seedance", "wardrobe"],
)
async def test_submit_answers_as_the_page(start, host, sample, balance):
    gateway = await start(balance=balance)

    answer = await gateway.post("/api/v1/tasks", local(sample, host))

    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    assert told(answer) == '{"ok":true,"task_id":"TASK_ID","status":"QUEUED","credits":1234}'
    assert await gateway.balance() == "1234"


async def test_read_of_a_video_answers_as_the_page(start, host):
    gateway = await start()
    path = await submitted(gateway, SEEDANCE, host)

    answer = await gateway.reach(path, ["SUCCESS"])

    assert told(answer) == (
        '{"ok":true,"task_id":"TASK_ID","status":"SUCCESS","error_message":null,'
        '"video_url":"/api/v1/tasks/TASK_ID/download","image_url":null,'
        '"created_at":1779710000,"credit":72}'
    )


async def test_read_of_a_picture_has_image_url(start, host):
    gateway = await start(script=[made("simulated.png")])
    path = await submitted(gateway, WARDROBE, host)

    answer = await gateway.reach(path, ["SUCCESS"])

    assert told(answer) == (
        '{"ok":true,"task_id":"TASK_ID","status":"SUCCESS","error_message":null,'
        '"video_url":null,"image_url":"/api/v1/tasks/TASK_ID/download",'
        '"created_at":1779710000,"credit":1}'
    )


async def test_task_goes_through_the_pages_five_states(start, host):
    gateway = await start(script=[WAITING])
    path = await submitted(gateway, IMG2VID, host)

    await gateway.reach(path, ["PENDING"])
    gateway.answers(UNDER_WAY)
    answer = await gateway.reach(path, ["PROCESSING"], wake=True)
    gateway.answers(made())
    await gateway.reach(path, ["SUCCESS"], wake=True)

    assert told(answer) == (
        '{"ok":true,"task_id":"TASK_ID","status":"PROCESSING","error_message":null,'
        '"video_url":null,"image_url":null,"created_at":1779710000,"credit":30}'
    )


async def test_failed_task_keeps_its_price_and_is_refunded(start, host):
    failure = PorticoError(ErrorCode.UPSTREAM_FAILED, "Generation failed")
    gateway = await start(balance="100", script=[failure])
    path = await submitted(gateway, IMG2VID, host)

    answer = await gateway.reach(path, ["FAIL"])

    assert told(answer) == (
        '{"ok":true,"task_id":"TASK_ID","status":"FAIL","error_message":"Generation failed",'
        '"video_url":null,"image_url":null,"created_at":1779710000,"credit":30}'
    )
    assert await gateway.balance() == "100"


async def test_cancelled_task_is_a_fail(start, host):
    gateway = await start(script=[UNDER_WAY])
    path = await submitted(gateway, IMG2VID, host)

    await gateway.post(f"{path.replace('/api/v1/', '/portico/v1/')}/cancel", {})

    answer = (await gateway.get(path)).json()
    assert (answer["status"], answer["error_message"]) == ("FAIL", "cancelled")


async def test_download_streams_the_bytes(start, host):
    gateway = await start()
    path = await submitted(gateway, IMG2VID, host)
    await gateway.reach(path, ["SUCCESS"])

    answer = await gateway.get(f"{path}/download")

    assert (answer.status_code, answer.content) == (200, VIDEO)
    assert answer.headers["content-type"] == "video/mp4"
    assert answer.headers["content-length"] == str(len(VIDEO))
    assert answer.headers["content-disposition"].startswith('attachment; filename="')


async def test_download_serves_ranges(start, host):
    gateway = await start(script=[made("simulated.png")])
    path = await submitted(gateway, WARDROBE, host)
    await gateway.reach(path, ["SUCCESS"])

    part = await gateway.get(f"{path}/download", headers={"range": "bytes=2-5"})
    beyond = await gateway.get(f"{path}/download", headers={"range": "bytes=99999-"})

    assert (part.status_code, part.content) == (206, PICTURE[2:6])
    assert part.headers["content-range"] == f"bytes 2-5/{len(PICTURE)}"
    assert beyond.status_code == 416


async def test_download_goes_on_only_where_the_file_is_still_the_same(start, host):
    gateway = await start(script=[made("simulated.png")])
    path = await submitted(gateway, WARDROBE, host)
    await gateway.reach(path, ["SUCCESS"])
    tag = (await gateway.get(f"{path}/download")).headers["etag"]

    same = await gateway.get(f"{path}/download", headers={"range": "bytes=2-5", "if-range": tag})
    other = await gateway.get(
        f"{path}/download", headers={"range": "bytes=2-5", "if-range": '"another"'}
    )

    assert (same.status_code, same.content) == (206, PICTURE[2:6])
    assert (other.status_code, other.content) == (200, PICTURE)


async def test_early_download_is_a_bad_request(start, host):
    gateway = await start(script=[UNDER_WAY])
    path = await submitted(gateway, IMG2VID, host)

    answer = await gateway.get(f"{path}/download")

    assert error(answer) == (400, {"detail": "Task not finished"})


async def test_download_of_a_failed_task_is_a_bad_request(start, host):
    gateway = await start(script=[PorticoError(ErrorCode.UPSTREAM_FAILED, "Generation failed")])
    path = await submitted(gateway, IMG2VID, host)
    await gateway.reach(path, ["FAIL"])

    answer = await gateway.get(f"{path}/download")

    assert error(answer) == (400, {"detail": "Task not finished"})


async def test_expired_result_is_gone_and_its_task_readable(start, host):
    gateway = await start()
    path = await submitted(gateway, IMG2VID, host)
    await gateway.reach(path, ["SUCCESS"])

    gateway.clock.jump(15 * 86_400_000)

    assert error(await gateway.get(f"{path}/download")) == (
        404,
        {"detail": "The result has expired"},
    )
    assert (await gateway.get(path)).json()["status"] == "SUCCESS"


async def test_me_shows_email_credits_and_status(start):
    gateway = await start(balance="12.999999")

    answer = await gateway.get("/api/v1/me")

    assert answer.text == (
        '{"ok":true,"email":"customer@example.com","credits":12,"status":"active"}'
    )


async def test_modals_list_the_modals_of_the_page(start):
    gateway = await start()

    answer = (await gateway.get("/api/v1/modals")).json()

    assert answer["ok"] is True
    modals = {each["modal_key"]: each for each in answer["modals"]}
    assert set(modals) == {
        "img2vid_v30",
        "motion_v30",
        "seedance_v20",
        "ai_wardrobe",
        "enhance_image",
        "enhance_video",
    }
    assert {key: each["inputs"] for key, each in modals.items()} == {
        "img2vid_v30": ["prompt", "image_url"],
        "motion_v30": ["image_url", "video_url"],
        "seedance_v20": ["prompt", "image_url"],
        "ai_wardrobe": ["image_url", "clothes_image_url"],
        "enhance_image": ["image_url"],
        "enhance_video": ["video_url"],
    }


async def test_modal_shows_options_prices_and_defaults(start):
    gateway = await start()

    modals = (await gateway.get("/api/v1/modals")).json()["modals"]

    seedance = next(each for each in modals if each["modal_key"] == "seedance_v20")
    assert {"option_key": "720p_5_off", "credit": 72, "enhance_4k_credit": 20} in (
        seedance.pop("options")
    )
    assert seedance == {
        "modal_key": "seedance_v20",
        "name": "Seedance 2.0",
        "type": "video",
        "inputs": ["prompt", "image_url"],
        "optional": ["ratio", "enhance_4k"],
        "values": {"ratio": ["adaptive", "1:1", "3:4", "4:3", "9:16", "16:9", "21:9"]},
        "defaults": {"ratio": "adaptive", "enhance_4k": False},
    }


async def test_modal_without_enhancement_lists_no_price_for_it(start):
    gateway = await start()

    modals = (await gateway.get("/api/v1/modals")).json()["modals"]

    wardrobe = next(each for each in modals if each["modal_key"] == "ai_wardrobe")
    assert wardrobe == {
        "modal_key": "ai_wardrobe",
        "name": "AI Wardrobe",
        "type": "image",
        "inputs": ["image_url", "clothes_image_url"],
        "optional": ["wardrobe_replace"],
        "values": {"wardrobe_replace": ["upper", "lower", "dress", "coat", "jumpsuit", "full"]},
        "defaults": {"wardrobe_replace": "upper"},
        "options": [{"option_key": "default", "credit": 1}],
    }


async def test_every_listed_option_costs_what_it_says(start, host):
    gateway = await start(balance="100000")
    gateway.gateway.engine.wake = lambda *_, **__: None  # nothing need be made
    links = {
        "prompt": "a cat",
        "image_url": f"{host.url}/a.png",
        "video_url": f"{host.url}/a.mp4",
        "clothes_image_url": f"{host.url}/a.png",
    }
    left = 100_000

    for modal in (await gateway.get("/api/v1/modals")).json()["modals"]:
        body = {name: links[name] for name in modal["inputs"]} | {"modal_key": modal["modal_key"]}
        for option in modal["options"]:
            for enhance in (False, True):
                asked = {"option_key": option["option_key"], "enhance_4k": enhance}
                answer = await gateway.post("/api/v1/tasks", body | asked)
                left -= option["credit"]
                left -= option.get("enhance_4k_credit", 0) if enhance else 0
                assert answer.json().get("credits") == left, (modal, option, answer.text)
