"""With whom a service is shared, as annotations say it. What cannot be read shares with nobody."""

from collections.abc import Callable

import msgspec

from router.documents.readers import SITE_PATTERN_HINT, is_site_pattern
from router.kubernetes.objects import names
from router.kubernetes.objects.findings import ObjectFindings
from router.model import limits
from router.model.specs import SitePolicySpec


def with_rules(
    cap: SitePolicySpec | None, address: str, text_of: Callable[[str], str], noted: ObjectFindings
) -> SitePolicySpec | None:
    """``cap`` with the rules of service ``address``; None: nothing is said of either."""
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
