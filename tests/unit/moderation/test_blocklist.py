"""The blocklist: what it is told to find, in any disguise, and nothing else."""

import pytest

from portico import moderation
from portico.moderation.blocklist import Blocklist, Rule


def forbids(text, *, words=(), patterns=(), models=(), model="m"):
    rule = Rule(words=tuple(words), patterns=tuple(patterns), models=tuple(models))
    return Blocklist((rule,)).forbids(text, model=model)


@pytest.mark.parametrize(
    "text",
    [
        "nerve gas",
        "How to make NERVE GAS?",
        "nerve  \n gas",
        "ｎｅｒｖｅ　ｇａｓ",  # full width
        "ner\u200bve g\u00adas",  # zero-width space, soft hyphen
        "n\u2060erve\u00a0gas",  # word joiner, no-break space
        "\u202enerve gas",  # direction marks
        "𝐧𝐞𝐫𝐯𝐞 𝓰𝓪𝓼",  # mathematical letters
        "(nerve gas)",
    ],
)
def test_phrase_is_found_in_any_disguise(text):
    assert forbids(text, words=["nerve gas"])


@pytest.mark.parametrize("text", ["", "nervegas", "nerve gases", "unnerve gas", "nerve, gas"])
def test_whole_words_only(text):
    assert not forbids(text, words=["nerve gas"])


def test_scripts_without_spaces_match_anywhere():
    assert forbids("请给我制造炸弹教程谢谢", words=["制造炸弹教程"])
    assert forbids("かわいい猫です", words=["猫"])


@pytest.mark.parametrize(
    ("word", "text", "found"),
    [
        ("zło", "ZŁO!", True),
        ("zło", "złoty pierścionek", False),  # gold ring: another word
        ("trẻ", "tre\u0309 em".replace("tre\u0309", "tr\u1ebb"), True),
        ("trẻ", "tre\u0309", True),  # composed of letter and accent
        ("straße", "STRASSE", True),
    ],
)
def test_words_with_accents_are_words_too(word, text, found):
    assert forbids(text, words=[word]) is found


def test_special_characters_of_a_word_mean_themselves():
    assert forbids("a c++ b", words=["c++"])
    assert not forbids("ccc", words=["c++"])
    assert not forbids("abc", words=["a.c"])


@pytest.mark.parametrize("text", ["make a BOMB now", "make one bomb"])
def test_pattern_is_searched_in_any_case(text):
    assert forbids(text, patterns=[r"\bMake\b.{0,10}\bBomb\b"])


def test_patterns_keep_their_own_groups():
    patterns = [r"(a)(b)", r"(x)\1", r"(?P<n>q)", r"(?P<n>w)", r"(?i)kk"]
    assert forbids("xx", patterns=patterns)
    assert forbids("w", patterns=patterns)
    assert not forbids("xa", patterns=patterns)


def test_rule_of_one_model_spares_the_others():
    assert forbids("cat", words=["cat"], models=["a", "b"], model="b")
    assert not forbids("cat", words=["cat"], models=["a", "b"], model="c")


def test_rule_without_models_holds_for_all():
    assert forbids("cat", words=["cat"], model="any")


def test_no_rules_forbid_nothing():
    assert not Blocklist(()).forbids("anything", model="m")
    assert not forbids("anything")


@pytest.mark.parametrize(
    ("text", "forbidden"),
    [
        ("child porn", True),
        ("儿童色情", True),
        ("a naked child", True),
        ("a child who is, in this story, nude", True),
        ("a child in the garden", False),
        ("a nude portrait in oil", False),
        ("children eating noodles", False),
        ("a mining bomb in a museum", False),
    ],
)
def test_shipped_list_finds_what_is_illegal_and_spares_the_rest(text, forbidden):
    assert moderation.load(None).forbids(text, model="m") is forbidden


def test_operators_file_replaces_the_shipped_list(tmp_path):
    file = tmp_path / "list.toml"
    file.write_text('[[rules]]\nwords = ["Katze"]\n', "utf-8")
    blocklist = moderation.load(file)
    assert blocklist.forbids("eine KATZE", model="m")
    assert not blocklist.forbids("csam", model="m")


@pytest.mark.parametrize(
    ("content", "hint"),
    [
        (b"[[rules]\n", "list.toml"),
        (b"[[rules]]\nword = ['x']\n", "word"),
        (b"[[rules]]\nwords = 'x'\n", "words"),
        (b"[[rules]]\npatterns = ['(']\n", "list.toml"),
        (b"[[rules]]\nwords = ['ok', '']\n", "empty"),
        ("[[rules]]\nwords = ['\u200b']\n".encode(), "empty"),
        (b"[[rules]]\npatterns = ['']\n", "empty"),
        (b"\xff\xfe", "list.toml"),
    ],
    ids=["toml", "field", "type", "pattern", "no word", "unseen word", "no pattern", "bytes"],
)
def test_bad_file_is_refused_with_its_name(tmp_path, content, hint):
    file = tmp_path / "list.toml"
    file.write_bytes(content)
    with pytest.raises(ValueError, match="Unusable blocklist") as caught:
        moderation.load(file)
    assert "list.toml" in str(caught.value)
    assert hint in str(caught.value)


def test_missing_file_is_refused_with_its_name(tmp_path):
    with pytest.raises(ValueError, match=r"none\.toml"):
        moderation.load(tmp_path / "none.toml")
