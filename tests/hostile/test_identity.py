"""Who may pass which door: the whole route table, and every way to come without a good key."""

import re
from typing import Any

import pytest
import pytest_asyncio
from httpx2 import Response

from portico.accounts import KeyLimits
from portico.core.money import parse_credits
from portico.flows import administer
from tests.contract.gateways import Wired
from tests.hostile.shapes import check_refusal
from tests.hostile.standing import standing
from tests.hostile.surface import ADMITTING, DIALECTS, DOORS, SOUND, UNKNOWN_TASK, Door, sound

pytestmark = pytest.mark.asyncio(loop_scope="module")
# all that answers without a key, each for a reason of its own: a signed link stands in for one
PUBLIC = {"/idfile", "/files/{token}/{name}"}
PAGES = {"/", "/healthz", "/readyz", "/metrics", "/robots.txt", "/favicon.ico"}
PAGES_BELOW = ("/docs/", "/static/")
GOOD = "sk-" + "a" * 43
# what a key must not look like to be none
KEYLESS: dict[str, list[tuple[bytes, bytes]]] = {
    "nothing": [],
    "empty": [(b"authorization", b"")],
    "no scheme": [(b"authorization", GOOD.encode())],
    "no key": [(b"authorization", b"Bearer ")],
    "other scheme": [(b"authorization", b"Basic " + GOOD.encode())],
    "unknown key": [(b"authorization", b"Bearer " + GOOD.encode())],
    "not ASCII": [(b"authorization", b"Bearer sk-\xff\xfe\xe9")],
    "very long": [(b"authorization", b"Bearer " + b"a" * 20_000)],
    "wildcard": [(b"authorization", b"Bearer %")],
    "SQL": [(b"authorization", b"Bearer ' OR 1=1 --")],
    "two keys in one": [(b"authorization", b"Bearer a, Bearer b")],
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def other(gateway: Wired) -> str:
    """The key of another account, which has credits as well."""
    await administer.create_account(gateway.desk, "other@example.com", amount=parse_credits("100"))
    made = await administer.create_key(gateway.desk, "other@example.com")
    return made.key


async def test_every_route_is_public_or_asks_for_a_key():
    public = {route.path for each in DIALECTS for route in each.routes if not route.admits}
    assert public == PUBLIC


async def test_every_other_path_is_a_page_that_tells_nothing(gateway: Wired):
    ours = {route.path for each in DIALECTS for route in each.routes}
    pages = {path for path in gateway.app._exact if path not in ours}
    assert {each for each in pages if not each.startswith(PAGES_BELOW)} == PAGES


@pytest.mark.parametrize("door", ADMITTING, ids=str)
async def test_no_door_opens_without_a_good_key(gateway: Wired, host, door: Door):
    before = await standing(gateway)
    for name, headers in KEYLESS.items():
        answer = await ask(gateway, door, host.url, headers)
        assert check_refusal(door.dialect, answer)[0] == 401, name
    assert await standing(gateway) == before


@pytest.mark.parametrize("door", ADMITTING, ids=str)
async def test_key_counts_in_its_own_header_alone(gateway: Wired, host, door: Door):
    key = gateway.client.headers["authorization"].removeprefix("Bearer ")
    elsewhere = [
        [(b"cookie", f"key={key}; session={key}; authorization={key}".encode())],
        [(b"x-api-key", key.encode()), (b"api-key", key.encode())],
        [(b"proxy-authorization", f"Bearer {key}".encode())],
        [(b"x-forwarded-user", b"customer@example.com"), (b"x-forwarded-for", b"127.0.0.1")],
    ]
    for headers in elsewhere:
        answer = await ask(gateway, door, host.url, headers)
        assert check_refusal(door.dialect, answer)[0] == 401
    for name in ("key", "api_key", "access_token", "authorization", "token"):
        answer = await ask(gateway, door, host.url, [], query=f"{name}={key}")
        assert check_refusal(door.dialect, answer)[0] == 401


@pytest.mark.parametrize("ended", ["revoked", "expired", "suspended"])
async def test_ended_key_opens_no_door(gateway: Wired, host, ended: str):
    email = f"{ended}@example.com"
    await administer.create_account(gateway.desk, email, amount=parse_credits("100"))
    expires_at = gateway.clock.now() if ended == "expired" else None
    limits = KeyLimits(expires_at=expires_at)
    made = await administer.create_key(gateway.desk, email, limits=limits)
    before = await standing(gateway)
    if ended == "revoked":
        await administer.revoke_key(gateway.desk, made.key)
    elif ended == "suspended":
        await administer.set_suspended(gateway.desk, email, suspended=True)

    for door in ADMITTING:
        headers = [(b"authorization", f"Bearer {made.key}".encode())]
        answer = await ask(gateway, door, host.url, headers)
        status, message = check_refusal(door.dialect, answer)
        suspended_is_403 = ended == "suspended" and door.dialect in {
            "xiaoyang", "openai", "portico"
        }  # fmt: skip
        assert status == (403 if suspended_is_403 else 401), str(door)
        assert made.key not in message
    assert await standing(gateway) == before


@pytest.mark.parametrize("door", [each for each in DOORS if each.reads_task], ids=str)
async def test_foreign_task_is_an_unknown_one(gateway: Wired, host, other: str, door: Door):
    made = await gateway.post("/portico/v1/tasks?wait=60", {"prompt": "a cat"})
    foreign = made.json()["task"]["id"]
    theirs = [(b"authorization", f"Bearer {other}".encode())]
    answers = {
        words(await ask(gateway, door, host.url, theirs, task=task))
        for task in (foreign, UNKNOWN_TASK)
    }
    assert len(answers) == 1
    for task in (f"task_{foreign}", "0", "-1", "x", "%00", "9" * 40, "é", "' OR 1=1", "..."):
        answer = await ask(gateway, door, host.url, theirs, task=task)
        assert check_refusal(door.dialect, answer)[0] in {404, *{status for status, *_ in answers}}


@pytest.mark.parametrize(
    ("dialect", "path"),
    [
        ("apixo", "/api/v1/statusTask/wan-2-5?taskId="),
        ("yuanjing", "/llmage/tasks?taskid="),
        ("yuanjing", "/v1/tasks?task_id="),
    ],
)
async def test_foreign_task_in_a_query_is_an_unknown_one(
    gateway: Wired, other: str, dialect: str, path: str
):
    made = await gateway.post("/portico/v1/tasks?wait=60", {"prompt": "a cat"})
    foreign = made.json()["task"]["id"]
    headers = {"authorization": f"Bearer {other}"}
    seen = set()
    for task in (foreign, UNKNOWN_TASK, "x", "9" * 40, "%00", "%ff", "'"):
        answer = await gateway.get(path + task, headers=headers)
        assert check_refusal(dialect, answer)[0] == 404
        seen.add(answer.text)
    assert len(seen) == 1


async def test_foreign_task_is_in_no_list(gateway: Wired, other: str):
    made = await gateway.post("/portico/v1/tasks?wait=60", {"prompt": "a cat"})
    task = made.json()["task"]["id"]
    for path in ("/portico/v1/tasks", "/v1/videos"):
        assert task in (await gateway.get(path)).text
        answer = await gateway.get(path, headers={"authorization": f"Bearer {other}"})
        assert task not in answer.text


@pytest.mark.parametrize(
    ("dialect", "path"),
    [("portico", "/files/{}/a.mp4"), ("yuanjing", "/idfile?path={}")],
)
async def test_link_nobody_signed_opens_nothing(gateway: Wired, dialect: str, path: str):
    for token in ("x", "A" * 100, "%00", "..%252f", "%2Fx%2Fa.mp4", "é", "a" * 1_500, "%ff"):
        answer = await gateway.client.get(path.format(token), headers={"authorization": ""})
        assert check_refusal(dialect, answer)[0] in {400, 404, 410}


async def test_changed_link_opens_nothing(gateway: Wired):
    made = (await gateway.post("/portico/v1/tasks?wait=60", {"prompt": "a cat"})).json()
    url = made["task"]["outputs"][0]["url"].removeprefix("https://portico.test")
    assert (await gateway.client.get(url, headers={"authorization": ""})).status_code == 200
    token = re.findall(r"/files/([^/]+)/", url)[0]
    for at in range(0, len(token), 3):
        changed = token[:at] + ("A" if token[at] != "A" else "B") + token[at + 1 :]
        answer = await gateway.client.get(url.replace(token, changed))
        assert answer.status_code == 410, at
        check_refusal("portico", answer)


async def ask(
    gateway: Wired,
    door: Door,
    host_url: str,
    headers: list[tuple[bytes, bytes]],
    *,
    query: str = "",
    task: str = UNKNOWN_TASK,
) -> Response:
    """Ask at a door with a sound body, and with no key but what `headers` hold."""
    path = door.path.replace(UNKNOWN_TASK, task) + (f"?{query}" if query else "")
    body: dict[str, Any] = {}
    if door.template in SOUND:
        body = {"json": sound(door, host_url)}
    request = gateway.client.build_request(door.method, path, **body)
    del request.headers["authorization"]
    request.headers.update(headers)
    return await gateway.client.send(request)


def words(answer: Response) -> tuple[int, str]:
    return answer.status_code, answer.text
