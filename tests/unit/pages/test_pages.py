"""Start page, health, metrics, small files: what they answer, and what they never do."""

import re
from html.parser import HTMLParser
from types import SimpleNamespace

import pytest
from starlette.responses import Response
from starlette.testclient import TestClient

from portico import __version__
from portico.core.errors import ErrorCode, PorticoError
from portico.dialects import BUILDERS
from portico.dialects.endpoint import Rules
from portico.engines import Runner
from portico.pages import health, page_routes
from portico.pages.page import Page

URL = "https://gate.example.com/portico"
DIALECTS = [build(Rules()) for build in BUILDERS.values()]


class Parts:
    """The few parts of a gateway that pages look at; each can be broken."""

    def __init__(self) -> None:
        self.public_url = URL
        self.engine = SimpleNamespace(waiting=3)
        self.runner = Runner()
        self.store = self.storage = self.clock = self
        self.now_s = 0.0
        self.storage_checks = 0
        self.fails: set[str] = set()

    def monotonic(self) -> float:
        return self.now_s

    async def read(self, _work) -> int:
        if "database" in self.fails:
            raise PorticoError(ErrorCode.OVERLOADED, "a secret path")
        return 7

    async def check(self) -> None:
        self.storage_checks += 1
        if "storage" in self.fails:
            message = "a secret path"
            raise OSError(message)


@pytest.fixture
def parts():
    return Parts()


@pytest.fixture
def routes(parts):
    return page_routes(parts, DIALECTS)


@pytest.fixture
def client(routes):
    async def application(scope, receive, send) -> None:
        await routes[scope["path"]](scope, receive, send)

    return TestClient(application, raise_server_exceptions=False)


def test_health_names_the_version(client):
    answer = client.get("/healthz")
    assert answer.json() == {"status": "ok", "version": __version__}
    assert answer.headers["cache-control"] == "no-store"


def test_ready_when_database_and_storage_work(client):
    assert client.get("/readyz").json() == {"status": "ready"}


@pytest.mark.parametrize("broken", [{"database"}, {"storage"}, {"database", "storage"}])
def test_not_ready_names_what_fails_and_nothing_else(client, parts, broken):
    parts.fails = broken
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json() == {"status": "not ready", "failing": sorted(broken)}


def test_storage_is_looked_at_now_and_then_only(client, parts):
    for _ in range(3):
        client.get("/readyz")
    assert parts.storage_checks == 1
    parts.now_s += health.STORAGE_CHECKED_EVERY_S
    parts.fails = {"storage"}
    assert client.get("/readyz").status_code == 503
    assert parts.storage_checks == 2


def test_storage_that_hangs_is_not_ready(client, parts, monkeypatch):
    import asyncio

    monkeypatch.setattr(health, "CHECK_WITHIN_S", 0.05)
    monkeypatch.setattr(parts, "check", lambda: asyncio.sleep(30))
    assert client.get("/readyz").json()["failing"] == ["storage"]


def test_metrics_count_open_tasks(client):
    answer = client.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain")
    assert "\nportico_open_tasks 3.0\n" in answer.text
    assert '\nportico_tasks_waiting{queue="render"} 7.0\n' in answer.text
    assert f'portico_version_info{{version="{__version__}"}} 1.0' in answer.text


def test_metrics_are_told_while_the_database_is_away(client, parts):
    parts.fails = {"database"}
    assert "\nportico_open_tasks 3.0\n" in client.get("/metrics").text


def test_process_that_stops_is_not_ready(client, parts):
    parts.runner.is_leaving = True
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json()["failing"]) == (503, ["stopping"])
    assert client.get("/healthz").status_code == 200


def test_page_answers_reads_only(client, routes):
    for path in routes:
        answer = client.post(path)
        assert answer.status_code == 405, path
        assert answer.headers["allow"] == "GET, HEAD"
        assert answer.json()["error"]["code"] == "method_not_allowed"


def test_every_page_carries_the_safe_headers(client, routes):
    for path in routes:
        headers = client.get(path).headers
        assert "default-src 'none'" in headers["content-security-policy"], path
        assert "unsafe" not in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"


def test_page_that_breaks_answers_without_a_trace():
    async def broken(_: object) -> Response:
        message = "a secret path"
        raise RuntimeError(message)

    answer = TestClient(Page(broken), raise_server_exceptions=False).get("/")
    assert answer.status_code == 500
    assert answer.json()["error"]["code"] == "internal"
    assert "secret" not in answer.text


def test_robots_are_told_to_stay_away(client):
    assert "Disallow: /" in client.get("/robots.txt").text


def test_documentation_is_readable_text(client, routes):
    assert {"/docs/quickstart.md", "/docs/dialects.md", "/docs/operations.md"} <= set(routes)
    answer = client.get("/docs/quickstart.md")
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert answer.text.startswith("# Quickstart")


class Found(HTMLParser):
    """What a page is made of, as far as the tests below care."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.commands: list[str] = []
        self._in_command = False
        self.feed(text)

    def handle_starttag(self, tag, attrs) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag == "pre":
            self._in_command = True
            self.commands.append("")

    def handle_endtag(self, tag) -> None:
        if tag == "pre":
            self._in_command = False

    def handle_data(self, data) -> None:
        if self._in_command:
            self.commands[-1] += data

    def of(self, tag: str) -> list[dict[str, str | None]]:
        return [attrs for name, attrs in self.tags if name == tag]


@pytest.fixture
def start(client):
    answer = client.get("/")
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    return Found(answer.text)


def test_start_page_has_a_first_call_for_every_dialect(start):
    assert len(start.of("article")) == len(DIALECTS)
    calls = [command for command in start.commands if command.startswith("curl ")]
    assert len(calls) == len(DIALECTS)
    assert all(f" {URL}/" in call for call in calls)
    assert all('"Authorization: Bearer $KEY"' in call for call in calls)


def test_first_calls_are_sound_shell(start):
    import shlex

    for command in start.commands:
        assert shlex.split(command)


def test_first_calls_send_sound_json(start):
    import json
    import shlex

    for command in start.commands:
        words = shlex.split(command)
        if "-d" in words:
            assert json.loads(words[words.index("-d") + 1])


def test_dialect_that_is_not_served_is_not_shown(parts):
    async def application(scope, receive, send) -> None:
        await page_routes(parts, DIALECTS[:1])["/"](scope, receive, send)

    assert len(Found(TestClient(application).get("/").text).of("article")) == 1


def test_every_link_of_the_start_page_leads_to_a_page(start, routes):
    links = [attrs["href"] for attrs in start.of("a") + start.of("link")]
    links += [attrs["src"] for attrs in start.of("script") + start.of("img")]
    paths = ["/" + str(link).partition("?")[0] for link in links if not str(link).startswith("#")]
    assert [path for path in paths if path not in routes] == []
    assert not any(str(link).startswith(("/", "http")) for link in links)  # works below a prefix


def test_start_page_can_be_found_around_in(start):
    assert start.of("html")[0]["lang"] == "en"
    assert [len(start.of(tag)) for tag in ("header", "main", "nav", "footer", "h1", "title")] == [
        1
    ] * 6
    ids = [attrs["id"] for _, attrs in start.tags if "id" in attrs]
    assert len(ids) == len(set(ids))
    named = [attrs["aria-labelledby"] for _, attrs in start.tags if "aria-labelledby" in attrs]
    assert set(named) <= set(ids)
    skip = start.of("a")[0]
    assert (skip["class"], skip["href"]) == ("skip", "#calls")


def test_start_page_has_nothing_inline(start):
    assert [tag for tag, attrs in start.tags if "style" in attrs] == []
    assert [attrs for _, attrs in start.tags if any(name.startswith("on") for name in attrs)] == []
    assert all("src" in attrs for attrs in start.of("script"))
    assert start.of("style") == []


def test_address_is_shown_as_text(parts):
    parts.public_url = "https://x/<script>alert(1)</script>"

    async def application(scope, receive, send) -> None:
        await page_routes(parts, DIALECTS)["/"](scope, receive, send)

    assert "<script>alert" not in TestClient(application).get("/").text


def test_static_files_are_kept_for_ever_under_their_version(client, start):
    for link in (attrs["href"] for attrs in start.of("link")):
        assert re.search(r"\?v=[0-9a-f]{12}$", str(link))
        answer = client.get(f"/{link}")
        assert "immutable" in answer.headers["cache-control"]


def test_pages_stay_small(client):
    assert len(client.get("/static/portico.css").content) < 6_000
    assert len(client.get("/static/copy.js").content) < 2_000
    assert len(client.get("/").content) < 10_000


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_colours_have_enough_contrast(client, scheme):
    css = client.get("/static/portico.css").text
    blocks = re.findall(r":root \{(.*?)\}", css, flags=re.DOTALL)
    colour = dict(re.findall(r"--(\w+): (#[0-9a-f]{6});", blocks[scheme == "dark"]))
    pairs = [("ink", "ground"), ("ink", "sheet"), ("ink", "code"), ("quiet", "ground")]
    pairs += [("quiet", "sheet"), ("accent", "ground"), ("accent", "sheet")]
    weak = [pair for pair in pairs if contrast(colour[pair[0]], colour[pair[1]]) < 4.5]
    assert weak == []


def contrast(one: str, other: str) -> float:
    """Return the contrast of two colours as WCAG 2 counts it."""
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def luminance(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
