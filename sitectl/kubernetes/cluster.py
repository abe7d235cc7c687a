"""The API server as verbs use it: objects as JSON, each call with a deadline, refusals as Failures.

Kinds are named as in `KINDS`. What differs between the server and a test is `Cluster`'s one
abstract step, `call`.
"""

import json
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, NamedTuple, TypeVar
from urllib.parse import urlencode

from router.kubernetes.kinds import KINDS
from router.kubernetes.objects import Object, metadata, name_of
from sitectl.base.failure import Exit, Failure

FIELD_MANAGER: Final = "spillway"
CALL_TIMEOUT_S: Final = 5.0
AT_ONCE: Final = 8
"""Calls in parallel: reading a namespace costs about one round trip, not one for each kind."""
PAGE_OBJECTS: Final = 500
MERGE_PATCH: Final = "application/merge-patch+json"
APPLY_PATCH: Final = "application/apply-patch+yaml"
_TRIES, _RETRY_WAIT_MAX_S = 3, 2.0
_BUSY: Final = (429, 503)

Body = dict[str, Any]
Word = TypeVar("Word")
Found = TypeVar("Found")


class ClusterReply(NamedTuple):
    """One HTTP answer. ``retry_after_s``: the wait that the server asks for."""

    status: int
    body: bytes
    retry_after_s: float = 0.0


class Executed(NamedTuple):
    """What a command in a pod printed, and its exit code."""

    output: bytes
    errors: bytes
    exit_code: int


class ApiFailure(Failure):
    """The API server refuses. ``status`` is HTTP's, ``reason`` the API's word."""

    def __init__(
        self, status: int, reason: str, exit_code: Exit, code: str, message: str, hint: str = ""
    ) -> None:
        self.status, self.reason = status, reason
        retryable = exit_code is Exit.UNREACHABLE
        super().__init__(exit_code, code, message, hint, retryable=retryable)


class Cluster(ABC):
    """One API server, seen from one namespace."""

    def __init__(self, namespace: str) -> None:
        self.namespace = namespace

    @abstractmethod
    def call(
        self, method: str, path: str, body: object = None, content_type: str = ""
    ) -> ClusterReply:
        """One HTTP exchange. Failure (exit 8): no answer within the deadline."""

    @abstractmethod
    def execute(self, pod: str, container: str, command: Sequence[str]) -> Executed:
        """Run ``command`` in a container and wait for its end. Failure: not allowed, no pod."""

    @abstractmethod
    def follow(self, pod: str, container: str, command: Sequence[str]) -> Iterator[bytes]:
        """The lines that ``command`` prints, as they come, until it ends. No deadline."""

    def get(self, kind: str, name: str) -> Body:
        """The object. Failure 404: there is none."""
        return self._object("GET", self.path(kind, name), (kind, "get", name))

    def find(self, kind: str, name: str) -> Body | None:
        """The object, or None."""
        try:
            return self.get(kind, name)
        except ApiFailure as failure:
            if failure.status != 404:
                raise
            return None

    def list(self, kind: str, labels: str = "") -> list[Body]:
        """All objects of ``kind``, each with its kind; ``labels`` is a selector."""
        found: list[Body] = []
        info = KINDS[kind]
        more = ""
        while True:
            query = {"limit": str(PAGE_OBJECTS), "labelSelector": labels, "continue": more}
            words = urlencode({key: value for key, value in query.items() if value})
            page = self._object("GET", f"{self.path(kind)}?{words}", (kind, "list", ""))
            found += [
                {"apiVersion": info.api_version, "kind": info.kind, **item}
                for item in page.get("items") or []
            ]
            more = (page.get("metadata") or {}).get("continue", "")
            if not more:
                return found

    def create(self, made: Object) -> Body:
        """Failure 409: it exists."""
        kind = str(made["kind"])
        return self._object(
            "POST", f"{self.path(kind)}?{_AS_US}", (kind, "create", name_of(made)), made
        )

    def replace(self, whole: Object) -> Body:
        """Put ``whole`` in place of the object that has its version. Failure 409: it changed."""
        kind, name = str(whole["kind"]), name_of(whole)
        return self._object(
            "PUT", f"{self.path(kind, name)}?{_AS_US}", (kind, "update", name), whole
        )

    def patch(self, kind: str, name: str, changes: Mapping[str, Any]) -> Body:
        """Merge ``changes`` into the object; None removes a field."""
        path = f"{self.path(kind, name)}?{_AS_US}"
        return self._object("PATCH", path, (kind, "patch", name), changes, MERGE_PATCH)

    def apply(self, wanted: Object, *, force: bool = True) -> Body:
        """Server-side apply: the fields of ``wanted`` become ours, others stay as they are.

        Failure 409 without ``force``: somebody else's fields differ.
        """
        kind, name = str(wanted["kind"]), name_of(wanted)
        query = f"{_AS_US}&force={'true' if force else 'false'}"
        path = f"{self.path(kind, name)}?{query}"
        return self._object("PATCH", path, (kind, "patch", name), wanted, APPLY_PATCH)

    def serves(self, api_version: str) -> bool:
        """Whether the cluster has this group and version at all."""
        root = "apis" if "/" in api_version else "api"
        return self.call("GET", f"{root}/{api_version}").status == 200

    def delete(self, kind: str, name: str, uid: str = "") -> bool:
        """Delete it, in the background what it owns. False: there was none.

        With ``uid`` only that very object. Failure 409: another one has its name.
        """
        options = {
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "propagationPolicy": "Background",
            **({"preconditions": {"uid": uid}} if uid else {}),
        }
        try:
            self._object("DELETE", self.path(kind, name), (kind, "delete", name), options)
        except ApiFailure as failure:
            if failure.status != 404:
                raise
            return False
        return True

    def allows(self, attributes: Mapping[str, str]) -> bool:
        """Whether who asks may: ``verb group resource subresource name`` in this namespace."""
        review = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": {"namespace": self.namespace, **attributes}},
        }
        path = "apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
        return bool(self.review(path, review).get("allowed"))

    def review(self, path: str, review: Body) -> Body:
        """The status of a question that is answered and not stored."""
        answer = self._object("POST", path, (str(review["kind"]), "create", ""), review)
        return answer.get("status") or {}

    def path(self, kind: str, name: str = "", subresource: str = "") -> str:
        """Where the API serves objects of ``kind`` in this namespace."""
        info = KINDS[kind]
        root = "apis" if "/" in info.api_version else "api"
        parts = [root, info.api_version, "namespaces", self.namespace, info.plural]
        return "/".join([*parts, *(part for part in (name, subresource) if part)])

    def _object(
        self,
        method: str,
        path: str,
        what: tuple[str, str, str],
        body: object = None,
        content_type: str = "",
    ) -> Body:
        """The object of a good answer; ``what``: kind, verb and name, for what is refused."""
        for attempt in range(_TRIES):
            reply = self.call(method, path, body, content_type)
            if reply.status not in _BUSY or attempt == _TRIES - 1:
                break
            time.sleep(min(reply.retry_after_s or 0.2 * 2**attempt, _RETRY_WAIT_MAX_S))
        if reply.status >= 300:
            raise self.refusal(reply.status, reply.body, *what)
        try:
            decoded = json.loads(reply.body)
        except ValueError as error:
            message = f"the API server's answer to {method} {path} is not JSON"
            raise Failure(Exit.FAILED, "bad-answer", message) from error
        return decoded if isinstance(decoded, dict) else {}

    def refusal(self, status: int, body: bytes, kind: str, verb: str, name: str) -> ApiFailure:
        """What the API server's refusal means for who typed the command."""
        reason, message = _said(status, body)
        if status == 403 and reason != "Invalid":
            whole, slash, part = kind.partition("/")
            if whole in KINDS:
                group, plural = KINDS[whole].api_version.rpartition("/")[0], KINDS[whole].plural
            else:  # A review.
                group, plural = "authorization.k8s.io", f"{whole.lower()}s"
            rule = rule_text(group, f"{plural}{slash}{part}", verb)
            hint = f"Ask an admin of namespace {self.namespace} for a Role with this rule: {rule}"
            if "quota" in message:
                hint = f"See: kubectl -n {self.namespace} describe resourcequota"
            elif "being terminated" in message:
                hint = f"Wait until namespace {self.namespace} is gone, or use another"
            return ApiFailure(status, reason, Exit.NOT_ALLOWED, "not-allowed", message, hint)
        if status == 401:
            hint = "Log in to the cluster again, or give another --context"
            message = f"the API server does not accept these credentials ({message})"
            return ApiFailure(status, reason, Exit.NOT_ALLOWED, "unauthenticated", message, hint)
        if status == 404 and message.startswith("namespaces "):
            hint = f"kubectl create namespace {self.namespace}, or give another with -n"
            message = f"there is no namespace {self.namespace!r}"
            return ApiFailure(status, reason, Exit.NOT_FOUND, "no-namespace", message, hint)
        if status == 404:
            plural = KINDS[kind].plural if kind in KINDS else f"{kind.lower()}s"
            message = message if name else f"this cluster serves no {plural}"
            return ApiFailure(status, reason, Exit.NOT_FOUND, "not-found", message)
        if status == 409:
            hint = "It was changed in the same moment: try again"
            return ApiFailure(status, reason, Exit.CONFLICT, "conflict", message, hint)
        if status in _BUSY or status >= 500:
            message = f"the API server cannot answer now: {message}"
            return ApiFailure(
                status, reason, Exit.UNREACHABLE, "api-unreachable", message, "Try again"
            )
        return ApiFailure(status, reason, Exit.FAILED, "refused", message)


def in_parallel(work: Callable[[Word], Found], words: Sequence[Word]) -> list[Found]:
    """What ``work`` gives for each word, in order, several at a time."""
    with ThreadPoolExecutor(max_workers=AT_ONCE) as pool:
        return list(pool.map(work, words))


def rule_text(group: str, resource: str, *verbs: str) -> str:
    """A rule of a Role, as one would type it."""
    told = ", ".join(f'"{verb}"' for verb in verbs)
    return f'apiGroups: ["{group}"], resources: ["{resource}"], verbs: [{told}]'


_AS_US: Final = urlencode({"fieldManager": FIELD_MANAGER})


def _said(status: int, body: bytes) -> tuple[str, str]:
    """Reason and message of a Status; proxies in between answer with any text."""
    try:
        said = json.loads(body)
    except ValueError:
        return "", f"HTTP {status}"
    if not isinstance(said, dict):
        return "", f"HTTP {status}"
    return str(said.get("reason") or ""), str(said.get("message") or f"HTTP {status}")


def version_of(found: Object) -> str:
    """Its resourceVersion."""
    return str(metadata(found).get("resourceVersion", ""))
