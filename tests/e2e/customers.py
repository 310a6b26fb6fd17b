"""Customers of every dialect, who ask on and on and remember what was promised to them."""

import contextlib
import random
import threading
import time
import uuid
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import requests

from tests.hostile.shapes import check_error

PAUSE_S = (0.8, 2.0)  # between two wishes of one customer
AGAIN_S = 0.4
ANSWERED_WITHIN_S = 60.0
BY_KEY = -1
TRIES_MAX = 80  # of one wish; then it is given up, and nothing was promised
PICTURE = "PICTURE"  # in a body: the address of one
_MESSAGES = [{"role": "user", "content": "Hello"}]


@dataclass(frozen=True, slots=True)
class Wish:
    """One way to ask for something, in the words of one dialect."""

    dialect: str
    path: str
    body: dict[str, Any]
    where: tuple[str, ...] = ()  # the task's id in the answer; empty: in a header
    read: str = ""  # where its state is read
    waits: bool = False  # the answer comes when it is done

    @property
    def is_text(self) -> bool:
        return "messages" in self.body or "text/" in self.path

    @property
    def streams(self) -> bool:
        return bool(self.body.get("stream"))


@dataclass(frozen=True, slots=True)
class Promise:
    """A task that a customer was told of."""

    wish: Wish
    key: str  # the Idempotency-Key, which is in the prompt as well
    task_id: int  # BY_KEY: the answer does not say


@dataclass(frozen=True, slots=True)
class Refusal:
    """An answer that says to come back later, in the dialect's own shape."""

    wish: Wish
    status: int
    began_s: float  # monotonic
    took_s: float
    is_read: bool = False


_XIAOYANG = {"modal_key": "img2vid_v30", "option_key": "5_off", "image_url": PICTURE}
_SEA = {"mode": "text-to-video"}
WISHES = (
    Wish("xiaoyang", "/api/v1/tasks", _XIAOYANG, ("task_id",), "/api/v1/tasks/{}"),
    Wish(
        "xiaoyang",  # in two stages
        "/api/v1/tasks",
        _XIAOYANG | {"enhance_4k": True},
        ("task_id",),
        "/api/v1/tasks/{}",
    ),
    Wish(
        "xpilot",
        "/api/v1/video/generate",
        {"model": "seedance-2.0/text-to-video", "duration": 4},
        ("task_id",),
        "/api/v1/video/{}",
    ),
    Wish(
        "xpilot",
        "/api/v1/image/generate",
        {"model": "bytedance/seedream-4.5"},
        ("task_id",),
        "/api/v1/image/{}",
        waits=True,
    ),
    Wish("xpilot", "/api/v1/text/generate", {}, waits=True),
    Wish(
        "apixo",
        "/api/v1/generateTask/wan-2-5",
        {"request_type": "async", "input": _SEA},
        ("data", "taskId"),
        "/api/v1/statusTask/wan-2-5?taskId={}",
    ),
    Wish(
        "yuanjing",
        "/llmage/video",
        {"llmid": "o5vfXYD5BURJWRTWpopE5"},
        ("taskid",),
        "/llmage/tasks?taskid={}",
    ),
    Wish(
        "yuanjing",
        "/llmage/v1/chat/completions",
        {"model": "qwen3-max", "messages": _MESSAGES},
        ("id",),
        waits=True,
    ),
    Wish("openai", "/v1/images/generations", {"model": "portico/picture"}, waits=True),
    Wish("openai", "/v1/videos", {"model": "portico/scene"}, ("id",), "/v1/videos/{}"),
    Wish(
        "openai",
        "/v1/chat/completions",
        {"model": "gpt-4o", "messages": _MESSAGES, "stream": True},
        ("id",),
        waits=True,
    ),
    Wish("portico", "/portico/v1/tasks", {}, ("task", "id"), "/portico/v1/tasks/{}"),
)


@dataclass(slots=True)
class Customers:
    """One thread for each wish; each asks at any of the addresses, and again until it is told."""

    urls: Sequence[str]
    key: str
    picture: str
    pause_s: tuple[float, float] = PAUSE_S
    promises: list[Promise] = field(default_factory=list)
    answers: Counter[str] = field(default_factory=Counter)
    surprises: list[str] = field(default_factory=list)  # what no customer may ever see
    refusals: list[Refusal] = field(default_factory=list)
    stopping: threading.Event = field(default_factory=threading.Event)

    @property
    def slowest_refusal_s(self) -> float:
        """The longest anybody waited for an error, but for those who wait for an end."""
        return max((each.took_s for each in self.refusals if not each.wish.waits), default=0.0)

    @contextlib.contextmanager
    def asking(self) -> Iterator[None]:
        threads = [threading.Thread(target=self._live, args=(each,)) for each in WISHES]
        dialects = {each.dialect for each in WISHES}
        threads += [threading.Thread(target=self._read, args=(each,)) for each in dialects]
        for each in threads:
            each.start()
        try:
            yield
        finally:
            self.stopping.set()
            for each in threads:
                each.join(90)

    def _live(self, wish: Wish) -> None:
        with requests.Session() as session:
            while not self.stopping.is_set():
                try:
                    self._ask(session, wish)
                except Exception as error:  # noqa: BLE001 - told at the end, where it fails the test
                    self.surprises.append(f"{wish.dialect} {wish.path}: {error!r}")
                self.stopping.wait(random.uniform(*self.pause_s))  # noqa: S311

    def _ask(self, session: requests.Session, wish: Wish) -> None:
        key = uuid.uuid4().hex
        for _ in range(TRIES_MAX):
            task_id = self._try(session, wish, key)
            if task_id is not None:
                if task_id:
                    self.promises.append(Promise(wish, key, task_id))
                return
            if self.stopping.wait(AGAIN_S):
                return

    def _try(self, session: requests.Session, wish: Wish, key: str) -> int | None:
        """Ask once; None: ask again, 0: give it up."""
        began_s = time.monotonic()
        try:
            answer = session.post(
                random.choice(self.urls) + wish.path,  # noqa: S311
                json=worded(wish.body, key, self.picture),
                headers={"Authorization": f"Bearer {self.key}", "Idempotency-Key": key},
                stream=wish.streams,
                timeout=ANSWERED_WITHIN_S,
            )
            if answer.status_code in {200, 202}:
                task_id = _whole_stream(answer) if wish.streams else _id_in(answer, wish)
                self.answers["promised" if task_id else "broken stream"] += 1
                return task_id
            body = answer.content
        except requests.RequestException as error:
            self._note(error)
            return None
        took_s = time.monotonic() - began_s
        self.answers[str(answer.status_code)] += 1
        check_error(wish.dialect, answer.status_code, answer.headers, body)
        self.refusals.append(Refusal(wish, answer.status_code, began_s, took_s))
        if wish.waits and ("Generation failed" in answer.text or "Interrupted" in answer.text):
            return 0
        if answer.status_code < 500 and not (wish.is_text and answer.status_code == 409):
            self.surprises.append(f"{wish.path}: {answer.status_code} {answer.text}")
            return 0
        return None

    def _read(self, dialect: str) -> None:
        """Read what was promised in a dialect, at any address: it must be there."""
        with requests.Session() as session:
            while not self.stopping.wait(random.uniform(*self.pause_s)):  # noqa: S311
                made = [
                    each
                    for each in tuple(self.promises)
                    if each.wish.dialect == dialect and each.wish.read
                ]
                if not made:
                    continue
                try:
                    self._look(session, random.choice(made[-20:]))  # noqa: S311
                except requests.RequestException as error:
                    self._note(error)
                except Exception as error:  # noqa: BLE001 - told at the end
                    self.surprises.append(f"{dialect}: {error!r}")

    def _look(self, session: requests.Session, promise: Promise) -> None:
        wish, began_s = promise.wish, time.monotonic()
        answer = session.get(
            random.choice(self.urls) + wish.read.format(promise.task_id),  # noqa: S311
            headers={"Authorization": f"Bearer {self.key}"},
            timeout=ANSWERED_WITHIN_S,
        )
        took_s = time.monotonic() - began_s
        self.answers[f"read {answer.status_code}"] += 1
        if answer.status_code == requests.codes.ok:
            return
        check_error(wish.dialect, answer.status_code, answer.headers, answer.content)
        self.refusals.append(Refusal(wish, answer.status_code, began_s, took_s, is_read=True))
        if answer.status_code < 500:
            self.surprises.append(f"{wish.read}: {answer.status_code} {answer.text}")

    def _note(self, error: requests.RequestException) -> None:
        """Count a broken connection: its process was killed; a silence nobody may ever hear."""
        self.answers[type(error).__name__] += 1
        if isinstance(error, requests.Timeout):
            self.surprises.append(f"no answer within {ANSWERED_WITHIN_S} seconds")


def worded(body: dict[str, Any], key: str, picture: str) -> dict[str, Any]:
    """Fill in a prompt that names its wish, so that a second task for it would be seen."""
    filled: dict[str, Any] = {
        name: picture if value == PICTURE else value for name, value in body.items()
    }
    if "messages" in body:
        return filled
    if "input" in body:
        return filled | {"input": body["input"] | {"prompt": f"the sea, {key}"}}
    return filled | {"prompt": f"the sea, {key}"}


def _id_in(answer: requests.Response, wish: Wish) -> int:
    if not wish.where:
        return int(answer.headers.get("x-portico-task", BY_KEY))
    found: Any = answer.json()
    for name in wish.where:
        found = found[name]
    return _number(str(found))


def _whole_stream(answer: requests.Response) -> int | None:
    """Read a stream to its end; returns the task's id, None when it was cut."""
    lines = [line for line in answer.iter_lines() if line]
    if not lines or lines[-1] != b"data: [DONE]":
        return None
    first = lines[0].decode()
    return _number(first.partition('"id":"')[2].partition('"')[0])


def _number(text: str) -> int:
    return int(text.rpartition("_")[2].rpartition("-")[2])
