"""Readers of annotation values: each returns a value, or `InvalidText` with the reason."""

from collections.abc import Callable
from typing import Final

import msgspec

from router.documents import capacities, quantities, readers
from router.documents.readers import SITE_PATTERN_HINT, is_site_pattern
from router.documents.weights import BadWeights, weights_of
from router.kubernetes.objects import names, texts
from router.kubernetes.objects.findings import ObjectFindings
from router.kubernetes.objects.texts import InvalidText, TextReader
from router.model import limits
from router.model.specs import POLICIES, SitePolicySpec


def _share(expected: str, fits: Callable[[float], bool], usual: str) -> TextReader:
    def read(text: str) -> float | InvalidText:
        share = quantities.percent_of(text)
        if share is None or not fits(share):
            return InvalidText(
                f"expected a share {expected}, got {texts.short(text)}", f"Set {usual}"
            )
        return share

    return read


WINDOW: Final = texts.duration(limits.RATE_WINDOW_S_MIN, limits.RATE_WINDOW_S_MAX)
MARK: Final = _share("like 80%", lambda share: 0 < share < 1, "80%")
RESERVE: Final = _share("below 100%", lambda share: share < 1, "30%")
MAX_SHARE: Final = _share("above 0%", lambda share: share > 0, "40%")


def policy_name(text: str) -> str | InvalidText:
    """One of the policies."""
    if text in POLICIES:
        return text
    expected = f"expected one of {', '.join(POLICIES)}, got {texts.short(text)}"
    return InvalidText(expected, readers.nearest(text, POLICIES))


def weights(text: str) -> dict[str, int] | InvalidText:
    """Weights from ``SITE=3,SITE=1``, by site."""
    stated = [(site.strip(), weight.strip()) for site, _, weight in _halves(text)]
    found = weights_of(stated)
    return InvalidText(found.reason, found.hint) if isinstance(found, BadWeights) else found


def _halves(text: str) -> list[tuple[str, str, str]]:
    return [part.partition("=") for part in text.split(",")]


def site_capacity(text: str) -> int | str | InvalidText | None:
    """The capacity of a site: like `texts.capacity`, but not learned."""
    value = texts.capacity(text)
    if isinstance(value, str) and value.startswith("auto"):
        return InvalidText("a site's capacity is configured, not learned", "Set 10 or 15/s")
    return value


def rate(text: str) -> str | InvalidText:
    """A rate like ``10/s``."""
    per_s = capacities.per_s_of(text)
    if isinstance(per_s, float):
        return capacities.rate_text(per_s)
    return InvalidText(per_s or f"expected a rate like 10/s, got {texts.short(text)}", "")


def with_rules(
    cap: SitePolicySpec | None, address: str, text_of: Callable[[str], str], noted: ObjectFindings
) -> SitePolicySpec | None:
    """``cap`` with the sharing rules of service ``address``; None: there is neither.

    An unreadable rule shares it with no other site.
    """
    export_to = _rule(names.EXPORT_TO, text_of, noted)
    import_from = _rule(names.IMPORT_FROM, text_of, noted)
    if export_to is None and import_from is None:
        return cap
    spec = SitePolicySpec(service=address) if cap is None else cap
    return msgspec.structs.replace(spec, export_to=export_to, import_from=import_from)


def _rule(key: str, text_of: Callable[[str], str], noted: ObjectFindings) -> tuple[str, ...] | None:
    text = text_of(key).strip()
    if text in ("", "all"):
        return None
    if text == "none":
        return ()
    words = tuple(dict.fromkeys(word.strip() for word in text.split(",")))
    wrong = next((word for word in words if not is_site_pattern(word)), None)
    if wrong is None and len(words) <= limits.SHARING_PATTERNS_MAX:
        return words
    reason = f"{wrong!r:.60} names no site" if wrong is not None else "it names too many sites"
    noted.annotation(key, f"{reason}; until it is right no other site is meant", SITE_PATTERN_HINT)
    return ()
