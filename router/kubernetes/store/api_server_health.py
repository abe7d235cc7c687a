"""Problems of a store with the API server: kinds that may not be read, and missing answers.

Findings: SW0432 a kind that may not be read; SW0439 the API server gives no usable answer.
"""

import asyncio
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Final

from router.kubernetes.client.errors import (
    FORBIDDEN,
    LATE,
    MALFORMED,
    SILENT,
    UNAUTHORIZED,
    UNTRUSTED,
    ApiError,
    ServerSilence,
)
from router.kubernetes.objects.names import ROUTER
from router.kubernetes.objects.objects import stamp_of
from router.kubernetes.objects.remote_permissions import read_rule
from router.kubernetes.store.informer import Informer
from router.model import limits
from router.model.errors import ConfigError

_ROLE: Final = f"Role/{ROUTER}"
_KINDS_NAMED_MAX: Final = 2  # Of more it is the server.


class ApiServerHealth:
    """Findings from the mirrors of a namespace, as of the call."""

    def __init__(self, informers: Iterable[Informer]) -> None:
        self._informers = tuple(informers)
        self._asked: Callable[[], ServerSilence | None] = _nothing
        self._rights_came_back: Callable[[], None] = _nobody
        self._away_since = ""  # UTC, human-readable; empty: the server answers.
        self._away_kind = ""  # The fault of which that is the time: see `_kind_of`.
        self._silent: set[Informer | None] = set()  # None: calls are silent.
        self._forbidden: set[Informer] = set()

    def follow(self, asked: Callable[[], ServerSilence | None]) -> None:
        """``asked``: returns the silence that calls meet.

        A watch takes minutes to notice that a server hangs.
        """
        self._asked = asked

    def follow_rights(self, came_back: Callable[[], None]) -> None:
        """``came_back``: called when the server permits to read again what it refused before."""
        self._rights_came_back = came_back

    def look(self) -> None:
        """After any news: when the server answers one again, or permits it to read again, no other
        waits any longer to ask.
        """
        silent: set[Informer | None] = {i for i in self._informers if i.silence is not None}
        if self._asked() is not None:
            silent.add(None)
        if self._silent - silent:
            for informer in self._informers:
                informer.note_answer()
        self._silent = silent
        forbidden = {i for i in self._refused() if i.refused and i.refused.status == FORBIDDEN}
        if self._forbidden - forbidden:
            for informer in forbidden:
                informer.note_rights()
            self._rights_came_back()
        self._forbidden = forbidden

    @property
    def due_s(self) -> float | None:
        """Seconds until `errors` may differ without a change; None: never."""
        now = asyncio.get_running_loop().time()
        begun = [] if self._away_since else [one.since for one in self._silences()]
        begun += [one.refused_since for one in self._refused() if not _lasts(one, now)]
        if not begun:
            return None
        return max(limits.OBJECTS_SETTLE_MAX_S, min(begun) + limits.API_AWAY_S - now)

    def errors(self, others: Iterable[ConfigError] = ()) -> Iterator[ConfigError]:
        """``others``, the findings about other calls, and the current problems.

        Without any right, one finding stands for all that name the Role: further rules of it would
        not help.
        """
        now = asyncio.get_running_loop().time()
        refused = {one.kind: one.refused for one in self._refused() if _lasts(one, now)}
        if refused.keys() == {i.kind for i in self._informers if not i.selection.optional}:
            told = list(others)
            yield from (one for one in told if one.source != _ROLE)
            is_written = not any(one.source == _ROLE and one.code == "SW0432" for one in told)
            yield _without_rights(next(iter(refused.values())), is_written=is_written)
        else:
            yield from others
            yield from self._unread(refused)
        yield from self._away()

    def _unread(self, refused: Mapping[str, ApiError | None]) -> Iterator[ConfigError]:
        """Kinds that we may not read, each once, with the rule that permits it."""
        for kind, error in sorted(refused.items()):
            assert error is not None, "of those that are refused"
            yield ConfigError(
                _ROLE,
                "rules",
                f"{kind} objects cannot be read: {error.message}",
                hint=f"Add to it {read_rule(kind)}",
                code="SW0432",
            )

    def _refused(self) -> list[Informer]:
        """Mirrors of kinds that every cluster has and that we may not read."""
        return [i for i in self._informers if i.refused is not None and not i.selection.optional]

    def _silences(self) -> list[ServerSilence]:
        """Silences of mirrors of kinds that every cluster has, and of other calls."""
        informers = (i.silence for i in self._informers if not i.selection.optional)
        return [one for one in (*informers, self._asked()) if one is not None]

    def _away(self) -> Iterator[ConfigError]:
        """The finding that the server has been away for more than a moment, and since when."""
        now = asyncio.get_running_loop().time()
        silences = self._silences()
        away_s = now - min((one.since for one in silences), default=now)
        if away_s < limits.API_AWAY_S:
            self._away_since = ""
            return
        fault = silences[0].fault
        if not self._away_since or _kind_of(fault) != self._away_kind:
            fault_s = 0.0 if self._away_since else away_s  # A fault after another begins now.
            self._away_since = stamp_of(datetime.fromtimestamp(time.time() - fault_s, UTC))
            self._away_kind = _kind_of(fault)
        what, hint = _told(fault, self._away_since)
        counts = self._what_counts() if fault.status else "; what was known then serves"
        yield ConfigError("Kubernetes", "", what + counts, hint=hint, code="SW0439")

    def _what_counts(self) -> str:
        """The end of a sentence that says which errors the server answers with."""
        required = [i for i in self._informers if not i.selection.optional]
        silent = sorted({i.kind for i in required if i.silence is not None})
        if not silent:
            return (
                f" when Lease/{ROUTER} is renewed, without which this router writes no Service, "
                "Event or status; it goes on reading objects"
            )
        if len(silent) <= _KINDS_NAMED_MAX:
            return f" for {' and '.join(silent)} objects; what was known of them then serves"
        return "; what was known then serves"


def _lasts(refused: Informer, now: float) -> bool:
    """Whether the refusal lasts: a starting API server refuses all until it has read the Roles."""
    return now >= refused.refused_since + limits.API_AWAY_S


def _without_rights(error: ApiError | None, *, is_written: bool) -> ConfigError:
    """The finding that no kind may be read: the Role is empty, or no longer bound."""
    unwritten = "" if is_written else ", so no Service, Event or status is written"
    return ConfigError(
        _ROLE,
        "",
        f"this router has no right in its namespace{unwritten}: {error}",
        hint=f"Give Role {ROUTER} and its RoleBinding back: sitectl update, or what made the site. "
        "sitectl check names what is missing",
        code="SW0432",
    )


def _nothing() -> ServerSilence | None:
    """Placeholder until `ApiServerHealth.follow` is called."""


def _nobody() -> None:
    """Placeholder until `ApiServerHealth.follow_rights` is called."""


def _kind_of(fault: ApiError) -> str:
    """Faults of one kind have one sentence in `_told`."""
    if fault.status == UNAUTHORIZED:
        return "token"
    if fault.reason == UNTRUSTED:
        return "certificate"
    return "errors" if fault.status or fault.reason == MALFORMED else "no answer"


def _told(fault: ApiError, since: str) -> tuple[str, str]:
    """Why no news of objects arrives since then, and the next step."""
    kind = _kind_of(fault)
    if kind == "token":
        return (
            f"the API server refuses this router's token since {since} ({fault.message})",
            f"See that ServiceAccount/{ROUTER} exists. A new pod gets a new token: "
            "sitectl update --force-restart",
        )
    if kind == "certificate":
        return (
            f"{fault.message}, since {since}",
            "Compare it with ca.crt in ConfigMap/kube-root-ca.crt. A new pod takes that one: "
            "sitectl update --force-restart",
        )
    if kind == "errors":
        status = f"HTTP {fault.status}: " if fault.status else ""
        text = status + fault.message if status.strip(": ") != fault.message else fault.message
        return (
            f"the API server answers with errors since {since} ({text})",
            "Look at the API server: kubectl get --raw '/readyz?verbose'",
        )
    what = (
        f"the API server does not answer in time since {since}"  # It may answer, but late.
        if fault.reason == LATE
        else f"the API server does not answer since {since} ({fault.message.removeprefix(SILENT)})"
    )
    return what, "Look at the API server and at the network policies to it"
