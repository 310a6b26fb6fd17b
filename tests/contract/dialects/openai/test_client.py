"""OpenAI's own Python client against a real server: what it reads out of our answers."""

import base64
import uuid

import openai
import pytest
import requests
from openai import OpenAI

from tests.contract.gateways import PICTURE, VIDEO
from tests.e2e.running import make_account

pytestmark = [
    pytest.mark.e2e,
    # the client says so of every method of `client.videos`, and with good reason
    pytest.mark.filterwarnings("ignore:.*Sora.*:DeprecationWarning"),
]
HELLO = [{"role": "user", "content": "Hello"}]
REPLY = "This is the simulator's answer: no model was asked. "


@pytest.fixture(scope="module")
def client(server):
    with OpenAI(base_url=f"{server.url}/v1", api_key=server.key) as opened:
        yield opened


@pytest.fixture
def video(client):
    return client.videos.create_and_poll(prompt="A boat", seconds="4", poll_interval_ms=50)


def refusals(server) -> float:
    """Return how often the server has said 429 so far."""
    lines = requests.get(f"{server.url}/metrics", timeout=10).text.splitlines()
    wanted = 'portico_http_answers_total{dialect="openai",status="429"}'
    return sum(float(line.split()[-1]) for line in lines if line.startswith(wanted))


def test_models_are_listed_and_found(client):
    listed = [model.id for model in client.models.list()]

    assert {"gpt-4o", "portico/scene", "portico/picture"} <= set(listed)
    assert client.models.retrieve("gpt-4o").owned_by == "openai"
    assert client.models.retrieve("portico/scene").id == "portico/scene"  # sent as %2F


def test_whole_text_has_its_usage(client):
    answer = client.chat.completions.create(model="gpt-4o", messages=HELLO)

    assert answer.choices[0].message.content == REPLY
    assert answer.choices[0].finish_reason == "stop"
    assert (answer.model, answer.object) == ("gpt-4o", "chat.completion")
    used = answer.usage
    assert used.total_tokens == used.prompt_tokens + used.completion_tokens > used.prompt_tokens > 0


def test_stream_ends_with_usage_when_asked(client):
    stream = client.chat.completions.create(
        model="gpt-4o", messages=HELLO, stream=True, stream_options={"include_usage": True}
    )

    *pieces, last = list(stream)
    assert "".join(piece.choices[0].delta.content or "" for piece in pieces) == REPLY
    assert [piece.usage for piece in pieces] == [None] * len(pieces)
    assert (last.choices, last.usage.completion_tokens) == ([], 14)


def test_stream_has_no_usage_unless_asked(client):
    pieces = list(client.chat.completions.create(model="gpt-4o", messages=HELLO, stream=True))

    assert all(piece.choices and piece.usage is None for piece in pieces)
    assert pieces[-1].choices[0].finish_reason == "stop"


def test_picture_comes_by_address(client):
    made = client.images.generate(model="portico/picture", prompt="A boat", size="1024x1024")

    answer = requests.get(made.data[0].url, timeout=10)  # no key: the link is signed
    assert answer.content == PICTURE
    assert made.output_format == "png"


def test_picture_comes_as_bytes(client):
    made = client.images.generate(
        model="portico/picture", prompt="A boat", response_format="b64_json"
    )

    assert base64.b64decode(made.data[0].b64_json) == PICTURE
    assert made.data[0].url is None


def test_picture_is_edited_from_several_files(client):
    made = client.images.edit(
        model="portico/picture",
        prompt="Both in one",
        image=[("a.png", PICTURE), ("b.png", PICTURE)],
    )

    assert requests.get(made.data[0].url, timeout=10).content == PICTURE


def test_mask_is_refused_by_name(client):
    with pytest.raises(openai.BadRequestError) as refused:
        client.images.edit(
            model="portico/picture",
            prompt="Here",
            image=("a.png", PICTURE),
            mask=("m.png", PICTURE),
        )

    assert refused.value.param == "mask"


def test_video_is_made_from_a_picture(client):
    made = client.videos.create_and_poll(
        prompt="A boat",
        seconds="4",
        size="1280x720",
        input_reference=("a.png", PICTURE, "image/png"),
        poll_interval_ms=50,
    )

    assert (made.status, made.progress, made.error) == ("completed", 100, None)
    assert (made.seconds, made.model) == ("4", "portico/scene")
    assert client.videos.download_content(made.id).read() == VIDEO
    assert requests.get(made.url, timeout=10).content == VIDEO  # where relays put it


def test_fields_of_our_own_come_in_extra_body(client):
    made = client.videos.create(
        model="portico/scene-fast",
        prompt="A boat",
        extra_body={"duration": "7", "resolution": "480p", "aspect_ratio": "9:16"},
    )

    assert (made.seconds, made.size) == ("7", "480x854")


def test_videos_are_listed_page_by_page(client):
    ids = [client.videos.create(prompt=f"Boat {number}").id for number in range(3)]

    newest = [video.id for video in client.videos.list(limit=2)][:3]
    oldest = [video.id for video in client.videos.list(limit=2, order="asc", after=ids[0])]
    assert newest == ids[::-1]
    assert oldest == ids[1:]


def test_deleted_video_is_gone(client, video):
    gone = client.videos.delete(video.id)

    assert (gone.id, gone.deleted, gone.object) == (video.id, True, "video.deleted")
    with pytest.raises(openai.NotFoundError):
        client.videos.retrieve(video.id)
    with pytest.raises(openai.NotFoundError):
        client.videos.download_content(video.id)
    assert requests.get(video.url, timeout=10).status_code == 410


def test_remix_is_refused(client, video):
    with pytest.raises(openai.BadRequestError, match="remix is not supported"):
        client.videos.remix(video.id, prompt="Another boat")


def test_unknown_model_is_not_found(client):
    with pytest.raises(openai.NotFoundError) as refused:
        client.chat.completions.create(model="gpt-99", messages=HELLO)

    assert (refused.value.code, refused.value.param) == ("model_not_found", "model")


def test_bad_key_is_an_authentication_error(server):
    with (
        OpenAI(base_url=f"{server.url}/v1", api_key="nobody") as stranger,
        pytest.raises(openai.AuthenticationError) as refused,
    ):
        stranger.models.list()

    assert refused.value.code == "invalid_api_key"


def test_empty_account_is_told_once(server):
    key = make_account(server.data, balance=0, email="poor@example.com")
    before = refusals(server)

    with (
        OpenAI(base_url=f"{server.url}/v1", api_key=key, max_retries=2) as poor,
        pytest.raises(openai.RateLimitError) as refused,
    ):
        poor.videos.create(prompt="A boat")  # type: ignore[deprecated]

    assert (refused.value.code, refused.value.type) == ("insufficient_quota", "insufficient_quota")
    assert refusals(server) - before == 1


def test_repeated_submit_finds_the_first_video(client):
    headers = {"Idempotency-Key": str(uuid.uuid4())}

    first = client.videos.create(prompt="A boat", extra_headers=headers)
    again = client.videos.create(prompt="A boat", extra_headers=headers)

    assert again.id == first.id


def test_repeated_picture_is_answered_at_once(client):
    headers = {"Idempotency-Key": str(uuid.uuid4())}

    first = client.images.generate(prompt="A boat", extra_headers=headers)
    again = client.images.generate(prompt="A boat", extra_headers=headers, timeout=10)

    assert again.data[0].url == first.data[0].url
