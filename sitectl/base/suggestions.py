"""Words that a person may have meant."""

from collections.abc import Iterable


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """``did you mean shop?``, of the one of ``known`` that is nearest to ``word``; or empty."""
    from difflib import get_close_matches  # Only needed when something is wrong.

    near = get_close_matches(word, sorted(known), n=1)
    return f"did you mean {near[0]}?" if near else ""
