"""What can be made, who makes it, and what is wrong with an installation."""

import asyncio
import socket

import pytest

from portico.cli import doctor, health_checks
from portico.cli.health_checks import Finding
from portico.dialects import BUILDERS
from portico.settings import load
from tests.raw_sql import raw_sql


@pytest.mark.parametrize("dialect", BUILDERS)
def test_every_model_of_every_dialect_has_a_price(portico, dialect):
    models = portico("models", "--dialect", dialect, "--json").result["models"]
    assert models
    assert [model for model in models if model["price"].startswith("-")] == []


def test_models_are_filtered_by_kind(portico):
    models = portico("models", "--kind", "video", "--json").result["models"]
    assert {model["kind"] for model in models} == {"video"}


def test_table_of_models_names_the_price_of_the_defaults(portico):
    line = next(
        line for line in portico("models").out.splitlines() if line.startswith("portico/scene ")
    )
    assert "5 (5 s at 1 per second)" in line


def test_unknown_dialect_is_answered_with_those_there_are(portico):
    ran = portico("models", "--dialect", "klingon")
    assert (ran.code, ran.err.count("\n")) == (1, 1)
    assert "xpilot" in ran.err


def test_faulty_catalogue_of_the_operator_is_one_line(portico, monkeypatch, tmp_path):
    (tmp_path / "mine.toml").write_text("[[models]]\nid = 5\n")
    monkeypatch.setenv("PORTICO_CATALOGUE", str(tmp_path))
    ran = portico("models")
    assert (ran.code, ran.err.count("\n")) == (1, 1)
    assert "mine.toml" in ran.err


def test_route_to_a_provider_that_does_not_exist_is_one_line(portico, monkeypatch, tmp_path):
    (tmp_path / "mine.toml").write_text(
        '[[models]]\nid = "m"\ntitle = "M"\nkind = "video"\nprovider_label = "m"\n'
        'routes = [{ provider = "nobody", upstream_model = "x" }]\n'
    )
    monkeypatch.setenv("PORTICO_CATALOGUE", str(tmp_path))
    ran = portico("models")
    assert (ran.code, ran.err.count("\n")) == (1, 1)
    assert "models m: routes.provider: there is no provider nobody" in ran.err


def test_providers_are_listed_with_their_models(portico):
    found = {
        each["name"]: each for each in portico("provider", "list", "--json").result["providers"]
    }
    assert found["local"]["models"] > found["simulator"]["models"] == 0


def test_simulated_installation_sends_every_model_to_the_simulator(portico, monkeypatch):
    monkeypatch.setenv("PORTICO_SIMULATE", "1")
    found = {
        each["name"]: each for each in portico("provider", "list", "--json").result["providers"]
    }
    assert found["simulator"]["models"] > found["local"]["models"] == 0


def test_simulation_nobody_can_read_is_one_line(portico, monkeypatch):
    monkeypatch.setenv("PORTICO_SIMULATE", "chaos=1")
    ran = portico("provider", "list")
    assert (ran.code, ran.err) == (1, "portico: PORTICO_SIMULATE cannot read 'chaos=1'\n")


@pytest.fixture
def free_port(monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    monkeypatch.setenv("PORTICO_PORT", str(port))
    return port


@pytest.fixture
def undrawn(monkeypatch):
    """Leave out the render child: it takes a second, and one test is enough for it."""
    kept = tuple(check for check in doctor.CHECKS if check[0] != "renderer")
    monkeypatch.setattr(doctor, "CHECKS", kept)


def test_doctor_finds_a_new_installation_sound_and_makes_nothing(portico, data, free_port):
    ran = portico("doctor", "--json")
    assert ran.result["sound"], ran.out
    assert {check["check"] for check in ran.result["checks"]} >= {"renderer", "ledger", "storage"}
    assert not data.exists()


def test_doctor_finds_files_that_others_may_read(portico, ann, data, free_port, undrawn):
    (data / "portico.db").chmod(0o644)
    ran = portico("doctor")
    assert ran.code == 1
    assert "others may read: portico.db" in ran.out
    assert "chmod" in ran.out


def test_doctor_finds_a_port_that_is_taken(portico, undrawn, monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as other:
        monkeypatch.setenv("PORTICO_PORT", str(other.getsockname()[1]))
        ran = portico("doctor", "--json")
    (found,) = [check for check in ran.result["checks"] if check["check"] == "port"]
    assert (ran.code, found["good"], "PORTICO_PORT" in found["advice"]) == (1, False, True)


def test_doctor_finds_a_sound_installation_sound(either, portico, ann, free_port, undrawn):
    assert portico("doctor", "--json").result["sound"]


def test_doctor_finds_a_database_of_another_revision(
    kind, request, portico, data, free_port, undrawn, monkeypatch
):
    if kind == "postgres":  # one of its own: the others go on with theirs
        server = request.getfixturevalue("postgres")
        monkeypatch.setenv("PORTICO_DATABASE_URL", server.fresh())
    portico("migrate")

    async def tamper():
        async with raw_sql(load().database) as sql:
            await sql.execute("UPDATE alembic_version SET version_num = '0000'")

    asyncio.run(tamper())
    ran = portico("doctor")
    assert ran.code == 1
    assert "portico migrate" in ran.out


def test_doctor_finds_a_bucket_that_is_away(portico, frail_bucket, free_port, undrawn, monkeypatch):
    monkeypatch.setenv("PORTICO_STORAGE_URL", frail_bucket.url)
    assert "ok     storage      s3: can be written" in portico("doctor").out
    frail_bucket.server.stop()
    found = portico("doctor")
    assert found.code == 1
    assert "WRONG  storage      s3: cannot be written: no connection\n" in found.out
    frail_bucket.server.start()
    assert "s3: cannot be written: NoSuchBucket\n" in portico("doctor").out


def test_doctor_finds_a_store_of_rates_that_is_away(
    portico, valkey, free_port, undrawn, monkeypatch
):
    monkeypatch.setenv("PORTICO_LIMITS_URL", valkey.url.replace("://", "://:hush@"))
    valkey.stop()
    found = portico("doctor")
    assert found.code == 1
    assert "WRONG  rates        the store cannot count: ConnectionError" in found.out
    assert "hush" not in found.out + found.err
    monkeypatch.setenv("PORTICO_LIMITS_URL", valkey.url)
    valkey.start()
    assert "ok     rates        valkey: can count" in portico("doctor").out


def test_doctor_goes_on_after_a_check_that_breaks(portico, free_port, undrawn, monkeypatch):
    async def broken(_) -> Finding:
        message = "it fell over"
        raise RuntimeError(message)

    checks = (("broken", broken), ("python", health_checks.python))
    monkeypatch.setattr(doctor, "CHECKS", checks)
    ran = portico("doctor")
    assert ran.code == 1
    assert "RuntimeError: it fell over" in ran.out
    assert ran.out.count("\n") == 2
