"""The verbs of an API client, written once: steps that wait for answers. Pure.

A driver sends each `ApiAttempt` and returns its answer, or an `ApiError` if none came. `api.Api`
drives them on an event loop, `sitectl.kubernetes.cluster.Cluster` in the calling thread.
"""

import random
from collections.abc import Callable, Generator, Mapping, Sequence
from typing import Any, Final, TypeVar

import msgspec

from router.kubernetes.client import api_calls
from router.kubernetes.client.api_calls import (
    ALL_NAMESPACES,
    APPLY_PATCH,
    JSON,
    JSON_PATCH,
    MERGE_PATCH,
    ApiAnswer,
    ApiCall,
    Page,
    namespace_of,
    path_of,
    typed,
)
from router.kubernetes.client.errors import (
    FORBIDDEN,
    NO_ANSWER,
    NOT_FOUND,
    TOO_LARGE,
    TOO_MANY,
    ApiError,
    backoff_s,
    decoded,
    malformed,
    not_ready,
    refused,
)
from router.kubernetes.client.starting import READY, ServerStart
from router.kubernetes.objects.access_levels import AccessLevel
from router.kubernetes.objects.kinds import KINDS, KindInfo
from router.kubernetes.objects.names import FIELD_MANAGER
from router.kubernetes.objects.objects import Object, name_of
from router.model import limits

Body = dict[str, Any]
Result = TypeVar("Result")


class ApiAttempt(msgspec.Struct, frozen=True):
    """Send ``call`` after a wait of ``after_s``; no answer within ``timeout_s`` is an error."""

    call: ApiCall
    timeout_s: float
    after_s: float = 0.0


Steps = Generator[ApiAttempt, ApiAnswer | ApiError, Result]


class RetryPolicy(msgspec.Struct, frozen=True):
    """How often, how long and after which statuses a call is sent again. 0: no answer.

    A call that may be done only once is sent again only after 429: then it was not begun.
    ``awaits_roles``: a refusal counts only by a server that has read the Roles (`ServerStart`).
    """

    attempts_max: int = limits.API_ATTEMPTS_MAX
    call_s: float = limits.API_CALL_S
    attempt_s: float = limits.API_ATTEMPT_S
    repeatable: frozenset[int] = frozenset({NO_ANSWER, TOO_MANY, 500, 502, 503, 504})
    awaits_roles: bool = True


ROUTER: Final = RetryPolicy()
PERSON: Final = RetryPolicy(
    limits.API_PERSON_ATTEMPTS_MAX,
    limits.API_PERSON_CALL_S,
    limits.API_PERSON_ATTEMPT_S,
    frozenset({TOO_MANY, 503}),
    awaits_roles=False,
)
"""For commands: an unreachable server is reported at once."""


class ApiVerbs:
    """The verbs over one API server, seen from ``namespace``. ``clock``: monotonic seconds.

    Kinds are named as in `KINDS`. ``namespace`` of a verb: another than the client's, or
    `ALL_NAMESPACES` for lists.
    """

    __slots__ = ("_as_us", "_clock", "_policy", "_rng", "_served", "_start", "namespace")

    def __init__(
        self,
        namespace: str,
        rng: random.Random,
        clock: Callable[[], float],
        policy: RetryPolicy = ROUTER,
        manager: str = FIELD_MANAGER,
    ) -> None:
        self.namespace = namespace
        self._rng, self._clock, self._policy = rng, clock, policy
        self._as_us = {"fieldManager": manager}
        self._served: dict[str, str] = {}
        self._start = ServerStart()

    # Versions -------------------------------------------------------------------------------

    def use_version(self, api_version: str) -> None:
        """Use ``api_version`` instead of the version in `KINDS` for the kinds of its group."""
        self._served[api_version.rpartition("/")[0]] = api_version

    def info(self, kind: str) -> KindInfo:
        """Path and version of objects of ``kind``."""
        info = KINDS[kind]
        version = self._served.get(info.api_version.rpartition("/")[0], info.api_version)
        return (
            info
            if version == info.api_version
            else msgspec.structs.replace(info, api_version=version)
        )

    # Reading --------------------------------------------------------------------------------

    def get(self, kind: str, name: str, *, namespace: str = "") -> Steps[Body]:
        """The object; ApiError 404: there is none."""
        found = yield from self._object(self._call("get", "GET", kind, name, namespace))
        if name_of(found) != name:  # A proxy in between may answer with any object.
            raise malformed(f"no {kind} {name}")
        return found

    def find(self, kind: str, name: str, *, namespace: str = "") -> Steps[Body | None]:
        """The object, or None."""
        return (yield from _if_there(self.get(kind, name, namespace=namespace)))

    def pages(
        self, kind: str, *, labels: str = "", fields: str = "", namespace: str = ""
    ) -> "ListPages":
        """All objects of ``kind``, page by page."""
        selected = api_calls.selectors(labels, fields)
        return ListPages(self, self.info(kind), namespace or self.namespace, selected)

    def list(
        self, kind: str, *, labels: str = "", fields: str = "", namespace: str = ""
    ) -> Steps[Page]:
        """All objects of ``kind`` at once."""
        for is_last in (False, True):
            pages = self.pages(kind, labels=labels, fields=fields, namespace=namespace)
            items: list[Body] = []
            version = ""
            try:
                while (page := (yield from pages.next_page())) is not None:
                    version = page.version
                    items += page.items
            except ApiError as error:
                if is_last or not error.is_gone:
                    raise
                continue  # The list expired between two pages.
            return Page(items, version)
        raise AssertionError("unreachable: the last round returns or raises")

    def allows(self, attributes: Mapping[str, str], *, namespace: str = "") -> Steps[bool]:
        """Whether we may do this: ``verb``, ``resource``, ``group``, ``name``, ``subresource``."""
        info = KINDS["SelfSubjectAccessReview"]
        asked = {"resourceAttributes": {"namespace": namespace or self.namespace, **attributes}}
        question = {"apiVersion": info.api_version, "kind": info.kind, "spec": asked}
        answer = yield from self._ask(path_of(info, ALL_NAMESPACES), question)
        return api_calls.is_allowed(answer)

    def review(self, path: str, question: Object) -> Steps[Body]:
        """The status of a review, which the server answers and does not store."""
        return (yield from self._ask(path, question)).get("status") or {}

    def _ask(self, path: str, question: Object) -> Steps[Body]:
        kind = str(question["kind"])
        call = ApiCall(verb="create", kind=kind, method="POST", path=path, body=question)
        return (yield from self._object(call))

    def serves(self, kind: str) -> Steps[bool]:
        """Whether the cluster has the group and version of ``kind``; True also if unknown.

        Every account may read discovery. A request for the kind itself does not show it: a server
        checks permissions first, so a missing kind gives 403 to all but administrators of the
        cluster.
        """
        try:
            yield from self._discovery(KINDS[kind].api_version)
        except ApiError as error:
            if error.status not in (NOT_FOUND, FORBIDDEN):
                raise
            return error.status == FORBIDDEN
        return True

    def creatable(self, api_version: str) -> Steps[frozenset[str]]:
        """The plurals of a group and version that the cluster serves for creation; empty: none.

        A kind that is being deleted from the cluster is not among them, although it can be listed.
        """
        found = yield from _if_there(self._discovery(api_version))
        return frozenset() if found is None else api_calls.creatable(found)

    def is_creatable(self, kind: str) -> Steps[bool]:
        """Whether `creatable` has ``kind`` in the version in use."""
        info = self.info(kind)
        return info.plural in (yield from self.creatable(info.api_version))

    def _discovery(self, api_version: str) -> Steps[bytes]:
        call = ApiCall(verb="get", kind="", method="GET", path=api_calls.group_path(api_version))
        return (yield from self.sent(call))

    def access_level(self, kind: str) -> Steps[AccessLevel]:
        """Our access to objects of a served ``kind``, by asking the server."""
        group, _, _ = KINDS[kind].api_version.rpartition("/")
        resource = {"group": group, "resource": KINDS[kind].plural}
        for verb in ("list", "watch"):
            if not (yield from self.allows({**resource, "verb": verb})):
                return AccessLevel.NONE
        status = {**resource, "subresource": "status", "verb": "update"}
        may_report = yield from self.allows(status)
        return AccessLevel.FULL if may_report else AccessLevel.READ

    # Writing --------------------------------------------------------------------------------

    def create(self, made: Object, *, namespace: str = "") -> Steps[Body]:
        """Create the object and return it. ApiError 409 ``AlreadyExists``.

        Sent again only if it was surely not carried out.
        """
        place = self._place(namespace, made)
        call = self._call("create", "POST", str(made["kind"]), "", place, body=made)
        call = msgspec.structs.replace(call, name=name_of(made), repeats=False)
        return (yield from self._object(call))

    def replace(self, whole: Object, *, subresource: str = "", namespace: str = "") -> Steps[Body]:
        """Put ``whole`` in place of the object that has its version; ApiError 409 ``Conflict``."""
        kind, place = str(whole["kind"]), self._place(namespace, whole)
        call = self._call("update", "PUT", kind, name_of(whole), place, subresource, whole)
        return (yield from self._object(call))

    def patch(
        self,
        kind: str,
        name: str,
        changes: Mapping[str, Any] | Sequence[Mapping[str, Any]],
        *,
        subresource: str = "",
        namespace: str = "",
    ) -> Steps[Body]:
        """Merge ``changes`` (None removes a field), or apply a list of JSON patch operations.

        ``metadata.resourceVersion`` in ``changes``: ApiError 409 if the object has another. A list
        is not sent twice unless it was surely not carried out.
        """
        call = self._call("patch", "PATCH", kind, name, namespace, subresource, changes)
        is_merge = isinstance(changes, Mapping)
        content_type = MERGE_PATCH if is_merge else JSON_PATCH
        call = msgspec.structs.replace(call, content_type=content_type, repeats=is_merge)
        return (yield from self._object(call))

    def apply(
        self, wanted: Object, *, force: bool = True, subresource: str = "", namespace: str = ""
    ) -> Steps[Body]:
        """Server-side apply: the fields of ``wanted`` become ours, others stay as they are."""
        kind, place = str(wanted["kind"]), self._place(namespace, wanted)
        call = self._call("patch", "PATCH", kind, name_of(wanted), place, subresource, wanted)
        params = {**call.params, "force": "true" if force else "false"}
        call = msgspec.structs.replace(call, content_type=APPLY_PATCH, params=params)
        return (yield from self._object(call))

    def delete(
        self, kind: str, name: str, *, uid: str = "", version: str = "", namespace: str = ""
    ) -> Steps[bool]:
        """Delete the object, and in the background the objects that it owns. False: there was none.

        ApiError 409: the object has another ``uid`` or ``version``.
        """
        options: Body = {
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "propagationPolicy": "Background",
        }
        meant = {"uid": uid, "resourceVersion": version}
        if uid or version:
            options["preconditions"] = {key: value for key, value in meant.items() if value}
        call = self._call("delete", "DELETE", kind, name, namespace)
        sending = self.sent(msgspec.structs.replace(call, body=options))
        return (yield from _if_there(sending)) is not None

    def send(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        body: object = None,
        content_type: str = JSON,
    ) -> Steps[Body]:
        """One call that may be repeated, for kinds that are not in `KINDS`."""
        as_us = self._as_us if method == "PATCH" else {}
        call = ApiCall(
            verb=method.lower(),
            kind="",
            method=method,
            path=path,
            params={**as_us, **(params or {})},
            body=body,
            content_type=content_type,
        )
        return (yield from self._object(call))

    def send_if_there(self, method: str, path: str, *, body: object = None) -> Steps[Body | None]:
        """Like `send`; None: 404."""
        return (yield from _if_there(self.send(method, path, body=body)))

    def sent(self, call: ApiCall) -> Steps[bytes]:
        """The body of a successful answer; sends again as long as that may help."""
        policy, after_s = self._policy, 0.0
        repeatable = policy.repeatable if call.repeats else frozenset({TOO_MANY})
        deadline = self._clock() + policy.call_s
        for attempt in range(policy.attempts_max):
            left_s = deadline - self._clock() - after_s
            answer = yield ApiAttempt(call, min(left_s, policy.attempt_s), after_s)
            if isinstance(answer, ApiError):
                error = answer
            elif 200 <= answer.status < 300:
                return answer.body
            else:
                error = refused(answer.status, answer.body, answer.retry_after_s)
            self._start.note(error)
            is_early = yield from self._is_early(error)
            error = not_ready(error) if is_early else error
            after_s = backoff_s(attempt, self._rng, error.retry_after_s)
            is_late = after_s >= deadline - self._clock()
            may_help = error.status in repeatable or error.lost_quota_race or is_early
            if not may_help or is_late or attempt == policy.attempts_max - 1:
                raise error
        raise AssertionError("unreachable: the last attempt returns or raises")

    def _is_early(self, error: ApiError) -> Steps[bool]:
        """Whether ``error`` is the refusal of a server that has not read the Roles yet."""
        if not self._policy.awaits_roles or not self._start.is_in_question(error, self._clock()):
            return False
        answer = yield ApiAttempt(READY, self._policy.attempt_s)
        return not self._start.has_read_roles(answer, self._clock())

    def _call(
        self,
        verb: str,
        method: str,
        kind: str,
        name: str,
        namespace: str,
        subresource: str = "",
        body: object = None,
    ) -> ApiCall:
        """A call about the object of that name. With ``body`` it writes, as our field manager."""
        path = path_of(self.info(kind), namespace or self.namespace, name, subresource)
        params = {} if body is None else self._as_us
        return ApiCall(
            verb=verb, kind=kind, name=name, method=method, path=path, params=params, body=body
        )

    def _object(self, call: ApiCall) -> Steps[Body]:
        return decoded((yield from self.sent(call)), Body)

    def _place(self, stated: str, found: Object) -> str:
        return stated or namespace_of(found) or self.namespace


def _if_there(steps: Steps[Result]) -> Steps[Result | None]:
    """The result of ``steps``; None: 404."""
    try:
        return (yield from steps)
    except ApiError as error:
        if error.status != NOT_FOUND:
            raise
        return None


class ListPages:
    """A list, a page at a time; a page that is too large is requested in smaller parts.

    Each item has the ``kind`` and ``apiVersion`` that the server leaves out.

    ApiError 410: the list expired between two pages, start again.
    """

    __slots__ = ("_asked", "_info", "_more", "_most", "_namespace", "_selected", "_verbs")

    def __init__(
        self, verbs: ApiVerbs, info: KindInfo, namespace: str, selected: Mapping[str, str]
    ) -> None:
        self._verbs, self._info, self._namespace = verbs, info, namespace
        self._selected = selected
        self._most, self._asked = limits.API_PAGE_OBJECTS, 0
        self._more: str | None = ""  # None: that was the last page.

    def next_page(self) -> Steps[Page | None]:
        """The next page; None: there is none."""
        while self._more is not None:
            if self._asked == limits.API_LIST_PAGES_MAX:
                raise malformed(f"a list of {self._info.kind} objects without end")
            self._asked += 1
            params = {**self._selected, "limit": str(self._most)}
            if self._more:
                params["continue"] = self._more
            path, kind = path_of(self._info, self._namespace), self._info.kind
            call = ApiCall(verb="list", kind=kind, method="GET", path=path, params=params)
            try:
                body = yield from self._verbs.sent(call)
            except ApiError as error:
                if error.status != TOO_LARGE or self._most == 1:
                    raise
                self._most = max(1, self._most // 8)
                continue
            page = api_calls.page_in(body, self._info.kind)
            for found in page.items:
                typed(found, self._info)
            self._more = page.more or None
            return page
        return None
