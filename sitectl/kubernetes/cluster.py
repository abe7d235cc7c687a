"""The API server as verbs use it: objects as JSON, each call with a deadline, refusals as Failures.

Kinds are named as in `KINDS`. `Cluster` has one abstract step, `call`, for the server and tests.
"""

import random
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar
from urllib.parse import urlencode

from router.kubernetes.client import api_calls, verbs
from router.kubernetes.client.api_calls import JSON, ApiAnswer, ApiCall
from router.kubernetes.client.errors import (
    ALREADY_EXISTS,
    MALFORMED,
    TOO_MANY,
    ApiError,
    admission_step,
)
from router.kubernetes.client.verbs import ApiVerbs, Body, Steps
from router.kubernetes.objects.kinds import KINDS
from router.kubernetes.objects.objects import Object
from router.kubernetes.objects.role_rules import rule_text
from sitectl.base.failure import Exit, Failure

Found = TypeVar("Found")


class Executed(NamedTuple):
    """The output of a command in a pod, and its exit code."""

    output: bytes
    errors: bytes
    exit_code: int


class ApiFailure(Failure):
    """The API server refuses. ``status`` is HTTP's, ``reason`` the API's word.

    ``lacks_right``: because of RBAC, not of admission. ``lost_quota_race`` as in `ApiError`.
    """

    def __init__(
        self, status: int, reason: str, exit_code: Exit, code: str, message: str, hint: str = ""
    ) -> None:
        self.status, self.reason = status, reason
        self.lacks_right = self.lost_quota_race = False
        retryable = exit_code is Exit.UNREACHABLE
        super().__init__(exit_code, code, message, hint, retryable=retryable)

    @property
    def is_taken(self) -> bool:
        """Whether an object of that name exists already. Other conflicts made none (a quota's)."""
        return self.reason == ALREADY_EXISTS


class Cluster(ABC):
    """One API server, seen from one namespace."""

    def __init__(self, namespace: str) -> None:
        self.namespace = namespace
        rng = random.SystemRandom()
        self._verbs = ApiVerbs(namespace, rng, time.monotonic, verbs.PERSON)

    @abstractmethod
    def call(
        self, method: str, path: str, body: object = None, content_type: str = ""
    ) -> ApiAnswer:
        """One HTTP exchange. Failure (exit 8): no answer within the deadline."""

    @abstractmethod
    def execute(self, pod: str, container: str, command: Sequence[str]) -> Executed:
        """Run ``command`` in a container and wait for its end. Failure: not allowed, no pod."""

    @abstractmethod
    def follow(self, pod: str, container: str, command: Sequence[str]) -> Iterator[bytes]:
        """The lines that ``command`` prints, as they come, until it ends. No deadline."""

    def get(self, kind: str, name: str) -> Body:
        """The object. Failure 404: there is none."""
        return self._run(self._verbs.get(kind, name))

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
        return self._run(self._verbs.list(kind, labels=labels)).items

    def create(self, made: Object) -> Body:
        """Failure that `ApiFailure.is_taken`: it exists."""
        return self._run(self._verbs.create(made, namespace=self.namespace))

    def replace(self, whole: Object) -> Body:
        """Put ``whole`` in place of the object that has its version. Failure 409: it changed."""
        return self._run(self._verbs.replace(whole, namespace=self.namespace))

    def patch(self, kind: str, name: str, changes: Mapping[str, Any]) -> Body:
        """Merge ``changes`` into the object; None removes a field."""
        return self._run(self._verbs.patch(kind, name, changes))

    def apply(self, wanted: Object, *, force: bool = True) -> Body:
        """Server-side apply: the fields of ``wanted`` become ours, others stay as they are.

        Failure 409 without ``force``: another manager's fields differ.
        """
        return self._run(self._verbs.apply(wanted, force=force, namespace=self.namespace))

    def use_version(self, api_version: str) -> None:
        """Read and write the kinds of that group in ``api_version`` instead of that of `KINDS`."""
        self._verbs.use_version(api_version)

    def creatable(self, api_version: str) -> frozenset[str]:
        """The plurals of a group and version that the cluster serves for creation."""
        return self._run(self._verbs.creatable(api_version))

    def serves(self, api_version: str) -> bool:
        """Whether the cluster has this group and version at all."""
        root = "apis" if "/" in api_version else "api"
        return self.call("GET", f"{root}/{api_version}").status == 200

    def delete(self, kind: str, name: str, uid: str = "") -> bool:
        """Delete an object, and in the background the objects it owns. False: there was none.

        ``uid``: only that very object. Failure 409: another object has its name.
        """
        return self._run(self._verbs.delete(kind, name, uid=uid))

    def allows(self, attributes: Mapping[str, str]) -> bool:
        """Whether who asks may: ``verb group resource subresource name`` in this namespace."""
        return self._run(self._verbs.allows(attributes))

    def review(self, path: str, review: Body) -> Body:
        """The status of a question that is answered and not stored."""
        return self._run(self._verbs.review(path, review))

    def path(self, kind: str, name: str = "", subresource: str = "") -> str:
        """Where the API serves objects of ``kind`` in this namespace."""
        return api_calls.path_of(self._verbs.info(kind), self.namespace, name, subresource)

    def _run(self, steps: Steps[Found]) -> Found:
        """Carry out a verb in this thread. Failure: what the API server refuses, for a person."""
        attempt = next(steps)
        try:
            while True:
                time.sleep(attempt.after_s)
                attempt = steps.send(self._answer(attempt.call))
        except StopIteration as end:
            found: Found = end.value
            return found
        except ApiError as error:
            call = attempt.call
            if error.reason == MALFORMED:
                message = f"{call.method} {call.path}: {error}"
                raise Failure(Exit.FAILED, "bad-answer", message) from error
            raise self.refusal(error, call.kind, call.verb, call.name) from error

    def _answer(self, call: ApiCall) -> ApiAnswer | ApiError:
        path = f"{call.path}?{urlencode(call.params)}" if call.params else call.path
        content_type = call.content_type if call.content_type != JSON else ""
        try:
            return self.call(call.method, path, call.body, content_type)
        except ApiError as error:
            return error

    def refusal(self, error: ApiError, kind: str, verb: str, name: str) -> ApiFailure:
        """The API server's refusal, explained to the user of the command."""
        status, reason, message = error.status, error.reason, error.message
        step = admission_step(error)
        if status == 403 and reason != "Invalid":
            whole, slash, part = kind.partition("/")
            if whole in KINDS:
                group, plural = KINDS[whole].api_version.rpartition("/")[0], KINDS[whole].plural
            else:  # A review.
                group, plural = "authorization.k8s.io", f"{whole.lower()}s"
            rule = rule_text(group, f"{plural}{slash}{part}", verb)
            hint = f"Ask an admin of namespace {self.namespace} for a Role with this rule: {rule}"
            if "attempting to grant RBAC permissions" in message:
                hint = (
                    "You may grant only permissions that you hold: get those that the message "
                    "lists, or let a user who holds them run this command"
                )
            if step and "being terminated" in message:
                step = f"Wait until namespace {self.namespace} is gone, or use another"
            failure = ApiFailure(
                status, reason, Exit.NOT_ALLOWED, "not-allowed", message, step or hint
            )
            failure.lacks_right = not step
            return failure
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
            failure = ApiFailure(status, reason, Exit.CONFLICT, "conflict", message, hint)
            failure.lost_quota_race = error.lost_quota_race
            return failure
        if status == TOO_MANY or status >= 500:
            message = f"the API server cannot answer now: {message}"
            return ApiFailure(
                status, reason, Exit.UNREACHABLE, "api-unreachable", message, "Try again"
            )
        return ApiFailure(status, reason, Exit.FAILED, "refused", message, step)
