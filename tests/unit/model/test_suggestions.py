"""Words that are nearly known."""

from hypothesis import given
from hypothesis import strategies as st

from router.model.wording.suggestions import did_you_mean

WORDS = st.text("abcdefgh-", min_size=1, max_size=12)


@given(word=WORDS, known=st.sets(WORDS))
def test_only_known_words_are_suggested(word: str, known: set[str]) -> None:
    said = did_you_mean(word, known)
    assert said in {"", *(f"did you mean {one}?" for one in known)}
    if word in known:
        assert said == f"did you mean {word}?"
