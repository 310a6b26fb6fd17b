"""The Dockerfile and what Docker is handed with it."""

import json
import re
import shutil
import subprocess

import pytest

from tests.architecture.house import ROOT
from tests.deploy.files import containers, given_to, pods, read, stages, variables

BUILD_TOOLS = re.compile(r"\b(?:apt-get|gcc|make|uv|hatchling|pip install|curl|wget)\b")


def test_there_are_two_stages_on_one_pinned_base():
    assert given_to("FROM", stage=1) == ["python:${PYTHON} AS build"]
    assert given_to("FROM") == ["python:${PYTHON}"]
    assert len(stages()) == 3  # with what stands before both
    (version,) = given_to("ARG", stage=0)
    assert re.fullmatch(r"PYTHON=3\.1[1-9]\.\d+-slim-[a-z]+", version)


def test_what_is_downloaded_is_checked_against_hashes():
    steps = [
        step
        for rest in given_to("RUN", stage=1)
        for step in rest.split("&&")
        if " install " in step and "dist/" not in step
    ]
    assert len(steps) == 2
    assert [s for s in steps if "--require-hashes --only-binary :all:" not in s] == []


def test_our_own_wheel_brings_nothing_along():
    (step,) = [s for s in given_to("RUN", stage=1)[-1].split("&&") if "dist/" in s]
    assert {"--offline", "--no-deps"} <= set(step.split())


def test_last_stage_installs_nothing_and_loses_pip():
    runs = given_to("RUN")
    assert [run for run in runs if BUILD_TOOLS.search(run)] == []
    assert "pip uninstall --yes" in runs[0]
    assert [rest for rest in given_to("COPY") if not rest.startswith("--from=build ")] == []


def test_image_runs_as_a_numbered_user_that_owns_its_data_folder():
    (user,) = given_to("USER")
    uid, _, gid = user.partition(":")
    assert int(uid) >= 1_000
    assert f"--uid {uid} --gid {gid}" in given_to("RUN")[0]
    assert (
        f"--owner {uid} --group {gid} --mode 0700 {variables()['PORTICO_DATA']}"
        in (given_to("RUN")[0])
    )
    assert given_to("VOLUME") == [variables()["PORTICO_DATA"]] == given_to("WORKDIR")
    for pod in pods().values():
        context = pod["spec"]["securityContext"]
        assert (context["runAsUser"], context["runAsGroup"]) == (int(uid), int(gid))
    for container in containers().values():
        assert container["volumeMounts"][0]["mountPath"] == variables()["PORTICO_DATA"]


def test_image_starts_without_a_shell_and_stops_by_sigterm():
    assert json.loads(given_to("ENTRYPOINT")[0]) == ["portico"]
    assert json.loads(given_to("CMD")[0]) == ["serve"]
    assert given_to("STOPSIGNAL") == ["SIGTERM"]


def test_image_asks_the_program_itself_how_it_is():
    (check,) = given_to("HEALTHCHECK")
    assert json.loads(check.partition("CMD ")[2]) == ["portico", "health"]


def test_docker_is_handed_what_is_copied_and_nothing_else():
    copied = {
        source.rstrip("/").partition("/")[0]
        for rest in given_to("COPY", stage=1)
        for source in rest.split()[:-1]
    }
    first, *rest = [
        line for line in read(ROOT / ".dockerignore").splitlines() if line and line[0] != "#"
    ]
    assert first == "*"
    assert {line[1:] for line in rest if line.startswith("!")} == copied
    assert [name for name in copied if not (ROOT / name).exists()] == []
    assert [line for line in rest if line[0] != "!"] == ["**/__pycache__", "**/*.pyc"]


def test_linter_finds_nothing():
    linter = shutil.which("hadolint")
    if linter is None:
        pytest.skip("no hadolint on this machine")
    ran = subprocess.run([linter, "Dockerfile"], cwd=ROOT, capture_output=True, check=False)
    assert (ran.returncode, ran.stdout.decode()) == (0, "")
