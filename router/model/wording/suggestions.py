"""Words that a person may have meant."""

from collections.abc import Iterable


def nearest(word: str, known: Iterable[str]) -> str:
    """The one of ``known`` that is most like ``word``; empty: none is."""
    from difflib import get_close_matches  # Only needed when something is wrong.

    return "".join(get_close_matches(word, list(known), n=1))


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """``did you mean shop?``, of the one of ``known`` that is nearest to ``word``; or empty."""
    near = nearest(word, known)
    return f"did you mean {near}?" if near else ""
