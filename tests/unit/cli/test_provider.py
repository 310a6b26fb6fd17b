"""`portico provider`: credentials from the command line, and that no secret ever comes back."""

import asyncio
import io
import os
import re
import threading
from collections.abc import Iterator

import pytest

from portico import tasks
from portico.app import provider_builder
from portico.cli import doctor
from portico.core.clock import SystemClock
from portico.core.views import TaskState
from portico.credentials import BalanceRow, keep_balance
from portico.emulators.emulator import Emulator
from portico.emulators.faults import Fault, On
from portico.emulators.openai import OpenAiEmulator
from portico.providers.base import Credential
from portico.settings import load
from portico.store import Tx, open_store
from portico.tasks import RouteTaken, start_attempt
from portico.testing import START, add_account, admit, new_task
from tests.architecture.house import DOCS

SECRET = "sk-canary-7f3a91"
MODEL = """
[[models]]
id = "m"
title = "M"
kind = "text"
provider_label = "mine"
routes = [
  { provider = "openai_like", upstream_model = "gpt-4o" },
  { provider = "openai_like", upstream_model = "gpt-9" },
  { provider = "openai_like", upstream_model = "gpt-8", credential = "other" },
]
"""
URL = "https://upstream.example.com/v1"


@pytest.fixture
def emulator(monkeypatch) -> Iterator[Emulator]:
    """An upstream on a thread of its own: commands have their own event loop."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    running = OpenAiEmulator(key=SECRET)
    asyncio.run_coroutine_threadsafe(running.start(), loop).result(5)
    monkeypatch.setenv("PORTICO_PRIVATE_HOSTS", running.address)
    yield running
    asyncio.run_coroutine_threadsafe(running.stop(), loop).result(5)
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


@pytest.fixture(autouse=True)
def key_in_environment(monkeypatch):
    monkeypatch.setenv("UPSTREAM_KEY", SECRET)


@pytest.fixture
def add(portico):
    def run(name: str = "main", *other: str, base_url: str = URL):
        given = ("--provider", "openai_like", "--base-url", base_url)
        return portico("provider", "add", name, *given, "--secret-from-env", "UPSTREAM_KEY", *other)

    return run


def test_credential_is_added_listed_and_shown_without_its_secret(either, portico, add):
    added = add("main", "--option", "keeps_keys=1", "--region", "eu", "--attempts-max", "5")
    assert added.code == 0, added.err
    listed = portico("provider", "list")
    as_json = portico("provider", "list", "--json")
    shown = portico("provider", "show", "main", "--json")
    table = portico("provider", "show", "main")
    found = {each["name"]: each for each in as_json.result["providers"]}
    assert set(found) == {"local", "simulator", "main"}
    assert found["main"] | {"updated_at": 0, "created_at": 0} == {
        "name": "main",
        "provider": "openai_like",
        "built_in": False,
        "base_url": URL,
        "options": {"keeps_keys": "1"},
        "region": "eu",
        "attempts_max": 5,
        "starts_per_minute": None,
        "enabled": True,
        "upstream_models": None,
        "synced_at": None,
        "created_at": 0,
        "updated_at": 0,
        "problem": None,
        "models": found["main"]["models"],
        "balance": None,
        "balance_unit": None,
        "balance_read_at": None,
        "balance_low": None,
        "balance_is_low": False,
    }
    assert shown.result["open_attempts"] == 0
    assert "main" in listed.out
    assert "keeps_keys=1" in table.out
    for ran in (added, listed, as_json, shown, table):
        assert "canary" not in ran.out + ran.err
        assert "secret" not in ran.out.lower()


def test_balance_is_shown_beside_what_is_too_little(either, portico, add, tmp_path):
    add("main", "--balance-low", "20")
    settings = load({**os.environ})
    told = BalanceRow(credential="main", amount=12_500_000, unit="credits", read_at=START)

    async def write():
        store = await open_store(settings.database)
        await store.write(lambda tx: keep_balance(tx, told))
        await store.close()

    asyncio.run(write())
    shown = portico("provider", "show", "main", "--json").result

    assert (shown["balance"], shown["balance_unit"]) == ("12.5", "credits")
    assert (shown["balance_low"], shown["balance_is_low"]) == ("20", True)
    assert "12.5 credits (low)" in portico("provider", "list").out
    portico("provider", "update", "main", "--balance-low", "0")
    assert portico("provider", "show", "main", "--json").result["balance_low"] is None
    assert "12.5 credits" in portico("provider", "show", "main").out


def test_secret_can_come_from_stdin(portico, add, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{SECRET}\n"))
    given = ("--provider", "ark", "--base-url", URL, "--secret-stdin")
    assert portico("provider", "add", "main", *given).code == 0


def test_secret_is_asked_for_where_somebody_is(portico, monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr("sys.stdin", Terminal())
    monkeypatch.setattr("getpass.getpass", lambda _: SECRET)
    given = ("--provider", "ark", "--base-url", URL)
    ran = portico("provider", "add", "main", *given)
    assert (ran.code, "canary" in ran.out + ran.err) == (0, False)


def test_secret_cannot_stand_on_the_command_line(portico):
    given = ("--provider", "ark", "--base-url", URL, "--secret", SECRET)
    assert portico("provider", "add", "main", *given).code == 2


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("main", "--provider", "acme", "--base-url", URL), "no provider 'acme': it is one of"),
        (("local", "--provider", "ark", "--base-url", URL), "built in"),
        (("Main", "--provider", "ark", "--base-url", URL), "small letters"),
        (("main", "--provider", "ark", "--base-url", "http://x.example.com"), "https"),
        (("main", "--provider", "ark", "--base-url", "https://u:p@x.example.com"), "base URL"),
        (("main", "--provider", "ark", "--base-url", URL, "--option", "x"), "name=value"),
        (("main", "--provider", "ark", "--base-url", URL, "--secret-stdin"), "not both"),
        (("main", "--provider", "ark", "--base-url", URL, "--region", "E U"), "region"),
    ],
)
def test_credential_that_cannot_be_used_is_one_line(portico, arguments, words):
    ran = portico("provider", "add", *arguments, "--secret-from-env", "UPSTREAM_KEY")
    assert (ran.code, ran.err.count("\n")) == (1, 1)
    assert words in ran.err
    assert "canary" not in ran.err


@pytest.mark.parametrize(
    ("given", "words"),
    [(("--secret-from-env", "NOT_SET"), "NOT_SET is not set"), ((), "nobody can be asked")],
)
def test_missing_secret_is_one_line(portico, monkeypatch, given, words):
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    ran = portico("provider", "add", "main", "--provider", "ark", "--base-url", URL, *given)
    assert (ran.code, ran.err.count("\n")) == (1, 1)
    assert words in ran.err


def test_name_is_taken_once(portico, add):
    assert add().code == 0
    again = add()
    assert (again.code, again.err) == (1, "portico: There is a credential main already\n")


def test_credential_is_changed_disabled_enabled_and_removed(either, portico, add):
    add("main", "--option", "keeps_keys=1", "--per-minute", "9")
    changed = portico(
        "provider", "update", "main", "--base-url", f"{URL}/b", "--option", "", "--per-minute", "0",
        "--secret-from-env", "UPSTREAM_KEY", "--json",
    ).result  # fmt: skip
    assert (changed["base_url"], changed["options"]) == (f"{URL}/b", {})
    assert changed["starts_per_minute"] is None
    portico("provider", "disable", "main")
    assert "disabled" in portico("provider", "list").out
    portico("provider", "enable", "main")
    assert "disabled" not in portico("provider", "list").out
    assert portico("provider", "remove", "main").out == "Removed main.\n"
    assert portico("provider", "show", "main").code == 1


def test_update_without_a_change_says_so(portico, add):
    add()
    assert "nothing to change" in portico("provider", "update", "main").err


def test_unknown_name_is_one_line(portico, ann):
    for command in ("show", "test", "sync", "enable", "disable", "remove"):
        ran = portico("provider", command, "nobody")
        assert (ran.code, ran.err.count("\n")) == (1, 1)
        assert "portico provider list" in ran.err


def test_trial_tells_a_good_key_from_a_bad_one_and_from_nobody(portico, add, emulator, monkeypatch):
    add(base_url=emulator.base_url)
    assert portico("provider", "test", "main").out == "main: reachable, and takes our key\n"
    monkeypatch.setenv("UPSTREAM_KEY", f"{SECRET}-old")
    add("stale", base_url=emulator.base_url)
    refused = portico("provider", "test", "stale", "--json")
    assert (refused.code, refused.result["answer"]) == (1, "key refused")
    add("wrong", base_url=emulator.base_url.replace("/v1", "/v7"))
    assert portico("provider", "test", "wrong", "--json").result["answer"] != "reachable"
    assert emulator.begun == 0  # nothing that anybody would have to pay for
    monkeypatch.setenv("PORTICO_PRIVATE_HOSTS", f"{emulator.address},127.0.0.1:9")
    add("nobody", base_url="http://127.0.0.1:9")
    away = portico("provider", "test", "nobody", "--json")
    assert (away.code, away.result["answer"]) == (1, "not reachable")


def test_trial_of_a_provider_without_a_list_asks_for_a_job_that_never_was(portico, emulator):
    given = ("--provider", "ark", "--base-url", emulator.base_url)
    portico("provider", "add", "main", *given, "--secret-from-env", "UPSTREAM_KEY")
    assert portico("provider", "test", "main", "--json").result["answer"] == "reachable"
    (asked,) = emulator.requests
    assert asked.method == "GET"


def test_sync_compares_routes_with_what_the_upstream_has(
    portico, add, emulator, monkeypatch, tmp_path
):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "m.toml").write_text(MODEL)
    monkeypatch.setenv("PORTICO_CATALOGUE", str(tmp_path / "mine"))
    add(base_url=emulator.base_url)
    text = portico("provider", "sync", "main")
    assert "main has 4 models." in text.out
    assert "MISSING  gpt-9" in text.out
    result = portico("provider", "sync", "main", "--json").result
    assert "gpt-4o" in result["routes_present"]
    assert "gpt-9" in result["routes_absent"]
    assert "gpt-8" not in result["routes_absent"]  # that route names another credential
    shown = portico("provider", "show", "main", "--json").result
    assert "sora-2" in shown["upstream_models"]
    assert shown["synced_at"] is not None


def test_sync_of_an_upstream_that_cannot_be_asked_keeps_what_was_known(portico, add, emulator):
    add(base_url=emulator.base_url)
    portico("provider", "sync", "main")
    emulator.plans.add(Fault.BROKEN_BEFORE, on=On.LIST)
    ran = portico("provider", "sync", "main")
    assert (ran.code, ran.err.count("\n")) == (1, 1)
    assert "secret of an upstream" not in ran.err
    assert len(portico("provider", "show", "main", "--json").result["upstream_models"]) == 4


def test_sync_of_an_upstream_without_a_list_says_so(portico, emulator):
    given = ("--provider", "ark", "--base-url", emulator.base_url)
    portico("provider", "add", "main", *given, "--secret-from-env", "UPSTREAM_KEY")
    assert "keeps no list" in portico("provider", "sync", "main").err


def test_removal_is_refused_while_work_is_open(either, portico, add):
    add()

    def work(tx: Tx) -> None:
        caller = add_account(tx, amount=10**9)
        admit(tx, new_task(7, caller))
        route = RouteTaken("openai_like", "main", "m")
        start_attempt(tx, tasks.get(tx, 7), attempt_id="att_1", route=route, now=START)
        assert tasks.get(tx, 7).state is TaskState.SUBMITTING

    async def write() -> None:
        store = await open_store(load().database)
        await store.write(work)
        await store.close()

    asyncio.run(write())
    refused = portico("provider", "remove", "main")
    assert (refused.code, "--force" in refused.err) == (1, True)
    assert portico("provider", "remove", "main", "--force").code == 0


@pytest.fixture
def examined(portico, monkeypatch):
    """The line of doctor about credentials."""
    only = tuple(check for check in doctor.CHECKS if check[0] == "credentials")
    monkeypatch.setattr(doctor, "CHECKS", only)
    return lambda: portico("doctor")


def test_doctor_counts_credentials(examined, portico, add, data):
    assert "nothing to check" in examined().out
    assert not data.exists()
    add()
    add("other")
    portico("provider", "disable", "other")
    assert "2 stored, 1 enabled" in examined().out


def test_secret_of_another_installation_is_said_by_list_and_doctor(
    examined, portico, add, monkeypatch
):
    add()
    monkeypatch.setenv("PORTICO_SECRET_KEY", "another-secret-of-16-bytes")
    assert "unusable: its secret is sealed with another" in portico("provider", "list").out
    found = examined()
    assert found.code == 1
    assert "main: its secret is sealed with another PORTICO_SECRET_KEY" in found.out
    assert portico("provider", "test", "main").code == 1
    given = ("--secret-from-env", "UPSTREAM_KEY")
    assert portico("provider", "update", "main", *given).code == 0
    assert examined().code == 0


def test_base_urls_of_the_page_are_taken_by_their_providers():
    page = (DOCS / "providers.md").read_text("utf-8")
    rows = re.findall(r"^\| `(\w+)` \| (.*https.*?) \|", page, re.MULTILINE)
    build = provider_builder(load(), SystemClock())
    assert len(rows) > 5
    for name, cell in rows:
        for url in re.findall(r"`(https://[^`]+)`", cell):
            assert build(name, Credential(name="main", base_url=url, secret="a:b")).name == name
