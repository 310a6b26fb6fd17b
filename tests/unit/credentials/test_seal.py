"""Sealed secrets open for the same installation, row and column, and for nobody else."""

import pytest

from portico.credentials import CALLBACK, SECRET, Seal, UnsealedError

KEY = "sk-canary-c0ffee"
SEAL = Seal(b"s" * 32)


def sealed() -> str:
    return SEAL.close(KEY, name="main", what=SECRET)


def test_sealed_secret_opens_again():
    assert Seal(b"s" * 32).open(sealed(), name="main", what=SECRET) == KEY


def test_sealed_text_shows_nothing_and_is_never_the_same_twice():
    assert KEY not in sealed()
    assert sealed() != sealed()
    assert sealed().startswith("1.")
    assert "s" * 8 not in repr(SEAL)


def test_another_installation_is_told_what_is_wrong():
    with pytest.raises(UnsealedError, match="another PORTICO_SECRET_KEY"):
        Seal(b"t" * 32).open(sealed(), name="main", what=SECRET)


@pytest.mark.parametrize(("name", "what"), [("other", SECRET), ("main", CALLBACK)])
def test_secret_opens_in_no_other_row_or_column(name, what):
    with pytest.raises(UnsealedError, match="moved here"):
        SEAL.open(sealed(), name=name, what=what)


@pytest.mark.parametrize("at", range(12, 40, 3))
def test_changed_text_does_not_open(at):
    text = sealed()
    spoilt = text[:at] + ("A" if text[at] != "A" else "B") + text[at + 1 :]
    with pytest.raises(UnsealedError):
        SEAL.open(spoilt, name="main", what=SECRET)


@pytest.mark.parametrize("text", ["", "1", "2.abcdef01.AAAA", KEY, "1..", "ü.1.2"])
def test_text_that_was_never_sealed_does_not_open(text):
    with pytest.raises(UnsealedError) as caught:
        SEAL.open(text, name="main", what=SECRET)
    assert KEY not in str(caught.value)


def test_cut_text_of_our_own_key_does_not_open():
    head = sealed().rpartition(".")[0]
    for rest in ("", "AAAA", "ü", "A" * 7):
        with pytest.raises(UnsealedError, match="damaged"):
            SEAL.open(f"{head}.{rest}", name="main", what=SECRET)
