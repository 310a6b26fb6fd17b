"""Videos at `/v1/videos*`: Sora's shape over whatever model there is."""

from typing import Any

from portico import tasks
from portico.core.errors import ErrorCode, PorticoError
from portico.core.money import parse_credits
from portico.flows import administer
from portico.providers.base import Finished, OutputFile
from tests.contract.gateways import (
    NOW,
    PICTURE,
    UNDER_WAY,
    VIDEO,
    WAITING,
    error,
    made,
    told,
)

PATH = "/v1/videos"
NOW_S = NOW // 1000
BOAT = {"prompt": "A boat", "seconds": "4", "size": "1280x720"}
COVERED = Finished(
    outputs=(
        made().outputs[0],
        OutputFile("cover", path=made("simulated.png").outputs[0].path),
    )
)


async def created(gateway, body=BOAT) -> str:
    answer = await gateway.post(PATH, body)
    assert answer.status_code == 200, answer.text
    return f"{PATH}/{answer.json()['id']}"


async def test_submit_is_answered_with_a_queued_video(start):
    gateway = await start(balance="100", script=[UNDER_WAY])

    answer = await gateway.post(PATH, BOAT)

    assert told(answer).replace(answer.json()["id"], "VIDEO_ID") == (
        f'{{"id":"VIDEO_ID","object":"video","created_at":{NOW_S},"status":"queued","progress":0,'
        '"model":"portico/scene","seconds":"4","size":"1280x720","completed_at":null,'
        '"expires_at":null,"error":null,"remixed_from_video_id":null}'
    )
    assert answer.json()["id"].startswith("video_")
    assert answer.headers["openai-poll-after-ms"] == "2000"
    assert await gateway.balance() == "96"


async def test_completed_video_says_where_it_is(start):
    gateway = await start()
    path = await created(gateway)

    answer = await gateway.reach(path, ["completed"])

    body = answer.json()
    assert (body["progress"], body["completed_at"], body["expires_at"]) == (
        100,
        NOW_S,
        NOW_S + 15 * 86_400,
    )
    assert body["url"] == body["metadata"]["url"]
    assert body["url"].startswith("https://portico.test/files/")
    assert "openai-poll-after-ms" not in answer.headers


async def test_video_goes_through_three_of_four_statuses(start):
    gateway = await start(script=[WAITING])
    path = await created(gateway)

    await gateway.reach(path, ["queued"], wake=True)
    gateway.answers(UNDER_WAY)
    gateway.gateway.engine.wake(int(path.rpartition("_")[2]))
    await gateway.reach(path, ["in_progress"])
    gateway.answers(made())
    gateway.gateway.engine.wake(int(path.rpartition("_")[2]))
    await gateway.reach(path, ["completed"])


async def test_failed_video_says_why_and_is_refunded(start):
    failure = PorticoError(ErrorCode.CONTENT_REFUSED, "Content does not meet guidelines")
    gateway = await start(balance="100", script=[failure])
    path = await created(gateway)

    answer = await gateway.reach(path, ["failed"])

    assert answer.json()["error"] == {
        "code": "moderation_blocked",
        "message": "Content does not meet guidelines",
    }
    assert await gateway.balance() == "100"


async def test_cancelled_video_is_a_failed_one(start):
    gateway = await start(script=[UNDER_WAY])
    path = await created(gateway)

    await gateway.post(f"{path.replace('/v1/videos/', '/portico/v1/tasks/')}/cancel", {})

    body = (await gateway.get(path)).json()
    assert (body["status"], body["error"]["code"]) == ("failed", "cancelled")


async def test_form_and_json_mean_the_same(start):
    gateway = await start()

    as_json = (await gateway.post(PATH, BOAT | {"lock_camera": True})).json()
    form = await gateway.client.post(PATH, data=BOAT | {"lock_camera": "true"})
    parts = {name: (None, value) for name, value in BOAT.items()} | {"lock_camera": (None, "true")}
    multipart = await gateway.client.post(PATH, files=parts)

    for path in (as_json["id"], form.json()["id"], multipart.json()["id"]):
        await gateway.reach(f"{PATH}/{path}", ["completed"])
    first, *others = [each.job for _, each in gateway.upstream.started]
    assert others == [first, first]
    assert (first.params["duration"], first.params["size"]) == (4, "1280x720")


async def test_first_frame_comes_as_file_address_base64_or_object(start, host):
    gateway = await start()
    url = f"{host.url}/a.png"

    bodies = [url, {"image_url": url}, {"image_url": {"url": url}}]
    paths = [await created(gateway, BOAT | {"input_reference": each}) for each in bodies]
    file = {"input_reference": ("a.png", PICTURE)}
    sent = await gateway.client.post(PATH, data=BOAT, files=file)
    part = await gateway.client.post(PATH, data=BOAT | {"input_reference[image_url]": url})

    for path in (*paths, *(f"{PATH}/{each.json()['id']}" for each in (sent, part))):
        await gateway.reach(path, ["completed"])
    roles = {tuple(item.role.value for item in each.inputs) for _, each in gateway.upstream.started}
    assert roles == {("first_frame",)}
    assert len(gateway.upstream.started) == 5


REFUSED: list[tuple[dict[str, Any], str, str | None]] = [
    ({"prompt": ""}, "prompt", None),
    ({"seconds": "99"}, "seconds", None),
    ({"seconds": "4.5"}, "seconds", None),
    ({"seconds": None, "duration": 99}, "duration", None),
    ({"size": "1x1"}, "size", None),
    ({"resolution": "720p"}, "resolution", None),  # size says it already
    ({"size": None, "aspect_ratio": "5:1"}, "aspect_ratio", None),
    ({"n": 2}, "n", "unsupported_parameter"),
    ({"characters": [{"id": "char_1"}]}, "characters", "unsupported_parameter"),
    ({"input_reference": {"file_id": "file-1"}}, "input_reference", "unsupported_parameter"),
    ({"input_reference": 5}, "input_reference", None),
    ({"input_reference": {"image_url": 5}}, "input_reference", None),
    ({"input_reference": ["a", "b"]}, "input_reference", None),
    ({"input_reference": "not base64!"}, "input_reference", "invalid_image_file"),
]


async def test_refusal_names_the_field_and_costs_nothing(start):
    gateway = await start(balance="100")

    for given, param, code in REFUSED:
        status, body = error(await gateway.post(PATH, BOAT | given))
        found = body["error"]
        assert (status, found["param"], found["code"]) == (400, param, code)
        assert param in found["message"]

    assert gateway.upstream.started == []
    assert await gateway.balance() == "100"


async def test_repeated_submit_makes_one_video(start):
    gateway = await start(balance="100")
    file = {"input_reference": ("a.png", PICTURE)}
    other = {"input_reference": ("a.png", PICTURE + b"x")}
    key = {"idempotency-key": "one"}

    first = await gateway.client.post(PATH, data=BOAT, files=file, headers=key)
    again = await gateway.client.post(PATH, data=BOAT, files=file, headers=key)
    conflict = await gateway.client.post(PATH, data=BOAT, files=other, headers=key)

    assert again.json()["id"] == first.json()["id"]
    assert error(conflict)[0] == 409
    assert await gateway.balance() == "96"


async def test_size_reaches_models_that_count_lines(start):
    gateway = await start(balance="1000", script=[UNDER_WAY])

    wide = (await gateway.post(PATH, BOAT | {"model": "seedance-2.0"})).json()
    odd = await gateway.post(PATH, BOAT | {"model": "seedance-2.0", "size": "1792x1024"})
    small = BOAT | {"model": "wan-2.5", "seconds": "5", "size": "854x480"}
    too_small = await gateway.post(PATH, small)

    assert (wide["model"], wide["seconds"], wide["size"]) == ("seedance-2.0", "4", "1280x720")
    assert await gateway.balance() == "940"  # 4 s of 720p
    for refused in (odd, too_small):
        status, body = error(refused)
        assert (status, body["error"]["param"]) == (400, "size")


async def test_size_reaches_models_that_know_sizes(start):
    gateway = await start(balance="1000", script=[UNDER_WAY])

    made_of = BOAT | {"model": "wan-2.6", "seconds": "5"}
    assert (await gateway.post(PATH, made_of)).json()["size"] == "1280x720"
    assert await gateway.balance() == "950"


async def test_content_has_variants_and_ranges(start):
    gateway = await start(script=[COVERED])
    path = await created(gateway)
    early = await gateway.get(f"{path}/content")
    await gateway.reach(path, ["completed"])

    whole = await gateway.get(f"{path}/content")
    part = await gateway.get(f"{path}/content", headers={"range": "bytes=4-7"})
    cover = await gateway.get(f"{path}/content?variant=thumbnail")
    sheet = await gateway.get(f"{path}/content?variant=spritesheet")

    assert error(early)[1]["error"]["code"] == "not_ready"
    assert (whole.content, whole.headers["content-type"]) == (VIDEO, "video/mp4")
    assert (part.status_code, part.content) == (206, VIDEO[4:8])
    assert (cover.content, cover.headers["content-type"]) == (PICTURE, "image/png")
    assert error(sheet)[1]["error"]["param"] == "variant"


async def test_video_without_a_cover_has_no_thumbnail(start):
    gateway = await start()
    path = await created(gateway)
    await gateway.reach(path, ["completed"])

    assert error(await gateway.get(f"{path}/content?variant=thumbnail"))[0] == 404


async def test_expired_content_is_gone_and_its_video_readable(start):
    gateway = await start()
    path = await created(gateway)
    await gateway.reach(path, ["completed"])

    gateway.clock.jump(15 * 86_400_000)

    assert error(await gateway.get(f"{path}/content"))[0] == 404
    assert (await gateway.get(path)).json()["status"] == "completed"


async def test_video_of_another_dialect_is_read_here_and_there(start):
    gateway = await start()
    body = {"model": "portico/scene", "prompt": "A boat"}
    made_there = (await gateway.post("/portico/v1/tasks", body)).json()["task"]["id"]
    made_here = await created(gateway)

    here = await gateway.get(f"{PATH}/video_{made_there}")
    bare = await gateway.get(f"{PATH}/{made_there}")
    there = await gateway.get(made_here.replace(PATH, "/portico/v1/tasks"))

    assert here.json()["id"] == bare.json()["id"] == f"video_{made_there}"
    assert there.json()["id"] == made_here.rpartition("_")[2]


async def test_unknown_foreign_and_other_tasks_are_the_same_404(start):
    gateway = await start(script=[made("simulated.png")])
    picture = await gateway.post("/v1/images/generations", {"prompt": "A boat"})
    mine = await created(gateway)
    await administer.create_account(gateway.desk, "other@example.com", amount=parse_credits("1"))
    other = (await administer.create_key(gateway.desk, "other@example.com")).key

    answers = [
        await gateway.get(mine, headers={"authorization": f"Bearer {other}"}),
        await gateway.get(f"{PATH}/video_123"),
        await gateway.get(f"{PATH}/nonsense"),
        await gateway.get(f"{PATH}/{picture.headers['x-portico-task']}"),
        await gateway.client.delete(mine, headers={"authorization": f"Bearer {other}"}),
        await gateway.client.delete(f"{PATH}/video_123"),
    ]

    assert {each.status_code for each in answers} == {404}
    assert len({each.text for each in answers}) == 1
    assert (await gateway.get(mine)).status_code == 200


async def test_list_has_videos_only_in_both_orders(start):
    gateway = await start(script=[made()])
    ids = [(await created(gateway)).rpartition("/")[2] for _ in range(3)]
    await gateway.post("/portico/v1/tasks", {"model": "portico/picture", "prompt": "A boat"})
    hello = {"model": "gpt-4o", "messages": [{"role": "user", "content": "Hello"}]}
    await gateway.post("/v1/chat/completions", hello)

    newest = (await gateway.get(PATH)).json()
    first = (await gateway.get(f"{PATH}?limit=2&order=asc")).json()
    rest = (await gateway.get(f"{PATH}?limit=2&order=asc&after={first['last_id']}")).json()

    assert [each["id"] for each in newest["data"]] == ids[::-1]
    assert (newest["object"], newest["has_more"]) == ("list", False)
    assert (first["first_id"], first["last_id"], first["has_more"]) == (ids[0], ids[1], True)
    assert ([each["id"] for each in rest["data"]], rest["has_more"]) == (ids[2:], False)


async def test_empty_list_has_no_ids(start):
    gateway = await start()

    assert (await gateway.get(PATH)).json() == {
        "object": "list",
        "data": [],
        "first_id": None,
        "last_id": None,
        "has_more": False,
    }


async def test_list_refuses_what_it_cannot_read(start):
    gateway = await start()

    for query in ("limit=0", "limit=101", "limit=x", "limit=", "order=up", "after=nonsense"):
        status, body = error(await gateway.get(f"{PATH}?{query}"))
        assert (status, body["error"]["param"]) == (400, query.partition("=")[0])


async def test_deleted_video_is_gone_from_every_dialect_and_stays_paid(start):
    gateway = await start(balance="100")
    path = await created(gateway)
    url = (await gateway.reach(path, ["completed"])).json()["url"]
    kept = gateway.app.settings.folder / "files"
    assert list(kept.rglob("*.mp4"))

    answer = await gateway.client.delete(path)

    video_id = path.rpartition("/")[2]
    assert answer.json() == {"id": video_id, "object": "video.deleted", "deleted": True}
    there = path.replace(PATH, "/portico/v1/tasks")
    assert error(await gateway.get(path))[0] == 404
    assert (await gateway.get(there)).status_code == 404
    assert (await gateway.get("/portico/v1/tasks")).json()["tasks"] == []
    assert (await gateway.get(PATH)).json()["data"] == []
    assert (await gateway.get(url)).status_code == 410
    assert not list(kept.rglob("*.mp4"))
    assert error(await gateway.client.delete(path))[0] == 404
    assert await gateway.balance() == "96"


async def test_deleted_video_leaves_no_prompt(start):
    gateway = await start()
    path = await created(gateway, BOAT | {"prompt": "A very private boat"})
    await gateway.reach(path, ["completed"])

    await gateway.client.delete(path)

    task_id = int(path.rpartition("_")[2])
    kept = await gateway.gateway.store.read(lambda tx: tasks.get(tx, task_id))
    assert kept.job == "{}"


async def test_deleting_a_video_under_way_cancels_and_refunds_it(start):
    gateway = await start(balance="100", script=[UNDER_WAY])
    path = await created(gateway)

    answer = await gateway.client.delete(path)

    assert answer.json()["deleted"] is True
    assert await gateway.balance() == "100"


async def test_what_sora_alone_could_do_is_refused_in_shape(start):
    gateway = await start()

    for path in ("video_1/remix", "edits", "extensions", "characters"):
        status, body = error(await gateway.post(f"{PATH}/{path}", {"prompt": "Another"}))
        assert (status, body["error"]["code"]) == (400, "unsupported_parameter")
