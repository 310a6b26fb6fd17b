"""The provider of `docs/adding-a-provider.md` keeps the whole contract, as the page has it."""

import inspect
import itertools
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from portico.providers import registry
from tests.architecture.house import DOCS, ROOT
from tests.contract.providers import test_contract
from tests.contract.providers.cases import Case, bench

PAGE = (DOCS / "adding-a-provider.md").read_text(encoding="utf-8")
FILES = dict(
    re.findall(r"^<!-- file: (\S+) -->\n```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
)
CODE_LINES_MAX = 120
SUITE_LEAST = 70
LATENCIES_S = {"at_once": 0.0, "in_time": 10.0}


def suite() -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield every test of the contract about videos, with each of its parameters."""
    for name, test in vars(test_contract).items():
        if not name.startswith("test_") or hasattr(test, "needed"):
            continue
        marks = [mark.args for mark in getattr(test, "pytestmark", []) if mark.args]
        for values in itertools.product(*(values for _, values in marks)):
            given: dict[str, Any] = {}
            for (names, _), value in zip(marks, values, strict=True):
                one = isinstance(names, str)
                given |= {names: value} if one else dict(zip(names, value, strict=True))
            if LATENCIES_S.keys() & inspect.signature(test).parameters.keys():
                yield name, given


SUITE = list(suite())


@pytest.fixture
def acme(monkeypatch: pytest.MonkeyPatch) -> Case:
    """Make modules of the page's files and return its case."""
    modules = {}
    for path in list(FILES)[:2]:
        name = path.removeprefix("src/").removesuffix(".py").replace("/", ".")
        module = modules[name] = ModuleType(name)
        monkeypatch.setitem(sys.modules, name, module)
        exec(compile(FILES[path], path, "exec"), vars(module))  # noqa: S102 - our own page
    provider: Any = modules["portico.providers.acme"]
    emulator: Any = modules["portico.emulators.acme"]
    monkeypatch.setattr(registry, "BUILDERS", {**registry.BUILDERS, "acme": provider.Acme})
    monkeypatch.setattr("tests.contract.providers.cases.BUILDERS", registry.BUILDERS)
    line = FILES["tests/contract/providers/cases.py"]
    case: Case = eval(line, {"Case": Case, "AcmeEmulator": emulator.AcmeEmulator})  # noqa: S307
    return case


def test_page_needs_few_lines_of_code():
    lines = [line for text in FILES.values() for line in text.splitlines() if line.strip()]
    assert len(lines) < CODE_LINES_MAX
    assert len(FILES) == 3
    assert all((ROOT / path).parent.is_dir() for path in FILES)


@pytest.mark.parametrize("path", [path for path in FILES if path.startswith("src/")])
@pytest.mark.parametrize("check", [["check"], ["format", "--check"]], ids=lambda words: words[0])
def test_page_keeps_the_style_of_the_house(path: str, check: list[str]):
    command = [sys.executable, "-m", "ruff", *check, "--stdin-filename", path, "-"]
    ran = subprocess.run(
        command, input=FILES[path], cwd=ROOT, text=True, capture_output=True, check=False
    )
    assert ran.returncode == 0, ran.stdout


def test_whole_suite_about_videos_is_tried():
    assert len(SUITE) >= SUITE_LEAST


@pytest.mark.parametrize("number", range(len(SUITE)))
async def test_page_keeps_the_contract(acme: Case, tmp_path: Path, number: int):
    name, given = SUITE[number]
    test: Any = getattr(test_contract, name)
    (wanted,) = LATENCIES_S.keys() & inspect.signature(test).parameters.keys()
    async with bench(acme, tmp_path, latency_s=LATENCIES_S[wanted]) as one:
        await test(**{wanted: one}, **given)
