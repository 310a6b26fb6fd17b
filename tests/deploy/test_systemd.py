"""The systemd units: what they let the process do, and that systemd itself understands them."""

import re
import shlex
import shutil
import subprocess

import pytest

from tests.deploy.files import SYSTEMD, read, several, units

TOOL = shutil.which("systemd-analyze")
EXPOSURE_MAX = 20  # of 100, as systemd counts; 14 when this was written
needs_systemd = pytest.mark.skipif(TOOL is None, reason="no systemd-analyze on this machine")
EVERY_UNIT = pytest.mark.parametrize("name", units())


def test_there_is_a_server_and_a_worker():
    assert set(units()) == {"portico.service", "portico-worker.service"}


@EVERY_UNIT
def test_unit_runs_as_nobody_special_and_changes_only_its_state(name):
    unit = units()[name]
    wanted = {
        "User": ["portico"],
        "NoNewPrivileges": ["yes"],
        "CapabilityBoundingSet": [""],
        "ProtectSystem": ["strict"],
        "ProtectHome": ["yes"],
        "PrivateTmp": ["yes"],
        "StateDirectory": ["portico"],
        "StateDirectoryMode": ["0700"],
        "UMask": ["0077"],
        "Environment": ["PORTICO_DATA=/var/lib/portico"],
        "EnvironmentFile": ["/etc/portico/portico.env"],
        "KillSignal": ["SIGTERM"],
        "Restart": ["always"],
    }
    assert {key: unit.get(key) for key in wanted} == wanted
    assert "ReadWritePaths" not in unit


def test_both_units_are_held_alike():
    server, worker = (dict(unit) for unit in units().values())
    server.pop("ExecStart")
    worker.pop("ExecStart")
    assert {key for key in server | worker if server.get(key) != worker.get(key)} == {"CPUWeight"}


def test_several_processes_are_started_anew_and_replaced_by_sighup():
    unset, line = several()["ExecStart"]
    assert (unset, shlex.split(line)[1:3]) == ("", ["serve", "--workers"])
    assert several()["ExecReload"] == ["kill -HUP $MAINPID"]
    assert [name for name, unit in units().items() if "ExecReload" in unit] == []  # it ends one


def test_user_is_the_one_that_is_made():
    (made,) = re.findall(r"^u (\w+) ", read(SYSTEMD / "portico.sysusers"), flags=re.MULTILINE)
    assert {unit["User"][0] for unit in units().values()} == {made}


def test_settings_file_is_one_systemd_reads():
    lines = [line for line in read(SYSTEMD / "portico.env").splitlines() if line]
    assert [line for line in lines if not re.match(r"# |#?[A-Z_]+=\S*$", line)] == []


@needs_systemd
def test_systemd_understands_the_units(tmp_path):
    assert _verify(tmp_path, {}) == ""


@needs_systemd
def test_systemd_would_say_what_it_does_not_understand(tmp_path):
    assert "NoNewPrivilege'" in _verify(tmp_path, {"NoNewPrivileges": "NoNewPrivilege"})


@needs_systemd
@EVERY_UNIT
def test_systemd_finds_little_exposed(name):
    words = [str(TOOL), "security", "--offline=true", f"--threshold={EXPOSURE_MAX}"]
    ran = subprocess.run([*words, SYSTEMD / name], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout


def _verify(root, replaced):
    """Return what systemd says about the units in a file tree of their own."""
    folder = root / "etc" / "systemd" / "system"
    folder.mkdir(parents=True)
    for name in units():
        text = read(SYSTEMD / name)
        for old, new in replaced.items():
            text = text.replace(old, new)
        (folder / name).write_text(text)
    drop_in = folder / "portico.service.d"
    drop_in.mkdir()
    shutil.copy(SYSTEMD / "portico-several.conf", drop_in / "several.conf")
    for target in ("network-online", "multi-user", "sysinit", "basic", "shutdown"):
        (folder / f"{target}.target").write_text("[Unit]\nDescription=part of every machine\n")
    for program in (root / "opt" / "portico" / "bin" / "portico", root / "usr" / "bin" / "kill"):
        program.parent.mkdir(parents=True)
        program.write_text("#!/bin/sh\n")
        program.chmod(0o755)
    ran = subprocess.run(
        [str(TOOL), "verify", f"--root={root}", *units()],
        capture_output=True,
        text=True,
        check=False,
    )
    return ran.stderr
