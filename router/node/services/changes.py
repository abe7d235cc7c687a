"""Reports each change of a target, listener or rate once, as an event."""

from collections.abc import Callable, Iterable, Mapping

from router.balance.site_gate import RateState
from router.exchange.clients.listeners import FIRST_DOES_NOT
from router.model import limits
from router.model.addresses import join
from router.model.events import TellOfService
from router.model.ids import ServiceKey
from router.node.services.drain_share import DRAINED
from router.node.services.unsteady_targets import UnsteadyTargets
from router.service.figures import ListenerState, TargetInfo

_WAY_BACK = "It is used again once its checks are good."
_WAY_BACK_EJECTED = "It is checked after that time and used again if it answers."


class ServiceChanges:
    """Compares targets, listeners and rates with the last call.

    Reports a new target once it is ready, and nothing about a target that is no longer bound.
    """

    __slots__ = ("_down", "_errors", "_over", "_standing", "_tell", "_way_back", "unsteady")

    def __init__(self, tell: TellOfService, way_back: Callable[[ServiceKey], str]) -> None:
        """``way_back``: the commands that end the drain of a service port."""
        self._tell, self._way_back = tell, way_back
        self.unsteady = UnsteadyTargets()
        self._standing: Mapping[ServiceKey, Mapping[str, bool]] = {}
        self._down: dict[tuple[ServiceKey, str], float] = {}
        """Monotonic seconds since when a target is down that was ready before."""
        self._errors: dict[ServiceKey, str] = {}
        self._over: dict[ServiceKey, float] = {}
        """Monotonic seconds since when a rate is exceeded, by service port."""

    def look(
        self,
        standing: Mapping[ServiceKey, Mapping[str, bool]],
        targets_of: Callable[[ServiceKey], Iterable[TargetInfo]],
        listeners: Mapping[ServiceKey, ListenerState],
    ) -> None:
        """Report the differences from the last call.

        ``standing``: whether each target is ready. ``targets_of`` is called for services where that
        changed; addresses are as `join` makes them.
        """
        self._look_at_targets(standing, targets_of)
        self._look_at_listeners(listeners)

    def look_at_rates(self, rates: Mapping[ServiceKey, RateState], now: float) -> None:
        """Report rates that are exceeded now, or no longer."""
        for key, rate in rates.items():
            asked = f"{rate.asked_per_s:.1f}/s asked for over {rate.asked_s:.3g} s"
            if rate.is_over and key not in self._over:
                self._over[key] = now
                # In a window that has just begun, or ends sooner, the demand is below the rate, or
                # is a mean over more time than it was counted for.
                used_up = f"what it may take in {rate.window_s:g} s is used up"
                is_new = rate.asked_s <= limits.RATE_COUNTED_MIN_S
                why = used_up if is_new or rate.asked_per_s < rate.per_s else asked
                message = f"Service {key} is over its {rate.per_s:.6g}/s here, {why}."
                self._tell("info", "rate-exceeded", str(key), message)
            elif not (rate.is_over or rate.partly_over) and key in self._over:
                lasted = now - self._over.pop(key)
                message = (
                    f"Service {key} is below {rate.resume_per_s:.3g}/s again here, {asked}, "
                    f"after {lasted:.0f} s."
                )
                self._tell("info", "rate-kept", str(key), message)
        for key in self._over.keys() - rates.keys():
            lasted = now - self._over.pop(key)
            message = f"Service {key} has no rate here any more; it was over it for {lasted:.0f} s."
            self._tell("info", "rate-kept", str(key), message)

    def _look_at_targets(
        self,
        standing: Mapping[ServiceKey, Mapping[str, bool]],
        targets_of: Callable[[ServiceKey], Iterable[TargetInfo]],
    ) -> None:
        for key, ready in standing.items():
            before = self._standing.get(key, {})
            if ready == before:
                continue
            for target in targets_of(key):
                address = join(target.host, target.port)
                if target.ready and not before.get(address):
                    since = self._down.pop((key, address), None)
                    again = "" if since is None else f" again, after {target.since - since:.1f} s"
                    message = f"Target {address} of {key} is ready{again}."
                    self._tell("info", "target-up", address, message, service=key.name)
                elif before.get(address) and not (target.ready or target.leaving):
                    self._down[key, address] = target.since
                    if target.error == DRAINED:
                        self._tell_drained(key, address)
                        continue
                    self.unsteady.went_down(key, address, target.since)
                    self._tell(
                        "warning",
                        "target-down",
                        address,
                        f"Target {address} of {key} is down: {target.error or 'no answer'}",
                        _WAY_BACK_EJECTED if target.ejected else _WAY_BACK,
                        service=key.name,
                    )
        self._standing = standing
        self._down = {
            (key, address): since
            for (key, address), since in self._down.items()
            if address in standing.get(key, ())
        }
        self.unsteady.keep(standing)

    def _tell_drained(self, key: ServiceKey, address: str) -> None:
        message = f"Target {address} of {key} takes nothing new: its service is drained here."
        hint = f"To use it again: {self._way_back(key)}"
        self._tell("info", "target-down", address, message, hint, service=key.name)

    def _look_at_listeners(self, listeners: Mapping[ServiceKey, ListenerState]) -> None:
        errors = {
            key: state.error
            for key, state in listeners.items()
            if state.error and state.error != FIRST_DOES_NOT
        }
        for key, error in errors.items():
            free = f"Free the port, or: sitectl service set {key} --listen [IP:]PORT"
            if self._errors.get(key) != error:
                self._tell(
                    "error",
                    "listener-failed",
                    str(key),
                    f"Service {key} has no listener here: {error}",
                    listeners[key].hint or free,
                )
        over = {key: self._errors[key] for key in self._errors.keys() - errors.keys()}
        for key in over.keys() & listeners.keys():
            if listeners[key].listening:
                del over[key]
                self._tell(
                    "info", "listener-bound", str(key), f"Service {key} has a listener here now."
                )
        waiting = {key: error for key, error in over.items() if key in listeners}
        self._errors = errors | waiting
