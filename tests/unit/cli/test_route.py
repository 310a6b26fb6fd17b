"""`portico route explain`: where a request would go, for people and for programs."""

import asyncio

import pytest

from portico.app import open_desk
from portico.core.clock import SystemClock
from portico.core.upstreams import Trouble
from portico.routes import Pause
from portico.routes import service as routes
from portico.settings import load


def explained(portico, *args: str):
    return portico("route", "explain", *args, "--json").result


def test_stand_in_is_named_while_nothing_is_connected(portico):
    found = explained(portico, "seedance-2.0")

    assert found["goes_to"] == ["local"]
    reasons = {each["provider"]: each["reason"] for each in found["candidates"]}
    assert reasons["local"] == "it can serve this and is free"
    assert "no credential" in reasons["ark"]


def test_people_read_one_sentence_and_a_table(portico):
    out = portico("route", "explain", "portico-scene").out
    assert out.startswith("This request would go to local, because it is the only route")
    assert "CREDENTIAL" in out


def test_name_of_a_dialect_leads_to_its_model(portico):
    found = explained(portico, "openai/gpt-4o", "--dialect", "xpilot")
    assert found["model"] == "gpt-4o"


def test_unknown_model_is_one_line(portico):
    ran = portico("route", "explain", "nothing")
    assert (ran.code, ran.err.count("\n")) == (1, 1)


def test_simulated_installation_goes_to_the_simulator(portico, monkeypatch):
    monkeypatch.setenv("PORTICO_SIMULATE", "1")
    found = explained(portico, "seedance-2.0", "--class", "official")
    assert found["goes_to"] == ["simulator"]


def test_pauses_are_read_from_the_database(portico, tmp_path):
    now = SystemClock().now()
    pause = Pause(credential="local", model="", until=now + 600_000, opens=1, reason=Trouble.CREDIT)

    async def write():
        desk = await open_desk(load({}, data=str(tmp_path)))
        await desk.store.write(lambda tx: routes.pause(tx, pause, now=now))
        await desk.store.close()

    asyncio.run(write())

    found = explained(portico, "portico-scene", "--data", str(tmp_path))

    assert found["goes_to"] == []
    assert "paused" in found["because"]
    assert "credit" in found["candidates"][0]["reason"]


@pytest.fixture
def known_costs(tmp_path, monkeypatch):
    folder = tmp_path / "catalogue"
    folder.mkdir()
    table = '[costs."ark/doubao-seedance-2-0-260128"]\nrule = "per_second"\namount = "2.5"\n'
    chats = '[costs."openai_like/gpt-4o"]\nrule = "per_llm_token"\noutput = "1000"\n'
    (folder / "costs.toml").write_text(table + chats)
    monkeypatch.setenv("PORTICO_CATALOGUE", str(folder))


def cost_at(found, provider):
    return {each["provider"]: each["cost"] for each in found["candidates"]}[provider]


def test_cost_is_that_of_the_job_that_is_asked_for(portico, known_costs):
    usual = cost_at(explained(portico, "seedance-2.0"), "ark")
    longer = cost_at(explained(portico, "seedance-2.0", "--param", "duration=12"), "ark")
    assert (usual % 2_500_000, longer) == (0, 30_000_000)
    assert usual < longer
    assert cost_at(explained(portico, "gpt-4o"), "openai_like") == 1_000_000
    assert "30" in portico("route", "explain", "seedance-2.0", "-p", "duration=12").out


@pytest.mark.parametrize(
    ("model", "param"),
    [
        ("seedance-2.0", "colour=red"),
        ("seedance-2.0", "duration"),
        ("seedance-2.0", "duration=x"),
        ("gpt-4o", "duration=5"),
    ],
)
def test_job_that_cannot_be_asked_for_is_one_line(portico, model, param):
    ran = portico("route", "explain", model, "--param", param)
    assert (ran.code, ran.err.count("\n")) == (1, 1)
