"""Messages refused by one end of a link, as events and as problems."""

from collections.abc import Callable

from router.model.events import Problem, Tell
from router.model.ids import SiteId
from router.model.limits import (
    EVENT_BUDGETS_MAX,
    REFUSED_MESSAGE_EVENTS_BURST,
    REFUSED_MESSAGE_EVENTS_PER_S,
    REFUSED_MESSAGES_SHOWN_S,
)
from router.model.token_bucket import TokenBuckets
from router.service.sites.refused_messages import RefusedMessage, RefusedMessages

SHOWN_MAX = 16
"""The most problems of this kind at once; more would add nothing."""

_LATELY = f" in the last {REFUSED_MESSAGES_SHOWN_S / 60:.0f} min"
"""The routers may agree by now: one of them may have been updated."""

HINT = "Compare the two routers: sitectl version at both sites, then update the older one"

_TEXTS = {
    "request-refused-here": "This site refused requests for {service} as {site} sent them",
    "request-refused-there": "{site} refused requests for {service} as this site sent them",
    "response-refused-here": "This site refused responses of {service} as {site} sent them",
}


class MessageNews:
    """Reports them with the name of the other site, a bounded number at once for each site."""

    __slots__ = ("_budgets", "_messages", "_name", "_now", "_tell")

    def __init__(
        self,
        messages: RefusedMessages,
        name: Callable[[SiteId], str],
        tell: Tell,
        now: Callable[[], float],
    ) -> None:
        self._messages, self._name, self._tell, self._now = messages, name, tell, now
        self._budgets = TokenBuckets(
            REFUSED_MESSAGE_EVENTS_BURST, REFUSED_MESSAGE_EVENTS_PER_S, EVENT_BUDGETS_MAX
        )
        messages.tell = self._refused

    def problems(self) -> list[Problem]:
        """One problem for each recent service, site and refusal, the latest first."""
        latest = self._messages.recent()[: -SHOWN_MAX - 1 : -1]
        return [
            Problem(code="SW0330", message=self._text(message, _LATELY), hint=HINT)
            for message in latest
        ]

    def _refused(self, message: RefusedMessage) -> None:
        if self._budgets.take(message.site, self._now()):
            text = self._text(message)
            self._tell("warning", "message-refused", self._name(message.site), text, HINT)

    def _text(self, message: RefusedMessage, when: str = "") -> str:
        text = _TEXTS[message.refusal]
        begun = text.format(service=message.service, site=self._name(message.site))
        claim = ""
        if message.claimed not in ("", message.site):
            claim = f" (it says that they came in at {self._name(SiteId(message.claimed))})"
        return f"{begun}{claim}{when}: the routers did not agree on what valid HTTP over a link is."
