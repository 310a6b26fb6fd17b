"""The project's own files, as the architecture tests look at them."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "src" / "portico"
TESTS = ROOT / "tests"
DOCS = ROOT / "docs"

Function = ast.FunctionDef | ast.AsyncFunctionDef

_NOT_OURS = {".git", ".venv", ".tools", "dist", "build", "node_modules", "portico-data"}
_TEXT = {".css", ".html", ".js", ".md", ".py", ".sh", ".sql", ".toml", ".txt", ".yaml", ".yml", ""}


def modules(folder: Path) -> list[Path]:
    """Return every Python file below a folder, in a fixed order."""
    return sorted(folder.rglob("*.py"))


def text_files() -> Iterator[Path]:
    """Yield every text file of the project that a person wrote or a tool locked."""
    for path in sorted(ROOT.rglob("*")):
        inside = path.relative_to(ROOT).parts
        if _NOT_OURS & set(inside) or any(part.endswith("cache__") for part in inside):
            continue
        hidden = inside[0].startswith(".") and inside[0] not in {".ci", ".gitignore"}
        if path.is_file() and path.suffix in _TEXT and not hidden:
            yield path


@cache
def parsed(path: Path) -> ast.Module:
    """Return a file's syntax tree."""
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def functions(path: Path) -> Iterator[Function]:
    """Yield every function and method of a file, nested ones included."""
    for node in ast.walk(parsed(path)):
        if isinstance(node, Function):
            yield node


def length(function: Function) -> int:
    """Return a function's lines without its decorators and docstring."""
    lines = (function.end_lineno or function.lineno) - function.lineno + 1
    first = function.body[0]
    if ast.get_docstring(function) is not None:
        lines -= (first.end_lineno or first.lineno) - first.lineno + 1
    return lines


def line_count(path: Path) -> int:
    """Return how many lines a file has."""
    return len(path.read_text(encoding="utf-8").splitlines())


def shown(path: Path) -> str:
    """Return a path as a person would name it here."""
    return path.relative_to(ROOT).as_posix()


def pages() -> list[Path]:
    """Return every page a person may read: the README, its neighbours and `docs/`."""
    return sorted([*ROOT.glob("*.md"), *DOCS.rglob("*.md")])


def runnable_blocks(page: Path) -> list[str]:
    """Return the shell code of a page that stands below `<!-- runs -->`, in order.

    CONTRIBUTING.md says what such code may count on.
    """
    text = page.read_text(encoding="utf-8")
    return re.findall(r"^<!-- runs -->\n```bash\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL)


def setting_names() -> set[str]:
    """Return every `PORTICO_*` name the code knows: written out, or a field of `Settings`."""
    written = {
        name
        for path in modules(PACKAGE)
        for name in re.findall(r"\bPORTICO_[A-Z0-9_]*[A-Z0-9]\b", path.read_text(encoding="utf-8"))
    }
    fields = {
        f"PORTICO_{field.target.id.upper()}"
        for node in ast.walk(parsed(PACKAGE / "settings.py"))
        if isinstance(node, ast.ClassDef) and node.name == "Settings"
        for field in node.body
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name)
    }
    return written | fields
