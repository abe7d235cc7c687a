"""Values of annotations of one object, each read from its text: a value, or what is `Wrong`."""

from collections.abc import Callable
from typing import Final

from router.documents import capacities, quantities, readers
from router.documents.weights import BadWeights, weights_of
from router.kubernetes.objects import texts
from router.kubernetes.objects.texts import TextReader, Wrong
from router.model import limits
from router.model.specs import POLICIES


def _share(expected: str, fits: Callable[[float], bool], usual: str) -> TextReader:
    def read(text: str) -> float | Wrong:
        share = quantities.percent_of(text)
        if share is None or not fits(share):
            return Wrong(f"expected a share {expected}, got {texts.short(text)}", f"Set {usual}")
        return share

    return read


WINDOW: Final = texts.duration(limits.RATE_WINDOW_S_MIN, limits.RATE_WINDOW_S_MAX)
MARK: Final = _share("like 80%", lambda share: 0 < share < 1, "80%")
RESERVE: Final = _share("below 100%", lambda share: share < 1, "30%")
MAX_SHARE: Final = _share("above 0%", lambda share: share > 0, "40%")


def policy_name(text: str) -> str | Wrong:
    """One of the policies."""
    if text in POLICIES:
        return text
    expected = f"expected one of {', '.join(POLICIES)}, got {texts.short(text)}"
    return Wrong(expected, readers.nearest(text, POLICIES))


def weights(text: str) -> dict[str, int] | Wrong:
    """``SITE=3,SITE=1`` by site."""
    stated = [(site.strip(), weight.strip()) for site, _, weight in _halves(text)]
    found = weights_of(stated)
    return Wrong(found.reason, found.hint) if isinstance(found, BadWeights) else found


def _halves(text: str) -> list[tuple[str, str, str]]:
    return [part.partition("=") for part in text.split(",")]


def capacity(text: str) -> int | str | Wrong | None:
    """What each target takes: ``10``, ``15/s`` or ``auto``."""
    value = capacities.stated(text)
    if not isinstance(value, str):
        return capacities.spec_value(value)
    reason = value or f"expected a capacity like 10, 15/s or auto, got {texts.short(text)}"
    return Wrong(reason, capacities.HINT)


def site_capacity(text: str) -> int | str | Wrong | None:
    """What a site takes: `capacity`, but not learned."""
    value = capacity(text)
    if isinstance(value, str) and value.startswith("auto"):
        return Wrong("a site's capacity is configured, not learned", "Set 10 or 15/s")
    return value


def rate(text: str) -> str | Wrong:
    """``10/s``."""
    per_s = capacities.per_s_of(text)
    if isinstance(per_s, float):
        return capacities.rate_text(per_s)
    return Wrong(per_s or f"expected a rate like 10/s, got {texts.short(text)}", "")
