"""`portico price import`: files people write, and what new-api exports."""

import json

import pytest

from portico import catalogue
from portico.core.money import MICRO


@pytest.fixture
def folder(data, tmp_path, monkeypatch):
    path = tmp_path / "catalogue"
    monkeypatch.setenv("PORTICO_CATALOGUE", str(path))
    return path


@pytest.fixture
def written(tmp_path):
    def write(name: str, text: str) -> str:
        (tmp_path / name).write_text(text, "utf-8")
        return str(tmp_path / name)

    return write


CSV = (
    "model,input,cached,output,amount,rule,provider,upstream_model,credential,kind\n"
    "gpt-4o,300,150,1200,,,,,,\n"
    "seedream-4.5,,,,6,,,,,\n"
    "my-llama,10,,30,,,openai_like,llama-3,main,text\n"
)
TOML = """
[[prices]]
model = "gpt-4o"
input = "300"
cached = "150"
output = "1200"

[[prices]]
model = "seedream-4.5"
amount = "6"

[[prices]]
model = "my-llama"
kind = "text"
input = "10"
output = "30"
provider = "openai_like"
upstream_model = "llama-3"
credential = "main"
"""
RATIOS = {
    "success": True,
    "data": {
        "model_ratio": {"gpt-4o": 1.5, "unknown": 1, "gpt-4o-mini": 0.075},
        "completion_ratio": {"gpt-4o": 4, "unknown": 1},
        "cache_ratio": {"gpt-4o": 0.5},
        "model_price": {"seedream-4.5": 0.06},
    },
}


@pytest.mark.parametrize(("name", "text"), [("our list.csv", CSV), ("our list.toml", TOML),
                                            ("our list.csv", "\ufeff" + CSV)])  # fmt: skip
def test_prices_of_a_list_are_in_the_catalogue_afterwards(portico, folder, written, name, text):
    ran = portico("price", "import", written(name, text), "--json")
    assert (ran.code, ran.err) == (0, "")
    assert ran.result == {
        "file": str(folder / "prices-our-list.toml"),
        "dry_run": False,
        "changed": True,
        "models": ["gpt-4o", "seedream-4.5", "my-llama"],
        "skipped": {},
    }
    known = catalogue.load(folder)
    price = known.offering("openai:gpt-4o").prices[0]
    assert (price.input, price.cached, price.output) == (300 * MICRO, 150 * MICRO, 1200 * MICRO)
    assert known.offering("portico:seedream-4.5").prices[0].amount == 6 * MICRO
    assert known.model("my-llama").routes[0].credential == "main"


def test_ratios_become_prices_and_unknown_models_are_said(portico, folder, written):
    ran = portico("price", "import", written("ratios.json", json.dumps(RATIOS)), "--json")
    assert (ran.code, ran.err) == (0, "")
    assert ran.result["models"] == ["gpt-4o", "seedream-4.5"]
    assert set(ran.result["skipped"]) == {"unknown", "gpt-4o-mini"}
    price = catalogue.load(folder).offering("openai:gpt-4o").prices[0]
    assert (price.input, price.cached, price.output) == (300 * MICRO, 150 * MICRO, 1200 * MICRO)


def test_completion_ratio_fills_what_an_export_leaves_open(portico, folder, written):
    path = written("ratios.json", json.dumps(RATIOS))
    ran = portico("price", "import", path, "--completion-ratio", "4", "--json")
    assert "gpt-4o-mini" in ran.result["models"]
    price = catalogue.load(folder).offering("openai:gpt-4o-mini").prices[0]
    assert (price.input, price.output) == (15 * MICRO, 60 * MICRO)


def test_second_import_changes_nothing_and_a_new_list_replaces_the_old(portico, folder, written):
    path = written("list.csv", CSV)
    portico("price", "import", path)
    again = portico("price", "import", path)
    assert again.out.startswith("There already were 3 prices")
    written("list.csv", CSV.replace("300,150", "400,150"))
    portico("price", "import", path)
    assert catalogue.load(folder).offering("openai:gpt-4o").prices[0].input == 400 * MICRO


def test_dry_run_writes_nothing(portico, folder, written):
    ran = portico("price", "import", written("list.csv", CSV), "--dry-run")
    assert "Would write 3 prices" in ran.out
    assert not folder.exists()


def test_dialects_are_chosen(portico, folder, written):
    path = written("list.csv", "model,input,output\nqwen3-max,1,2\n")
    assert portico("price", "import", path, "--dialects", "yuanjing").code == 0
    known = catalogue.load(folder)
    assert known.offering("yuanjing:qwen3-max").prices[0].input == MICRO
    assert known.offering("openai:qwen3-max").prices[0].input == 120 * MICRO


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("a.xlsx", "", "must end in .csv, .toml or .json"),
        ("a.csv", "model,input,output\nnobody-knows,1,2\n", "neither on sale"),
        ("a.csv", "model,colour\ngpt-4o,red\n", "price 1: Object contains unknown field `colour`"),
        ("a.csv", "model,input\ngpt-4o,1\n", "amount, or input and output"),
        ("a.csv", "model,input,output\ngpt-4o,-1,1\n", "Not a plain decimal number"),
        ("a.csv", "model,input,output\ngpt-4o,1e9,1\n", "Not a plain decimal number"),
        ("a.csv", "model,input,output,provider\nx,1,1,ark\n", "belong together"),
        ("a.csv", "model,input,output\ngpt-4o,1,1,2,3\n", "unknown field"),
        ("a.csv", "model,amount,rule\nseedream-4.5,1,per_moon\n", "per_moon"),
        ("a.toml", "prices = 5", "[[prices]] tables and nothing else"),
        ("a.toml", "[[prices]\n", "cannot be read"),
        ("a.json", "{}", "is it a ratio export?"),
        ("a.json", "[" * 100_000, "no JSON"),
    ],
)
def test_mistake_is_said_with_its_place_and_nothing_is_written(
    portico, folder, written, name, text, said
):
    ran = portico("price", "import", written(name, text))
    assert (ran.code, ran.out) == (1, "")
    assert said in ran.err
    assert ran.err.count("\n") == 1
    assert not folder.exists()


def test_list_without_a_folder_for_it_is_refused(portico, data, written):
    ran = portico("price", "import", written("list.csv", CSV))
    assert (ran.code, "set PORTICO_CATALOGUE" in ran.err) == (1, True)


def test_file_that_is_not_text_or_too_large_is_refused(portico, folder, tmp_path, monkeypatch):
    (tmp_path / "a.csv").write_bytes(b"\xff\xfe\x00model")
    assert "cannot be read" in portico("price", "import", str(tmp_path / "a.csv")).err
    monkeypatch.setattr("portico.cli.price_sheets.FILE_BYTES_MAX", 3)
    assert "more than 3 bytes" in portico("price", "import", str(tmp_path / "a.csv")).err
    assert "there is no file" in portico("price", "import", str(tmp_path / "none.csv")).err


def test_unknown_dialect_is_refused(portico, folder, written):
    ran = portico("price", "import", written("list.csv", CSV), "--dialects", "klingon")
    assert ran.code == 1
    assert "--dialects takes apixo, openai, portico" in ran.err
