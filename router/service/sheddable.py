"""Which requests of a service port are shed first, by their head."""

import re

from router.model.specs import ServiceSpec


class SheddableRule:
    """Judges request heads by the field and value of `ServiceSpec.sheddable`.

    Each site judges by itself: it does not trust the class that another site gives a request.
    """

    __slots__ = ("_line", "share", "text")

    def __init__(self, text: str, share: float) -> None:
        self.text = text
        self.share = share
        """Such requests get slots of a site up to this share of them."""
        name, _, value = text.partition(":")
        self._line = re.compile(
            rb"\r\n(?i:%b):[ \t]*%b[ \t]*\r\n"
            % (re.escape(name.encode()), re.escape(value.strip().encode()))
        )

    def covers(self, head: bytes) -> bool:
        """A request with this canonical head is sheddable."""
        return self._line.search(head) is not None


def rule_of(config: ServiceSpec, known: SheddableRule | None) -> SheddableRule | None:
    """The rule of ``config``, or the ``known`` one if it is the same; None: there is none."""
    text, share = config.sheddable, config.sheddable_share
    if not text or config.protocol == "tcp":
        return None
    if known is not None and (known.text, known.share) == (text, share):
        return known
    return SheddableRule(text, share)
