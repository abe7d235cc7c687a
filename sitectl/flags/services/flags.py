"""The flags of what a service's declaration says, as one value: of `service create` and `set`."""

from typing import Any

import msgspec

from router.model.settings import Isolation
from router.model.specs import ServiceSpec
from sitectl.base.options import flags_as
from sitectl.flags.rows import row_flags, values_of
from sitectl.flags.services.policy import (
    QUEUE_DEFAULT,
    policy_flags,
    policy_of,
    request_id_flag,
    request_id_of,
)
from sitectl.flags.services.service import handling_changes, timeout_flags
from sitectl.flags.services.sessions import affinity_of


class ServiceFlags(msgspec.Struct, frozen=True, kw_only=True):
    """As typed; None and empty: not given."""

    policy: str | None = None
    weights: tuple[str, ...] = ()
    spill_at: str | None = None
    isolation: Isolation | None = None
    queue: int | None = None
    affinity: str | None = None
    request_id: str | None = None
    timeouts: tuple[str, ...] = ()
    ceilings: tuple[str, ...] = ()

    @property
    def is_given(self) -> bool:
        """Whether any of them was typed."""
        return self != ServiceFlags() or bool(values_of("Service"))

    def changes(self, before: ServiceSpec, protocol: str) -> dict[str, Any]:
        """The fields of ``before`` that they set, of a service that will speak ``protocol``.

        Failure: the flags do not fit the service.
        """
        changes = values_of("Service")
        if self.queue is not None:
            changes["queue"] = None if self.queue == QUEUE_DEFAULT else self.queue
        if self.request_id is not None:
            changes["request_id"] = request_id_of(self.request_id)
        if self.affinity is not None:
            changes["affinity"] = affinity_of(self.affinity)
        if self.weights or (self.policy, self.spill_at, self.isolation) != (None, None, None):
            changes["policy"] = policy_of(
                self.policy, self.weights, self.spill_at, self.isolation, before.policy
            )
        return changes | handling_changes(self.timeouts, self.ceilings, before, protocol)


service_flags = flags_as(
    "asked",
    ServiceFlags,
    policy_flags,
    request_id_flag,
    row_flags("Service"),
    timeout_flags,
)
