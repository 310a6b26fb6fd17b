"""The page of the matrix of faults says what the tests try."""

import importlib.util
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_page_is_what_the_script_writes():
    spec = importlib.util.spec_from_file_location("fault_matrix", ROOT / "scripts/fault_matrix.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.PAGE.read_text("utf-8") == module.written()
