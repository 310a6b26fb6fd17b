"""Files and functions stay small enough to be read in one go."""

import ast

import pytest

from tests.architecture.house import (
    PACKAGE,
    TESTS,
    functions,
    length,
    line_count,
    modules,
    parsed,
    shown,
)

MODULE_LINES_MAX = 500
TEST_MODULE_LINES_MAX = 900
FUNCTION_LINES_MAX = 60
PROTOCOL_METHODS_MAX = 5
HOMELESS_NAMES = {"base_utils", "common", "helper", "helpers", "manager", "misc", "util", "utils"}


def test_source_modules_stay_short():
    long = {shown(p): n for p in modules(PACKAGE) if (n := line_count(p)) > MODULE_LINES_MAX}
    assert long == {}


def test_test_modules_stay_short():
    long = {shown(p): n for p in modules(TESTS) if (n := line_count(p)) > TEST_MODULE_LINES_MAX}
    assert long == {}


def test_functions_stay_short():
    long = {
        f"{shown(path)}:{function.lineno} {function.name}": n
        for path in modules(PACKAGE)
        for function in functions(path)
        if (n := length(function)) > FUNCTION_LINES_MAX
    }
    assert long == {}


def test_protocols_stay_small():
    large = {
        f"{shown(path)} {node.name}": n
        for path in modules(PACKAGE)
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.ClassDef) and _is_protocol(node)
        if (n := sum(isinstance(m, (ast.FunctionDef, ast.AsyncFunctionDef)) for m in node.body))
        > PROTOCOL_METHODS_MAX
    }
    assert large == {}


@pytest.mark.parametrize("folder", [PACKAGE, TESTS], ids=["source", "tests"])
def test_no_module_is_named_after_nothing(folder):
    homeless = [shown(path) for path in modules(folder) if path.stem in HOMELESS_NAMES]
    assert homeless == []


def test_public_names_say_what_they_are():
    bare = [
        f"{shown(path)} {name}"
        for path in modules(PACKAGE)
        if "migrations/versions" not in path.as_posix()
        for name, node in _public(parsed(path))
        if ast.get_docstring(node) is None
    ]
    assert bare == []


def _is_protocol(node: ast.ClassDef) -> bool:
    return any(isinstance(base, ast.Name) and base.id == "Protocol" for base in node.bases)


def _public(module: ast.Module):
    yield "module", module
    for node in _definitions(module):
        yield node.name, node
        if isinstance(node, ast.ClassDef):
            yield from ((f"{node.name}.{inner.name}", inner) for inner in _definitions(node))


def _definitions(parent: ast.Module | ast.ClassDef):
    for node in parent.body:
        kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
        if isinstance(node, kinds) and not node.name.startswith("_"):
            yield node
