"""Names stay where they belong: providers in their file, machines and tools outside the project."""

import ast
import re

import pytest

from tests.architecture.house import PACKAGE, ROOT, modules, parsed, shown, text_files

# Who may write a provider's name: the provider itself and the registry, the place where everything
# is put together, and the catalogue's one default for rows (data, not code) that name no route.
MAY_NAME_PROVIDERS = (
    "providers/",
    "app.py",
    "settings.py",
    "testing/",
    "cli/",
    "emulators/",  # the other end of the same wire
    "catalogue/offerings.py",
)
_DIALECTS = ("dialects/", "catalogue/names.py", "pages/first_calls.py")
ALSO_A_WORD = {
    "local": ("outbound/",),  # the `.local` names of home networks
    # formats that we speak too
    **dict.fromkeys(("apixo", "xiaoyang", "xpilot", "yuanjing"), _DIALECTS),
    "portico": (
        *_DIALECTS,
        "catalogue/price_files.py",
        "core/errors.py",
        "rates/",
        "store/",
    ),  # and what this is called
}
SHARED_PROVIDER_FILES = {"__init__", "base", "chat_wire", "http", "inputs", "registry", "relay"}

# Written in pieces, so that this file does not contain what it looks for.
HOSTS = ["py" + "pi.org", "python" + "hosted.org", "npm" + "js.org", "crates" + ".io"]
NOTES = [
    name + ".md"
    for name in ("anch" + "ors", "threat" + "-model", "read" + "ings", "compl" + "aints")
]
MACHINE_PATH = re.compile(
    r"(?<![\w.}$/~-])/(?:"
    + "|".join(("wo" + "rk", "ro" + "ot", "tm" + "p", "ho" + "me", "Us" + "ers"))
    + r")/"
)
INDEX_OPTION = re.compile(r"^\s*--?(?:i|f|index-url|extra-index-url|find-links|trusted-host)\b")


def provider_names() -> list[str]:
    folder = PACKAGE / "providers"
    return sorted(
        path.stem
        for path in folder.iterdir()
        if path.stem not in SHARED_PROVIDER_FILES
        and (path.suffix == ".py" or (path / "__init__.py").exists())
    )


@pytest.mark.parametrize("name", provider_names())
def test_provider_is_named_in_its_own_file_only(name):
    allowed = MAY_NAME_PROVIDERS + ALSO_A_WORD.get(name, ())
    hits = [
        f"{shown(path)}:{node.lineno}"
        for path in modules(PACKAGE)
        if not path.relative_to(PACKAGE).as_posix().startswith(allowed)
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.Constant) and node.value == name
    ]
    assert hits == []


def test_there_are_providers_to_look_for():
    assert provider_names() != []


@pytest.mark.parametrize("word", [*HOSTS, *NOTES])
def test_word_from_beside_the_project_is_absent(word):
    hits = [shown(path) for path in text_files() if word in _text(path)]
    assert hits == []


def test_no_path_of_one_machine_is_written_down():
    hits = [
        f"{shown(path)}:{number}"
        for path in text_files()
        for number, line in enumerate(_text(path).splitlines(), start=1)
        if MACHINE_PATH.search(line)
    ]
    assert hits == []


def test_machine_path_pattern_finds_one():
    assert MACHINE_PATH.search('open("/' + "wo" + 'rk/main")')


def test_requirements_name_no_index():
    hits = [
        f"{shown(path)}: {line}"
        for path in sorted((ROOT / "requirements").iterdir())
        for line in _text(path).splitlines()
        if INDEX_OPTION.match(line) or "://" in line
    ]
    assert hits == []


def test_every_requirement_is_locked_with_hashes():
    for path in sorted((ROOT / "requirements").glob("*.txt")):
        pins = re.findall(r"^[a-z0-9_.-]+==", _text(path), flags=re.MULTILINE)
        hashed = re.findall(
            r"^[a-z0-9_.-]+==.*\\\n    --hash=sha256:", _text(path), flags=re.MULTILINE
        )
        assert pins, path.name
        assert len(pins) == len(hashed), path.name


def _text(path):
    return path.read_text(encoding="utf-8")
