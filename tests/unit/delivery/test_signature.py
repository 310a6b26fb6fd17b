"""Signatures: what the official Standard Webhooks client accepts."""

import base64
import json
from datetime import UTC, datetime

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from portico.core.clock import SystemClock
from portico.delivery import secret_for, signed_headers

BODY = b'{"type":"video.completed","data":{"id":"video_1"}}'
SECRET = secret_for(b"server secret", "acc_a")


def headers_now(body=BODY, secret=SECRET):
    now = SystemClock().now()
    return signed_headers(secret, delivery_id="msg_1", body=body, now=now)


def test_known_vector_is_reproduced():
    headers = signed_headers(
        "whsec_cG9ydGljby10ZXN0LXNlY3JldC0wMTIzNDU2Nzg5YWI=",
        delivery_id="msg_test_0001",
        body=BODY,
        now=1_795_132_800_000,
    )
    assert headers == {
        "webhook-id": "msg_test_0001",
        "webhook-timestamp": "1795132800",
        "webhook-signature": "v1,JNK808AQQjWGratAFiyvoFECu8iK7EN4LqU+J6xYV1Q=",
    }


def test_official_client_accepts_our_signature():
    assert Webhook(SECRET).verify(BODY.decode(), headers_now()) == json.loads(BODY)


def test_official_client_signs_alike():
    headers = headers_now()
    stamp = datetime.fromtimestamp(int(headers["webhook-timestamp"]), UTC)
    assert Webhook(SECRET).sign("msg_1", stamp, BODY.decode()) == headers["webhook-signature"]


@pytest.mark.parametrize(
    "change",
    [
        {"webhook-id": "msg_2"},
        {"webhook-timestamp": "1795132800"},
        {"webhook-signature": "v1,AAAA"},
    ],
    ids=["id", "timestamp", "signature"],
)
def test_changed_header_is_refused(change):
    with pytest.raises(WebhookVerificationError):
        Webhook(SECRET).verify(BODY.decode(), headers_now() | change)


def test_changed_body_is_refused():
    with pytest.raises(WebhookVerificationError):
        Webhook(SECRET).verify(BODY.decode() + " ", headers_now())


def test_secret_of_another_account_is_refused():
    other = secret_for(b"server secret", "acc_b")
    with pytest.raises(WebhookVerificationError):
        Webhook(other).verify(BODY.decode(), headers_now())


def test_stamp_is_that_of_the_attempt_in_seconds():
    first = signed_headers(SECRET, delivery_id="m", body=BODY, now=5_999)
    second = signed_headers(SECRET, delivery_id="m", body=BODY, now=6_000)
    assert (first["webhook-timestamp"], second["webhook-timestamp"]) == ("5", "6")
    assert first["webhook-id"] == second["webhook-id"]


def test_body_may_be_any_bytes():
    assert signed_headers(SECRET, delivery_id="m", body="ü\0".encode() + b"\xff", now=0)


def test_secret_is_stable_per_account_and_32_bytes_of_standard_base64():
    assert secret_for(b"server secret", "acc_a") == SECRET
    assert secret_for(b"another", "acc_a") != SECRET
    prefix, _, text = SECRET.partition("_")
    assert prefix == "whsec"
    assert len(base64.b64decode(text, validate=True)) == 32
