"""A `Burst` document: when a service is saturated here, and the hook to run then."""

from typing import Any, Literal

import msgspec

from router.model import limits

BurstState = Literal["calm", "saturated"]
"""Also the name of the event that leads there."""


class SaturatedMarks(msgspec.Struct, frozen=True, kw_only=True):
    """Any figure at its mark or above says saturated; None: that figure is not looked at.

    ``used``, ``full``, ``overflow`` and ``refused`` are shares from 0 to 1. ``panic``, beside
    ``used``, is that figure over `limits.BURST_PANIC_S`, 1 and more: reached, no window is waited
    for.
    """

    used: float | None = None
    panic: float = limits.BURST_PANIC_SHARE
    full: float | None = None
    queue_wait_s: float | None = None
    overflow: float | None = None
    refused: float = limits.BURST_REFUSED_SHARE


class CalmMarks(msgspec.Struct, frozen=True, kw_only=True):
    """All figures at these or below for ``for_s`` say calm; None: half the saturated mark."""

    used: float | None = None
    full: float | None = None
    queue_wait_s: float | None = None
    overflow: float | None = None
    refused: float | None = None
    for_s: float = limits.BURST_CALM_FOR_S


class WebhookSpec(msgspec.Struct, frozen=True, kw_only=True):
    """A POST of JSON. ``secret``: the file ``secrets/webhooks/NAME`` that signs it; empty: none.

    ``timeout_s``: of one try, of at most ``tries``.
    """

    url: str
    secret: str = ""
    timeout_s: float = limits.BURST_WEBHOOK_TIMEOUT_S
    tries: int = limits.BURST_WEBHOOK_TRIES


class BurstSpec(msgspec.Struct, frozen=True, kw_only=True):
    """A burst hook: exactly one of ``webhook``, ``command`` and ``object``.

    ``timeout_s``: of a run of the command, or of a whole attempt at the object. ``object``: a
    Kubernetes manifest, there while saturated. Texts in ``command`` and ``object`` may hold
    ``{{name}}`` (`documents.templates`).
    """

    service: str
    window_s: float = limits.BURST_WINDOW_S
    saturated: SaturatedMarks
    calm: CalmMarks = CalmMarks()
    cool_down_s: float = limits.BURST_COOL_DOWN_S
    timeout_s: float = limits.BURST_RUN_S
    webhook: WebhookSpec | None = None
    command: tuple[str, ...] = ()
    object: dict[str, Any] | None = None

    @property
    def kind(self) -> Literal["webhook", "command", "object"]:
        """Kind of the hook."""
        if self.webhook is not None:
            return "webhook"
        return "command" if self.command else "object"
