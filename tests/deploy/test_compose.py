"""The compose file: who may reach whom, what survives, and the secrets that are made for it."""

import os
import re
import shutil
import stat
import subprocess

import pytest

from tests.architecture.house import ROOT
from tests.deploy.files import COMPOSE, compose, read, services


@pytest.mark.parametrize("name", services(ours=True))
def test_our_container_may_change_nothing_and_has_no_rights(name):
    service = services()[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert "cap_add" not in service
    assert "user" not in service  # the image's own
    assert service["tmpfs"][0].startswith("/tmp:")  # noqa: S108 - a folder of the container
    assert service["env_file"] == ["secrets/portico.env"]


@pytest.mark.parametrize("name", services())
def test_every_container_comes_back_and_gains_no_rights(name):
    service = services()[name]
    assert service["restart"] == ("no" if name == "migrate" else "unless-stopped")
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert "privileged" not in service
    assert service["logging"]["options"]["max-size"]


def test_nobody_but_the_database_may_change_its_container_or_take_rights():
    loose = [n for n, each in services().items() if each.get("read_only") is not True]
    rich = [n for n, each in services().items() if each.get("cap_drop") != ["ALL"]]
    assert (loose, rich) == (["postgres"], ["postgres"])  # its image sets the volume's owner
    assert {n: each["cap_add"] for n, each in services().items() if "cap_add" in each} == {
        "proxy": ["NET_BIND_SERVICE"]
    }


@pytest.mark.parametrize("name", services())
def test_every_image_has_a_version(name):
    tag = services()[name]["image"].rpartition(":")[2]
    assert re.fullmatch(r"v?\d+\.\d+(\.\d+)?", tag)


def test_only_the_proxy_can_be_reached():
    assert [name for name, each in services().items() if "ports" in each] == ["proxy"]
    assert compose()["networks"]["data"]["internal"] is True
    inside = {name for name, each in services().items() if each["networks"] == ["data"]}
    assert inside == {"postgres", "valkey", "s3"}
    assert services()["proxy"]["networks"] == ["outside"]


def test_whoever_listens_has_a_health_check_and_nobody_else():
    silent = {
        name
        for name, service in services(ours=True).items()
        if service.get("healthcheck") == {"disable": True}
    }
    assert silent == {"migrate"}
    assert services()["worker"]["healthcheck"]["test"][:3] == ["CMD", "portico", "health"]
    assert "healthcheck" not in services()["api"]  # the image's own
    assert [
        n for n, each in services(ours=False).items() if "test" not in each["healthcheck"]
    ] == []


def test_whoever_is_waited_for_can_say_when():
    for service in services().values():
        for name, wait in service.get("depends_on", {}).items():
            if wait["condition"] == "service_healthy":
                assert services()[name].get("healthcheck") != {"disable": True}
            else:
                assert wait["condition"] == "service_completed_successfully"
                assert services()[name]["restart"] == "no"
    assert "migrate" in services()["api"]["depends_on"]
    assert "migrate" in services()["worker"]["depends_on"]


def test_workers_run_the_tasks_and_the_api_none():
    assert services()["api"]["environment"]["PORTICO_QUEUES"] == ""
    assert "PORTICO_QUEUES" not in services()["worker"]["environment"]


def test_every_volume_is_declared_and_every_mounted_file_is_there():
    for service in services().values():
        for mount in service.get("volumes", []):
            source = mount.partition(":")[0]
            assert source in compose()["volumes"] or (COMPOSE / source).is_file()
    kept = {
        mount.partition(":")[0] for each in services().values() for mount in each.get("volumes", [])
    }
    assert set(compose()["volumes"]) <= kept


def test_names_inside_are_names_of_services():
    settings = services()["api"]["environment"]
    for url in (settings["PORTICO_LIMITS_URL"], settings["AWS_ENDPOINT_URL"]):
        assert re.findall(r"//(\w+):\d+", url)[0] in services()
    (bucket,) = re.findall(r"s3://([^/]+)/", settings["PORTICO_STORAGE_URL"])
    assert services()["s3"]["environment"]["GARAGE_DEFAULT_BUCKET"] == bucket
    garage = read(COMPOSE / "garage.toml")
    assert f's3_region = "{settings["AWS_REGION"]}"' in garage
    assert settings["AWS_ENDPOINT_URL"].rpartition(":")[2] in garage
    assert re.findall(r"reverse_proxy (\w+):", read(COMPOSE / "Caddyfile"))[0] in services()


@pytest.fixture
def secrets(tmp_path):
    """What `make-secrets` makes, by file."""
    shutil.copy(COMPOSE / "make-secrets", tmp_path)
    subprocess.run([tmp_path / "make-secrets"], check=True, capture_output=True)
    return tmp_path / "secrets"


def test_secrets_are_made_for_every_file_the_compose_file_reads(secrets):
    wanted = {file for each in services().values() for file in each.get("env_file", [])}
    assert {f"secrets/{path.name}" for path in secrets.iterdir()} == wanted


def test_secrets_are_for_one_persons_eyes(secrets):
    modes = {stat.S_IMODE(path.stat().st_mode) for path in (secrets, *secrets.iterdir())}
    assert modes == {0o600, 0o700}


def test_both_sides_get_the_same_secrets(secrets):
    ours, postgres, s3 = (_values(secrets / f"{n}.env") for n in ("portico", "postgres", "s3"))
    assert (
        ours["PORTICO_DATABASE_URL"]
        == f"postgresql://portico:{postgres['POSTGRES_PASSWORD']}@postgres:5432/portico"
    )
    assert ours["AWS_ACCESS_KEY_ID"] == s3["GARAGE_DEFAULT_ACCESS_KEY"]
    assert ours["AWS_SECRET_ACCESS_KEY"] == s3["GARAGE_DEFAULT_SECRET_KEY"]
    assert re.fullmatch(r"GK[0-9a-f]{24}", s3["GARAGE_DEFAULT_ACCESS_KEY"])  # what Garage takes
    assert re.fullmatch(r"[0-9a-f]{64}", s3["GARAGE_DEFAULT_SECRET_KEY"])
    assert re.fullmatch(r"[0-9a-f]{64}", s3["GARAGE_RPC_SECRET"])
    assert len(ours["PORTICO_SECRET_KEY"]) == 64


def test_secrets_are_never_changed_by_a_second_call(secrets):
    before = {path: read(path) for path in secrets.iterdir()}
    subprocess.run([secrets.parent / "make-secrets"], check=True, capture_output=True)
    assert {path: read(path) for path in secrets.iterdir()} == before


def test_example_names_every_variable_the_compose_file_takes():
    taken = set(re.findall(r"\$\{(\w+)", read(COMPOSE / "compose.yaml")))
    named = set(re.findall(r"^(\w+)=", read(COMPOSE / ".env.example"), flags=re.MULTILINE))
    assert named == taken


def test_compose_itself_understands_the_file(secrets):
    found = (
        subprocess.run(["docker", "compose", "version"], capture_output=True, check=False)
        if (shutil.which("docker"))
        else None
    )
    if found is None or found.returncode:
        pytest.skip("no Docker Compose on this machine")
    for name in ("compose.yaml", "Caddyfile", "garage.toml"):
        shutil.copy(COMPOSE / name, secrets.parent)
    ran = subprocess.run(
        ["docker", "compose", "config", "--quiet"],
        cwd=secrets.parent,
        env=os.environ | {"DOMAIN": "portico.example.com"},
        capture_output=True,
        check=False,
    )
    assert (ran.returncode, ran.stderr.decode()) == (0, "")


def test_caddy_itself_understands_its_file():
    caddy = shutil.which("caddy")
    if caddy is None:
        pytest.skip("no Caddy on this machine")
    ran = subprocess.run(
        [caddy, "adapt", "--validate", "--config", COMPOSE / "Caddyfile"],
        cwd=ROOT,
        env=os.environ | {"DOMAIN": "portico.example.com"},
        capture_output=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr.decode()


def _values(path):
    return dict(line.split("=", 1) for line in read(path).splitlines())
