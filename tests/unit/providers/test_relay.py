"""What resellers share: words make a refusal more exact, and never change what it allows."""

import pytest

from portico.core.upstreams import Trouble
from portico.providers.relay import Worded, files_at

REFUSALS = Worded(
    code_at=("code",),
    codes={"broke": Trouble.CREDIT},
    words_at=("words",),
    words={"*own words*": Trouble.MODEL},
)


@pytest.mark.parametrize(
    ("status", "words", "trouble"),
    [
        (400, "Content does not meet SAFETY guidelines.", Trouble.CONTENT),
        (400, "In our own words", Trouble.MODEL),
        (400, "insufficient credits", Trouble.CREDIT),
        (400, "no idea", Trouble.REQUEST),
        (400, None, Trouble.REQUEST),
        (400, {"a": 1}, Trouble.REQUEST),
        # words may be anybody's: they never make a start safe to repeat
        (500, "insufficient credits", Trouble.AMBIGUOUS),
        (409, "unknown model", Trouble.AMBIGUOUS),
        (401, "safety guidelines", Trouble.CREDENTIAL),
        (429, "safety guidelines", Trouble.BUSY),
        (400, "a" * 10_000 + "safety guidelines", Trouble.REQUEST),
    ],
)
def test_words_tell_one_wrong_request_from_another(status, words, trouble):
    assert REFUSALS.of(status, {"words": words}) is trouble


def test_code_counts_more_than_words():
    assert REFUSALS.of(400, {"code": "broke", "words": "safety guidelines"}) is Trouble.CREDIT


@pytest.mark.parametrize("urls", [None, "https://a/b", {"0": "https://a/b"}, [7, None, "ftp://a"]])
def test_only_addresses_are_results(urls):
    assert files_at(urls) == ()
