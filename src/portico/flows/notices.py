"""Notices: what upstreams say by themselves. Each is a hint to ask about one job, no more (T4).

A notice comes to a URL of its own for every attempt. Its token names the attempt and the
credential and carries 16 bytes of HMAC-SHA-256 under the credential's callback secret, so that a
token is checked without a look at any table, and is void once its credential was removed.
"""

import base64
import hashlib
import hmac
import re
from collections import OrderedDict
from collections.abc import Mapping

import msgspec

from portico import tasks
from portico.core.ids import TaskId
from portico.flows import signals
from portico.flows.gateway import Gateway
from portico.providers.base import CallbackReader, CallbackReplier
from portico.store import Tx
from portico.tasks import Attempt, Task

PATH = "/hooks"
TOKEN_LENGTH_MAX = 200
NOTICES_MAX = 50  # that are listened to, of one attempt
ATTEMPTS_MAX = 10_000  # whose notices are remembered
_PURPOSE = b"portico notice, version 1"
_MAC_BYTES = 16
_TOKEN = re.compile(r"[A-Za-z0-9_-]+")


class Sender(msgspec.Struct, frozen=True):
    """Who is allowed to speak under a token: an upstream, of one attempt."""

    attempt_id: str
    credential: str
    reader: CallbackReader


def callback_url(gateway: Gateway, credential: str, attempt_id: str) -> str | None:
    """Return where an upstream may give notice of an attempt; None where it cannot.

    It cannot where it does not reach us, has no notices, or is no upstream at all.
    """
    known = _reader(gateway, credential)
    if known is None or not gateway.limits.is_reachable:
        return None
    name = f"{attempt_id}.{credential}".encode()
    raw = _mac(known[1], name) + name
    return f"{gateway.public_url}{PATH}/{base64.urlsafe_b64encode(raw).decode().rstrip('=')}"


class Notices:
    """Takes notices of one process, whoever runs their tasks.

    Args:
        gateway: whose upstreams speak.
    """

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._heard: OrderedDict[str, _Heard] = OrderedDict()  # by attempt

    def sender(self, token: str) -> Sender | None:
        """Return who speaks under a token; None for one that we did not give out, or not now."""
        raw = _decoded(token)
        mac, name = raw[:_MAC_BYTES], raw[_MAC_BYTES:]
        attempt_id, _, credential = name.decode("ascii", "replace").partition(".")
        known = _reader(self._gateway, credential)
        if known is None or not hmac.compare_digest(mac, _mac(known[1], name)):
            return None
        return Sender(attempt_id, credential, known[0])

    def reply(self, sender: Sender, body: bytes) -> Mapping[str, str] | None:
        """Return what an upstream wants to be told in answer to this; None: nothing."""
        reader = sender.reader
        return reader.reply_to_callback(body) if isinstance(reader, CallbackReplier) else None

    async def take(self, sender: Sender, body: bytes) -> bool:
        """Have a task looked at now, if a notice names its job; False: it was worth nothing.

        A notice that came before is worth nothing: what it says was looked at.
        """
        hint = sender.reader.parse_callback(body)
        heard, digest = self._heard_of(sender.attempt_id), hashlib.sha256(body).digest()
        if hint is None or digest in heard.digests or heard.count >= NOTICES_MAX:
            return False
        heard.count += 1

        def look(tx: Tx) -> tuple[Attempt, Task] | None:
            attempt = tasks.find_attempt(tx, sender.attempt_id)
            return None if attempt is None else (attempt, tasks.get(tx, attempt.task_id))

        found = await self._gateway.store.read(look)
        if found is None:
            return False
        attempt, task = found
        if attempt.credential != sender.credential or task.is_final or not _is_of(attempt, hint):
            return False
        heard.digests.add(digest)
        await self._nudge(task.id, task.runner)
        return True

    def _heard_of(self, attempt_id: str) -> "_Heard":
        heard = self._heard.setdefault(attempt_id, _Heard())
        self._heard.move_to_end(attempt_id)
        if len(self._heard) > ATTEMPTS_MAX:
            self._heard.popitem(last=False)
        return heard

    async def _nudge(self, task_id: TaskId, runner: str | None) -> None:
        """Tell whoever runs a task, over the database where that is another process."""
        if runner == self._gateway.runner.id:
            self._gateway.live.trust.noticed(task_id)
            self._gateway.engine.nudge(task_id)
        elif runner is not None:
            await self._gateway.store.write(lambda tx: tx.announce(signals.noticed(task_id)))


class _Heard(msgspec.Struct):
    """What was heard of one attempt: how much was looked into, and what of it was of use."""

    count: int = 0
    digests: set[bytes] = msgspec.field(default_factory=set)


def _is_of(attempt: Attempt, hint: str) -> bool:
    """Whether a notice speaks of an attempt's job; ours may say before it where it was begun."""
    known = attempt.upstream_id or ""
    return known == hint or known.endswith(f":{hint}")


def _reader(gateway: Gateway, credential: str) -> tuple[CallbackReader, str] | None:
    """Return who reads a credential's notices, and its callback secret."""
    one = gateway.providers.get(credential)
    provider: object = None if one is None else one.tasks
    if one is None or not one.callback_secret or not isinstance(provider, CallbackReader):
        return None
    return provider, one.callback_secret


def _decoded(token: str) -> bytes:
    if len(token) > TOKEN_LENGTH_MAX or not _TOKEN.fullmatch(token):
        return b""
    try:
        return base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
    except ValueError:
        return b""


def _mac(callback_secret: str, name: bytes) -> bytes:
    key = hmac.digest(callback_secret.encode(), _PURPOSE, "sha256")
    return hmac.digest(key, name, "sha256")[:_MAC_BYTES]
