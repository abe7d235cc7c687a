"""Events on objects of the namespace, as `kubectl describe` and `kubectl get events` show them.

Two parts of a router write them: `finding_events` the findings, `journal_events` the journal.
"""

import hashlib
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from router.kubernetes.client.api import Api
from router.kubernetes.client.errors import (
    ALREADY_EXISTS,
    FORBIDDEN,
    NOT_FOUND,
    ApiError,
    admission_step,
)
from router.kubernetes.objects.kinds import KINDS
from router.kubernetes.objects.names import PART_OF, ROUTER
from router.kubernetes.objects.objects import Object, Snapshot, stamp_of, uid_of
from router.kubernetes.objects.role_rules import OR_BIND, rule_text
from router.kubernetes.store.error_source import ErrorSource
from router.model import limits
from router.model.errors import ConfigError


def involved(snapshot: Snapshot, kind: str, name: str) -> dict[str, str]:
    """The reference of an Event to its object, with the UID if the object exists."""
    found = {"apiVersion": KINDS[kind].api_version, "kind": kind, "name": name}
    uid = uid_of(snapshot.get(kind, name))
    return {**found, "namespace": snapshot.namespace} | ({"uid": uid} if uid else {})


def event_name(prefix: str, of: str) -> str:
    """An Event's name, equal for equal ``of``, so that repeated Events are counted."""
    digest = hashlib.sha256(of.encode()).hexdigest()[:16]
    return f"{prefix[: limits.OBJECT_EVENT_NAME_CHARS].rstrip('-.')}.spillway-{digest}"


def event(
    name: str, about: Mapping[str, str], reason: str, message: str, *, is_warning: bool
) -> dict[str, Any]:
    """The Event (v1) ``name`` about an object, given as by `involved`."""
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": name, "labels": dict(PART_OF)},
        "involvedObject": dict(about),
        "reason": reason,
        "message": message[: limits.OBJECT_EVENT_CHARS],
        "type": "Warning" if is_warning else "Normal",
        "source": {"component": ROUTER},
        "reportingComponent": ROUTER,
        "reportingInstance": ROUTER,
    }


class EventWriter(ErrorSource):
    """Counts Events in the cluster. ``errors``: set if the cluster forbids Events.

    That is a warning: clients are served, and `spillway-status` has the same content. A refusal by
    a quota or a webhook is no error here, since it may concern only one object.
    """

    def __init__(self, api: Api, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        super().__init__()
        self._api, self._clock = api, clock
        self.errors: tuple[ConfigError, ...] = ()

    def stamp(self) -> str:
        """The current time as a timestamp."""
        return stamp_of(self._clock())

    async def write(self, made: Object, count: int, since: str, *, is_told: bool) -> int:
        """Record that ``made`` happened ``count`` times ``since``; its total in the cluster.

        ``is_told``: an Event for it was written before. ApiError: it was not written.
        """
        try:
            written = await self._write(made, count, since, is_told=is_told)
        except ApiError as error:
            if error.status == FORBIDDEN and not admission_step(error):
                self._found(_forbidden())
            raise
        self.forget_refusal()
        return written

    def forget_refusal(self) -> None:
        """An Event was written, or another router writes them."""
        self._found()

    async def _write(self, made: Object, count: int, since: str, *, is_told: bool) -> int:
        name = made["metadata"]["name"]
        # The type changes too: a link that was drained goes down as Normal, later it breaks.
        changes = {key: made[key] for key in ("message", "type")}
        changes["lastTimestamp"] = self.stamp()
        if is_told:
            try:
                await self._api.patch("Event", name, {**changes, "count": count})
                return count
            except ApiError as error:
                if error.status != NOT_FOUND:
                    raise  # Else it expired, as Events do within an hour: create it again.
        times = {"firstTimestamp": since, "lastTimestamp": changes["lastTimestamp"]}
        try:
            await self._api.create({**made, **times, "count": count})
        except ApiError as error:
            if error.reason != ALREADY_EXISTS:
                raise
            # An earlier router wrote it. There is no permission to get Events, but a patch returns
            # it.
            known = (await self._api.patch("Event", name, changes)).get("count")
            count += known if isinstance(known, int) else 0
            await self._api.patch("Event", name, {"count": count})
        return count

    def _found(self, *errors: ConfigError) -> None:
        self.errors = errors
        self._tell(errors)


def _forbidden() -> ConfigError:
    rule = rule_text("", "events", "create", "patch")
    return ConfigError(
        f"Role/{ROUTER}",
        "",
        "Events cannot be written: kubectl describe and kubectl get events show nothing new of "
        "this site",
        hint=f"Add to it {{{rule}}}{OR_BIND}",
        code="SW0443",
        severity="warning",
    )
