"""Wakes by burst hooks of this site, by service: passed to each port, also to later ones."""

from collections.abc import Mapping

from router.balance.site.wake_hold import Wake
from router.model.ids import ServiceKey
from router.service.service import Service


class BurstWakes:
    """The owner of the wakes. ``services``: the present ones."""

    __slots__ = ("_known", "_services")

    def __init__(self, services: Mapping[ServiceKey, Service]) -> None:
        self._services = services
        self._known: dict[str, tuple[Wake | None, bool]] = {}

    def set(self, service: str, wake: Wake | None, has_hook: bool) -> None:
        """See `WakeState.set_wake`. The same values again change nothing."""
        if self._known.get(service, (None, False)) == (wake, has_hook):
            return
        self._known[service] = wake, has_hook
        if not has_hook:
            del self._known[service]
        for key, one in self._services.items():
            if key.name == service:
                one.wake_state.set_wake(wake, has_hook=has_hook)

    def tell(self, service: Service) -> None:
        """``service`` is new: pass it its wake."""
        wake, has_hook = self._known.get(service.key.name, (None, False))
        service.wake_state.set_wake(wake, has_hook=has_hook)
