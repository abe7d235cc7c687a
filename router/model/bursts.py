"""A `Burst` document: when a service is saturated here, and the hook to run then."""

from typing import Any, Literal

import msgspec

from router.model import limits

BurstState = Literal["calm", "saturated"]
"""Also the code of the event that reports a change to this state."""


class SaturatedMarks(msgspec.Struct, frozen=True, kw_only=True):
    """A service is saturated when any figure reaches its mark. None: that figure is ignored.

    ``used``, ``full``, ``overflow`` and ``refused`` are shares from 0 to 1. ``panic`` is the mark
    of ``used`` over the shorter `limits.BURST_PANIC_S`, 1 or more: reaching it takes effect at
    once, without waiting for a whole window.
    """

    used: float | None = None
    panic: float = limits.BURST_PANIC_SHARE
    full: float | None = None
    queue_wait_s: float | None = None
    overflow: float | None = None
    refused: float = limits.BURST_REFUSED_SHARE


class CalmMarks(msgspec.Struct, frozen=True, kw_only=True):
    """A burst is calm when all figures stay at or below these for ``for_s``. None: half the
    saturated mark.
    """

    used: float | None = None
    full: float | None = None
    queue_wait_s: float | None = None
    overflow: float | None = None
    refused: float | None = None
    for_s: float = limits.BURST_CALM_FOR_S


class WebhookSpec(msgspec.Struct, frozen=True, kw_only=True):
    """A POST of JSON, signed with the file ``secrets/webhooks/NAME`` that ``secret`` names (empty:
    none).

    ``timeout_s`` limits each of at most ``tries`` attempts.
    """

    url: str
    secret: str = ""
    timeout_s: float = limits.BURST_WEBHOOK_TIMEOUT_S
    tries: int = limits.BURST_WEBHOOK_TRIES


class BurstSpec(msgspec.Struct, frozen=True, kw_only=True):
    """A burst hook: exactly one of ``webhook``, ``command`` and ``object``.

    ``timeout_s``: of a run of the command, or of a whole attempt at the object. ``object``: a
    Kubernetes manifest that exists while the service is saturated. Texts in ``command`` and
    ``object`` may contain ``{{name}}`` (`documents.templates`).
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
