"""The demo account: made once, its key kept, made anew when it no longer works."""

import shlex
import stat

import pytest

from portico.app import open_desk
from portico.cli import demo
from portico.flows import administer
from portico.settings import Settings, load


@pytest.fixture
async def desk(data, either):
    data.mkdir(mode=0o700)  # as a server has by then
    opened = await open_desk(load(data=str(data)))
    yield opened
    await opened.store.close()


async def test_first_start_makes_account_and_key(desk, data):
    key = await demo.ensure_account(desk, data)
    assert (data / "demo-key").read_text() == f"{key}\n"
    assert stat.S_IMODE((data / "demo-key").stat().st_mode) == 0o600
    assert await demo.available(desk) == "1000"


async def test_later_start_finds_the_same_key_and_gives_nothing(desk, data):
    first = await demo.ensure_account(desk, data)
    assert await demo.ensure_account(desk, data) == first
    sheet = await administer.show_account(desk, demo.EMAIL)
    assert (len(sheet.keys), sheet.balance.available) == (1, demo.AMOUNT)


@pytest.mark.parametrize("content", ["", "sk-something-else", "\xff"])
async def test_lost_key_is_made_anew(desk, data, content):
    first = await demo.ensure_account(desk, data)
    (data / "demo-key").write_text(content, encoding="latin-1")
    second = await demo.ensure_account(desk, data)
    assert second not in {first, content}
    assert demo.kept_key(data) == second


async def test_revoked_key_is_made_anew(desk, data):
    first = await demo.ensure_account(desk, data)
    await administer.revoke_key(desk, first)
    assert await demo.ensure_account(desk, data) != first


@pytest.mark.parametrize(
    ("host", "inside"),
    [
        ("127.0.0.1", True),
        ("127.0.0.2", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),
        ("::", False),
        ("", False),
        ("192.168.1.5", False),
        ("localhost.example.com", False),
    ],
)
def test_loopback_is_known(host, inside):
    assert demo.is_loopback(host) is inside


def test_banner_has_one_line_to_paste(monkeypatch):
    monkeypatch.setattr("sys.argv", [".venv/bin/portico", "serve", "--demo"])
    text = demo.banner(Settings(), key="sk-1", credits_left="1000")
    (line,) = [line for line in text.splitlines() if line.startswith("curl ")]
    assert shlex.split(line)[-1] == "http://127.0.0.1:8080/portico/v1/generate"
    assert ".venv/bin/portico generate 'a sailing boat" in text
    assert "--url" not in text
    assert text.isascii()


def test_banner_names_what_differs_from_the_defaults(monkeypatch):
    monkeypatch.setattr("sys.argv", ["pytest"])
    settings = Settings(port=9_000, data="my data")
    text = demo.banner(settings, key="sk-1", credits_left="1000")
    assert "portico generate" in text
    assert "--url http://127.0.0.1:9000 --data 'my data'" in text
