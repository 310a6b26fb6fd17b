"""The import contracts stand, and each of them notices when it is broken."""

import subprocess
import sys
import tomllib
from pathlib import Path
from shutil import copy, copytree, ignore_patterns

import pytest

from tests.architecture.house import PACKAGE, ROOT

SQL_MODULES = ("tables", "queries")
HEAVY = ("alembic", "av", "cv2", "numpy", "openai", "PIL")

# One line of code in the wrong room: (the room, what it imports, a word of the broken contract).
BREAKS = [
    ("providers", "import portico.ledger", "neighbours never"),  # parts never import parts
    ("ledger", "import portico.tasks", "neighbours never"),
    ("credentials", "import portico.providers", "neighbours never"),
    ("core", "import portico.store", "neighbours never"),  # downwards only
    ("flows", "import portico.dialects", "neighbours never"),
    ("attic", "import portico.core", "neighbours never"),  # a room nobody placed
    ("dialects/xpilot", "import portico.store", "flows and core only"),
    ("dialects/xpilot", "import portico.dialects.apixo", "Dialects never"),
    ("flows", "import portico.ledger.queries", "tables of the ledger"),
    ("flows", "import portico.credentials.tables", "tables of credentials"),
    ("flows", "import starlette.requests", "web framework"),
    ("media", "import portico.settings", "Settings are read"),
    ("flows", "import aiohttp", "opens connections"),
    ("emulators", "import portico.providers", "follow the contracts"),
]


@pytest.fixture
def copied_source(tmp_path) -> Path:
    """A copy of the package that may be spoilt."""
    copy(ROOT / "pyproject.toml", tmp_path)
    copytree(PACKAGE, tmp_path / "src" / "portico", ignore=ignore_patterns("__pycache__"))
    return tmp_path


def test_import_contracts_are_kept():
    found = _lint(ROOT)
    assert found.returncode == 0, found.stdout


@pytest.mark.parametrize(("room", "line", "contract"), BREAKS)
def test_import_from_the_wrong_room_is_caught(copied_source, room, line, contract):
    folder = copied_source / "src" / "portico" / room
    folder.mkdir(exist_ok=True)
    (folder / "__init__.py").touch()
    (folder / "spoiler.py").write_text(f'"""Spoil."""\n\n{line}\n', encoding="utf-8")
    found = _lint(copied_source)
    assert found.returncode != 0
    assert contract in found.stdout.partition("Broken contracts")[2] or room == "attic"


def test_every_part_with_tables_keeps_them_to_itself():
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    protected = {
        module
        for contract in contracts["tool"]["importlinter"]["contracts"]
        for module in contract.get("protected_modules", [])
    }
    present = {
        f"portico.{path.parent.name}.{name}"
        for name in SQL_MODULES
        for path in PACKAGE.glob(f"*/{name}.py")
    }
    assert present - protected == set()


def test_server_starts_without_the_heavy_libraries():
    script = f"import portico.app, sys; print([m for m in {HEAVY!r} if m in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert (done.stdout.strip(), done.stderr) == ("[]", "")


def _lint(folder: Path) -> subprocess.CompletedProcess[str]:
    script = (
        "import sys; sys.path.insert(0, 'src');"
        "from importlinter.cli import lint_imports; sys.exit(lint_imports(no_cache=True))"
    )
    return subprocess.run(
        [sys.executable, "-c", script], cwd=folder, capture_output=True, text=True, check=False
    )
