"""Reports when new connections at a shared listener go to other services than before, as events."""

from collections.abc import Callable, Mapping

from router.model.addresses import join
from router.model.events import Tell
from router.model.ids import ServiceKey
from router.model.service_choice import ServiceChoice
from router.model.wording.fullness import NO_SITE_IS_READY

IsServed = Callable[[ServiceKey], bool]


class ListenerSwitches:
    """Remembers the services that each shared listener reached last, also while none is served."""

    __slots__ = ("_reached", "_tell")

    def __init__(self, tell: Tell) -> None:
        self._tell = tell
        self._reached: dict[ServiceKey, tuple[ServiceKey, ...]] = {}
        """By the service port that owns the listener."""

    def knows(self, listener: ServiceKey, chosen: ServiceKey) -> bool:
        """Whether the last check found that new connections at ``listener`` go to ``chosen``."""
        return self._reached.get(listener) == (chosen,)

    def look(
        self,
        choices: Mapping[ServiceKey, ServiceChoice],
        place_of: Callable[[ServiceKey], tuple[str, int] | None],
        is_served: IsServed,
    ) -> None:
        """Report listeners that changed services. ``place_of``: where the listener of a service
        is."""
        before, self._reached = self._reached, {}
        for listener, choice in choices.items():
            former, now = before.get(listener, ()), choice.reached(is_served)
            self._reached[listener] = now or former
            place = place_of(listener)
            if former and now and former != now and place is not None:
                gone = [key for key in former if key not in now]
                lost = [key for key in gone if key in choice.keys and not is_served(key)]
                text = f"New connections at {join(*place)} go to {_named(now)}"
                if gone:
                    text += f", no longer to {_named(gone)}"
                self._tell(
                    "warning" if lost else "info",
                    "listener-switched",
                    str(listener),
                    f"{text}: {_why(former, now, lost, choice)}.",
                )


def _why(
    former: tuple[ServiceKey, ...],
    now: tuple[ServiceKey, ...],
    lost: list[ServiceKey],
    choice: ServiceChoice,
) -> str:
    if lost:
        return f"of {_named(lost)} {NO_SITE_IS_READY}"
    if not all(key in choice.keys for key in former):
        return "its document names others now"
    came = [key for key in now if key not in former]
    if not came:
        return "its document has other weights now"
    if choice.weights:
        return f"{_named(came)} {'is' if len(came) == 1 else 'are'} served"
    return f"{_named(came)} is served, and comes first"


def _named(keys: list[ServiceKey] | tuple[ServiceKey, ...]) -> str:
    *first, last = [key.name for key in keys]
    return f"{', '.join(first)} and {last}" if first else last
