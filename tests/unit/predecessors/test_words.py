"""The words of an SQL text: whatever the pieces it is read in, and whatever it holds."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portico.core.errors import PorticoError
from portico.predecessors import words as module
from portico.predecessors.words import END, Sort, Word, Words

ODD = "'\"`\\\n\r\t\x00\x1a;-#/*%_(), aé猫\U0001f408"
_WRITTEN = {
    "\\": "\\\\", "'": "\\'", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t", "\x00": "\\0",
    "\x1a": "\\Z",
}  # fmt: skip


def read(text, piece_bytes, monkeypatch):
    monkeypatch.setattr(module, "PIECE_BYTES", piece_bytes)
    return list(Words(io.BytesIO(text.encode() if isinstance(text, str) else text)))


def quoted(text):
    return "'" + "".join(_WRITTEN.get(letter, letter) for letter in text) + "'"


@given(st.lists(st.text(ODD, max_size=12), max_size=6), st.integers(1, 40))
def test_any_text_comes_back_whatever_the_pieces(texts, piece_bytes):
    with pytest.MonkeyPatch.context() as patch:
        found = read(",".join(map(quoted, texts)), piece_bytes, patch)
    assert [word.text for word in found if word.sort is Sort.STRING] == texts


@given(st.lists(st.text(ODD, max_size=12), max_size=6), st.integers(1, 40))
def test_skipping_a_statement_ends_after_its_own_semicolon(texts, piece_bytes):
    inside = ",".join(map(quoted, texts))
    text = f'LET `a;b` BE ({inside}) /* ; \' */ -- ; \'\n # ; "\n, "x;""" ; NEXT'
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "PIECE_BYTES", piece_bytes)
        words = Words(io.BytesIO(text.encode()))
        words.skip_statement()
        assert (words.next(), words.next()) == (Word(Sort.WORD, "NEXT"), END)


def test_reading_begins_at_an_offset_it_gave_before(monkeypatch):
    monkeypatch.setattr(module, "PIECE_BYTES", 3)
    file = io.BytesIO(b"one 'two' `three` four")
    words = Words(file)
    words.next()
    words.next()
    assert [word.text for word in Words(file, words.offset)] == ["three", "four"]


def test_doubled_quotes_are_one_and_unknown_escapes_are_their_letter(monkeypatch):
    found = read(r"""'it''s' "a""b" '\q\%' `a``b`""", 5, monkeypatch)
    assert [word.text for word in found] == ["it's", 'a"b', r"q\%", "a`b"]


@pytest.mark.parametrize("piece_bytes", range(1, 20))
def test_numbers_keep_their_signs(piece_bytes, monkeypatch):
    found = read("(-1,+2.5,1e-3,NULL)", piece_bytes, monkeypatch)
    assert [word.text for word in found if word.text not in "(),"] == [
        "-1", "+2.5", "1e-3", "NULL",
    ]  # fmt: skip


@pytest.mark.parametrize("text", ["'never ends", '"never', "`never", "/* never", "x '\\'"])
def test_word_without_an_end_is_a_clear_error(text, monkeypatch):
    with pytest.raises(PorticoError, match="is it complete"):
        read(text, 4, monkeypatch)


def test_value_beyond_the_limit_is_refused_and_not_read_on(monkeypatch):
    monkeypatch.setattr(module, "WORD_BYTES_MAX", 100)
    file = io.BytesIO(b"'" + b"x" * 100_000)
    monkeypatch.setattr(module, "PIECE_BYTES", 10)
    with pytest.raises(PorticoError, match="more than 100 bytes"):
        list(Words(file))
    assert file.tell() < 1_000


def test_bytes_of_no_text_do_no_harm(monkeypatch):
    found = read(b"'\xff\xfe' \xff `\xfe`", 3, monkeypatch)
    assert [word.sort for word in found] == [Sort.STRING, Sort.WORD, Sort.NAME]
