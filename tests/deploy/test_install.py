"""The Dockerfile's install steps, run here to the letter: in a folder instead of an image.

The first step, which fetches the tools, is not among them: uv is the one this environment was made
with, and everything comes from its cache, so that nothing leaves this machine.
"""

import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

import pytest

from portico import __version__
from portico.cli.doctor import CHECKS
from tests.architecture.house import ROOT
from tests.deploy.files import given_to, read

pytestmark = [pytest.mark.slow, pytest.mark.e2e]

UID = int(given_to("USER")[0].partition(":")[0])
STEP_WITHIN_S = 60
TOOLS = {"hatchling", "pip", "setuptools", "uv", "wheel"}


@pytest.fixture(scope="module")
def image():
    """A folder that holds what the image holds below `/opt`, made by the same commands."""
    uv = shutil.which("uv") or ROOT / ".tools" / "bin" / "uv"
    if not Path(uv).exists():
        pytest.skip("this environment was made without uv, so there is no cache to install from")
    root = Path(tempfile.mkdtemp(prefix="portico-image-"))
    root.chmod(0o755)  # for the image's user, who is not ours
    try:
        _build(root, Path(uv))
        yield root
    finally:
        shutil.rmtree(root)


def test_version_is_this_one(image):
    assert _portico(image, "--version").stdout == f"portico {__version__}\n"


def test_nobody_special_finds_the_installation_sound(image):
    ran = _portico(image, "doctor", "--json")
    found = json.loads(ran.stdout)
    assert (ran.returncode, found["sound"]) == (0, True), found
    assert [each["check"] for each in found["checks"]] == [name for name, _ in CHECKS]


def test_what_is_installed_is_what_is_locked_and_no_tool(image):
    (packages,) = (image / "opt" / "portico" / "lib").glob("python3*/site-packages")
    found = {_plain(each.name) for each in distributions(path=[str(packages)])}
    locked = set(
        re.findall(r"^([a-z0-9-]+)==[^;]*$", read(ROOT / "requirements/run.txt"), re.MULTILINE)
    )
    assert locked <= found
    assert found & TOOLS == set()
    assert "portico" in found
    assert "pytest" not in found


def test_everything_is_compiled_for_a_file_system_that_cannot_be_written(image):
    (packages,) = (image / "opt" / "portico" / "lib").glob("python3*/site-packages")
    ours = list((packages / "portico").rglob("*.py"))
    assert len(ours) > 100
    assert [
        path for path in ours if not list(path.parent.glob(f"__pycache__/{path.stem}.*.pyc"))
    ] == []


def test_nothing_of_the_build_is_needed(image):
    installed = image / "opt" / "portico" / "lib"
    named = [path for path in installed.rglob("*.pth") if "source" in read(path)]
    assert named == []  # not an editable install
    assert not (image / "opt" / "source").exists()


def _build(root: Path, uv: Path) -> None:
    """Run the build stage: the same files, the same commands, other folders."""
    _, *steps = given_to("RUN", stage=1)
    (workdir,) = given_to("WORKDIR", stage=1)
    source = Path(f"{root}{workdir}")
    for rest in given_to("COPY", stage=1):
        *names, _ = rest.split()
        for name in names:
            _copy(ROOT / name, source / name)
    path = _tools(root, uv)
    for step in steps:
        ran = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", step.replace("/opt/", f"{root}/opt/")],
            cwd=source,
            env=_plain_environment() | {"PATH": path, "UV_OFFLINE": "1"},
            capture_output=True,
            text=True,
            check=False,
            timeout=STEP_WITHIN_S,
        )
        assert ran.returncode == 0, ran.stderr
    shutil.rmtree(source)


def _tools(root: Path, uv: Path) -> str:
    """Put the tools where the first step would; returns the search path with Python on it."""
    tools = root / "opt" / "tools" / "bin"
    tools.mkdir(parents=True)
    (tools / "uv").symlink_to(uv.absolute())
    (tools / "hatchling").symlink_to(Path(sys.executable).with_name("hatchling"))
    (tools / "python").symlink_to(_python())
    return f"{tools}:/usr/bin:/bin"


def _copy(source: Path, to: Path) -> None:
    to.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, to, ignore=shutil.ignore_patterns("__pycache__", "*.pyc"))
    else:
        shutil.copy(source, to)


def _portico(image: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run the installed program as the image's user, with an environment as empty as there."""
    data = image / "data"
    data.mkdir(mode=0o700, exist_ok=True)
    other: dict[str, Any] = {}
    if os.geteuid() == 0 and _is_reachable(_python()):
        os.chown(data, UID, UID)
        other = {"user": UID, "group": UID, "extra_groups": []}
    return subprocess.run(
        [image / "opt" / "portico" / "bin" / "portico", *words],
        cwd=data,
        env={
            "PATH": "/usr/bin:/bin",
            "PYTHONDONTWRITEBYTECODE": "1",
            "PORTICO_DATA": str(data),
            "PORTICO_PORT": "0",
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=STEP_WITHIN_S,
        **other,
    )


def _python() -> Path:
    """Return a Python of this very version that the image's user may run too, where there is one.

    Another one may need other packages, which are in no cache.
    """
    own, system = Path(sys.base_prefix) / "bin" / "python3", Path("/usr/bin/python3")
    if _is_reachable(own) or not system.exists():
        return own
    told = subprocess.run([system, "-V"], capture_output=True, text=True, check=True).stdout
    return system if told.split()[1] == platform.python_version() else own


def _is_reachable(program: Path) -> bool:
    """Whether anybody may run a program: some lie in one person's home."""
    return all(each.stat().st_mode & 0o001 for each in (program, *program.parents))


def _plain_environment() -> dict[str, str]:
    return {k: v for k, v in os.environ.items() if not k.startswith(("PORTICO_", "VIRTUAL_ENV"))}


def _plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
