"""Commands run inside the test's own process, on a data folder of their own."""

import gc
import json
import sys
from dataclasses import dataclass

import pytest

from portico.cli import main


@dataclass(frozen=True)
class Ran:
    """What came of one command."""

    code: int
    out: str
    err: str

    @property
    def result(self):
        """The one JSON object on stdout."""
        assert self.out.count("\n") == 1
        return json.loads(self.out)


@pytest.fixture
def data(tmp_path, monkeypatch):
    folder = tmp_path / "data"
    monkeypatch.setenv("PORTICO_DATA", str(folder))
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.chdir(tmp_path)
    return folder


@pytest.fixture
def either(request, kind, monkeypatch):
    """Let commands work with a database of either kind; on SQLite with the folder's own."""
    if kind == "postgres":
        monkeypatch.setenv("PORTICO_DATABASE_URL", request.getfixturevalue("database"))


@pytest.fixture
def portico(data, monkeypatch, capsys):
    def run(*arguments: str) -> Ran:
        monkeypatch.setattr(sys, "argv", ["portico", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        gc.enable()  # a server that is about to start switches it off
        written = capsys.readouterr()
        return Ran(int(ended.value.code or 0), written.out, written.err)

    return run


@pytest.fixture
def ann(portico):
    """An account with 500 credits."""
    made = portico("account", "create", "--email", "ann@example.com", "--credits", "500")
    assert made.code == 0
    return "ann@example.com"
