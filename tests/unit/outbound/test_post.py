"""Webhook posts: W3 and W5 as far as the door goes."""

import asyncio

import pytest

from portico.core.errors import ErrorCode, PorticoError


class FixedClock:
    """The middle of 21 November 2026, for ever."""

    def now(self) -> int:
        return 1_795_262_400_000  # Sat, 21 Nov 2026 12:00:00 GMT

    def monotonic(self) -> float:
        return 0.0

    async def sleep(self, delay_s: float) -> None:
        await asyncio.sleep(0)


def answer(status: str, *headers: str, body: bytes = b"") -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


async def test_post_sends_body_and_headers(host, open_door):
    host.answering = host.say(answer("204 No Content"))
    door = open_door()
    sent = await door.post(host.url(), b'{"a":1}', {"webhook-id": "msg_1"})
    assert (sent.status, sent.body, sent.retry_after_s) == (204, b"", None)
    assert host.requests[0].startswith(b"POST /file HTTP/1.1")
    assert b"webhook-id: msg_1\r\n" in host.requests[0]
    assert host.requests[0].endswith(b'\r\n\r\n{"a":1}')


async def test_redirect_is_an_answer_and_is_not_followed(host, second_host, open_door):
    host.answering = host.say(answer("307 Elsewhere", f"Location: {second_host.url()}"))
    door = open_door([("127.0.0.1", host.port), ("127.0.0.1", second_host.port)])
    assert (await door.post(host.url(), b"", {})).status == 307
    assert second_host.requests == []


async def test_answer_is_kept_up_to_four_kibibytes(host, open_door):
    host.answering = host.say(answer("500 Oops", body=bytes(100_000)))
    assert len((await open_door().post(host.url(), b"", {})).body) == 4_096


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("120", 120),
        ("Sat, 21 Nov 2026 12:01:00 GMT", 60),
        ("Sat, 21 Nov 2026 11:00:00 GMT", 0),
        ("soon", None),
        ("-5", None),
        ("9" * 40, 999_999_999),
    ],
)
async def test_retry_after_is_read_in_seconds(host, open_door, header, expected):
    host.answering = host.say(answer("503 Busy", f"Retry-After: {header}"))
    door = open_door(clock=FixedClock())
    assert (await door.post(host.url(), b"", {})).retry_after_s == expected


async def test_receiver_that_never_answers_is_left_in_time(host, open_door):
    async def silent(_request: bytes, _writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(5)

    host.answering = silent
    with pytest.raises(PorticoError) as caught:
        await open_door().post(host.url(), b"", {}, timeout_s=0.1)
    assert caught.value.code is ErrorCode.MEDIA_UNREACHABLE


async def test_private_receiver_is_refused_at_registration_and_at_sending(host, open_door):
    door = open_door([])
    for work in (door.check_target(host.url()), door.post(host.url(), b"", {})):
        with pytest.raises(PorticoError):
            await work
    assert host.requests == []
