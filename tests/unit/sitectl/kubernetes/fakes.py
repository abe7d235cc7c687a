"""A cluster in a table: enough of an API server for verbs, and a router that answers execs."""

import copy
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import parse_qs, urlsplit

from router.kubernetes.client.api_calls import ApiAnswer
from router.kubernetes.client.errors import refused
from router.kubernetes.manifests.rights import (
    CONTROLLER,
    CONTROLLER_OPENSHIFT,
    Right,
    router_rights,
)
from router.kubernetes.objects.kinds import KINDS
from router.kubernetes.objects.objects import labels
from router.kubernetes.objects.skupper2_kinds import KINDS as V2_KINDS
from sitectl.base.failure import unreachable
from sitectl.kubernetes.cluster import Cluster, Executed
from tests.kubernetes.patching import merged

Json = dict[str, Any]
NAMESPACE = "shop"
NOT_HELD = (
    'roles.rbac.authorization.k8s.io "spillway-router-headless" is forbidden: user "eve" '
    '(groups=["system:authenticated"]) is attempting to grant RBAC permissions not currently held:'
    '\n{APIGroups:["discovery.k8s.io"], Resources:["endpointslices"], Verbs:["create"]}'
)
"""As ``ConfirmNoEscalation`` in the server's ``rule.go`` says it."""
PODS_EXEC = Right("", ("pods/exec",), ("create",), "")


class FakeCluster(Cluster):
    """``objects`` by kind and name. ``refused``: (verb, plural) that RBAC denies."""

    def __init__(self) -> None:
        super().__init__(NAMESPACE)
        self.objects: dict[tuple[str, str], Json] = {}
        self.refused: set[tuple[str, str]] = set()
        self.calls: list[tuple[str, str]] = []
        self.is_down = False
        self.phase = "Active"
        self.conflicts = 0  # So many replacements fail, as if another client were faster.
        self.serves_routes = False
        self.has_deployment_configs = True  # Where there are Routes; a cluster may leave them out.
        self.headless_is_refused = False  # As of an administrator of the namespace alone.
        self.protected: set[tuple[str, str]] = set()  # An admission webhook keeps these.
        self.admission: tuple[int, str, str] | None = None  # Status, reason, text of a refusal.
        self.admission_details: Json | None = None
        self.replaced_before_deletion: tuple[str, str] | None = None
        self.answers: dict[str, tuple[int, Any]] = {}
        self.commands: list[Json] = []
        self.events: list[Json] = []
        self.execs = 0
        self.broken_execs = 0  # So many break off.
        self.policies: dict[str, list[Json]] | None = None  # Istio's, by namespace; None: no Istio.
        self.rules = "whole"  # What an API server says of all rights at once; "partly", "nothing".
        self._revision = 0

    # What tests put in and look at -----------------------------------------------------------

    def put(self, kind: str, name: str, **fields: Any) -> Json:
        """An object; ``fields`` are its top-level fields."""
        metadata = {"name": name, "namespace": NAMESPACE, **fields.pop("metadata", {})}
        made = {
            "apiVersion": KINDS[kind].api_version,
            "kind": kind,
            "metadata": metadata,
            **fields,
        }
        return self._keep(made)

    def found(self, kind: str, name: str) -> Json:
        """An object that must be there."""
        return self.objects[kind, name]

    def names(self, kind: str) -> set[str]:
        """Names of all objects of a kind."""
        return {name for found, name in self.objects if found == kind}

    def item(self, path: str, item: Any) -> None:
        """What the router answers to ``GET path``."""
        self.answers[path] = (200, {"apiVersion": "spillway/v1", "kind": "X", "item": item})

    def items(self, path: str, *items: Any) -> None:
        """What the router answers to ``GET path``."""
        self.answers[path] = (200, {"apiVersion": "spillway/v1", "kind": "X", "items": items})

    def run_router(self, *, is_ready: bool = True) -> None:
        """A pod of the router that runs, and is ready."""
        self.put(
            "Pod",
            "spillway-router-1",
            metadata={"labels": {"spillway.dev/component": "router"}},
            spec={"containers": [{"name": "istio-proxy"}, {"name": "router"}]},
            status={
                "conditions": [{"type": "Ready", "status": str(is_ready)}],
                "containerStatuses": [{"state": {"running": {}}, "ready": is_ready}],
            },
        )

    # Cluster ---------------------------------------------------------------------------------

    def call(
        self, method: str, path: str, body: object = None, content_type: str = ""
    ) -> ApiAnswer:
        """As an API server answers."""
        if self.is_down:
            raise unreachable("the API server https://cluster cannot be reached: refused")
        self.calls.append((method, path))
        sent: Json = json.loads(json.dumps(body)) if body is not None else {}
        if path.endswith("selfsubjectaccessreviews"):
            asked = sent["spec"]["resourceAttributes"]
            sub = f"/{asked['subresource']}" if "subresource" in asked else ""
            allowed = (asked["verb"], asked["resource"] + sub) not in self.refused
            return _reply(201, {"status": {"allowed": allowed}})
        if path.endswith("selfsubjectrulesreviews"):
            return self._rules_review()
        url = urlsplit(path)
        query = {key: values[0] for key, values in parse_qs(url.query).items()}
        parts = url.path.split("/namespaces/")
        if url.path.endswith("/peerauthentications"):
            return self._apart(url.path)
        if len(parts) != 2 or "/" not in parts[1]:
            return self._apart(url.path)
        _, plural, *rest = parts[1].split("/")
        kind = next((info.kind for info in KINDS.values() if info.plural == plural), None)
        missing = set() if self.serves_routes else {"Route", "DeploymentConfig"}
        missing |= set() if self.has_deployment_configs else {"DeploymentConfig"}
        if kind is None or kind in missing:
            return _status(404, "NotFound", "the server could not find the requested resource")
        verb = {"GET": "get" if rest else "list", "POST": "create", "PUT": "update"}.get(
            method, method.lower()
        )
        if (verb, plural) in self.refused:
            return _status(403, "Forbidden", f'{plural} is forbidden: User "eve" cannot {verb}')
        if self.admission is not None and method != "GET":
            return _status(*self.admission, self.admission_details)
        if not rest and method == "GET":
            return self._list(kind, query.get("labelSelector", ""))
        name = rest[0] if rest else sent["metadata"]["name"]
        return self._one(method, kind, name, sent, content_type)

    def _apart(self, path: str) -> ApiAnswer:
        if path.endswith("/peerauthentications"):
            place = path.split("/")[-2]
            if self.policies is None or not path.startswith("apis/security.istio.io/v1/"):
                return _status(404, "NotFound", "the server could not find the requested resource")
            if place not in self.policies:
                return _status(403, "Forbidden", "peerauthentications is forbidden")
            return _reply(200, {"items": self.policies[place]})
        if path == "version":
            return _reply(200, {"gitVersion": "v1.32.0"})
        if path.endswith("route.openshift.io/v1"):
            return _reply(200 if self.serves_routes else 404, {})
        if path.endswith("skupper.io/v2alpha1"):
            has_kinds = any(kind in V2_KINDS for kind, _ in self.objects)
            return _reply(200 if has_kinds else 404, {"kind": "APIResourceList"})
        if path.startswith("apis/") and path.count("/") == 2 and "projectcontour" not in path:
            return _reply(200, {"kind": "APIResourceList"})
        if path == f"api/v1/namespaces/{NAMESPACE}":
            return _reply(200, {"status": {"phase": self.phase}})
        return _status(404, "NotFound", "no such path")

    def _rules_review(self) -> ApiAnswer:
        if self.rules == "nothing":
            return _status(403, "Forbidden", "selfsubjectrulesreviews is forbidden")
        rules = []
        held = (*router_rights("route", openshift=True), *CONTROLLER, *CONTROLLER_OPENSHIFT)
        for right in (*held, PODS_EXEC):
            rule = right.rule()
            for resource in right.resources:
                verbs = [verb for verb in right.verbs if (verb, resource) not in self.refused]
                rules.append({**rule, "resources": [resource], "verbs": verbs})
        writes = ("update", "patch", "delete", "create")
        allowed = [verb for verb in writes if (verb, "configmaps") not in self.refused]
        rules.append({"apiGroups": ["*"], "resources": ["configmaps"], "verbs": allowed})
        partly = self.rules == "partly"
        return _reply(201, {"status": {"resourceRules": rules[partly:], "incomplete": partly}})

    def _list(self, kind: str, selector: str) -> ApiAnswer:
        items = [
            {key: value for key, value in one.items() if key not in ("kind", "apiVersion")}
            for (found, _), one in sorted(self.objects.items())
            if found == kind and _selected(one, selector)
        ]
        return _reply(
            200, {"kind": f"{kind}List", "items": items, "metadata": {"resourceVersion": "9"}}
        )

    def _one(self, method: str, kind: str, name: str, sent: Json, content_type: str) -> ApiAnswer:
        found = self.objects.get((kind, name))
        plural = KINDS[kind].plural
        if method == "POST":
            if found is not None:
                return _status(409, "AlreadyExists", f'{plural} "{name}" already exists')
            return _reply(201, self._keep(sent))
        if method == "PATCH" and "apply" in content_type:
            if kind == "Role" and name.endswith("-headless") and self.headless_is_refused:
                return _status(403, "Forbidden", NOT_HELD)
            return _reply(200, self._keep(merged(found or {}, sent)))
        if found is None:
            return _status(404, "NotFound", f'{plural} "{name}" not found')
        if method == "GET":
            return _reply(200, found)
        if (kind, name) in self.protected:
            return _status(403, "Forbidden", f'{plural} "{name}" is forbidden: denied by policy')
        return self._change(method, found, sent)

    def _change(self, method: str, found: Json, sent: Json) -> ApiAnswer:
        kind, name = found["kind"], found["metadata"]["name"]
        if method == "PATCH":
            return _reply(200, self._keep(merged(found, sent)))
        if method == "PUT":
            stale = sent["metadata"].get("resourceVersion") != found["metadata"]["resourceVersion"]
            if self.conflicts or stale:
                self.conflicts = max(0, self.conflicts - 1)
                return _status(409, "Conflict", "the object has been modified")
            return _reply(200, self._keep(sent))
        assert method == "DELETE"
        if self.replaced_before_deletion == (kind, name):
            self.replaced_before_deletion = None
            found = self.put(kind, name, metadata={"labels": {}}, spec=found["spec"])
        uid = found["metadata"]["uid"]
        if (sent.get("preconditions") or {}).get("uid", uid) != uid:
            return _status(409, "Conflict", "the UID in the precondition is another")
        del self.objects[kind, name]
        return _reply(200, {"status": "Success"})

    def _keep(self, made: Mapping[str, Any]) -> Json:
        self._revision += 1
        kept: Json = copy.deepcopy(dict(made))
        kept["metadata"]["resourceVersion"] = str(self._revision)
        kept["metadata"].setdefault("uid", f"uid-{self._revision}")
        self.objects[kept["kind"], kept["metadata"]["name"]] = kept
        return copy.deepcopy(kept)

    def execute(self, pod: str, container: str, command: Sequence[str]) -> Executed:
        """As `sitectl admin` in the router's pod."""
        if ("create", "pods/exec") in self.refused:
            raise self.refusal(refused(403, b"{}"), "Pod/exec", "create", pod)
        assert (pod, container) == ("spillway-router-1", "router")
        assert list(command[:2]) == ["sitectl", "admin"]
        self.execs += 1
        if self.broken_execs:
            self.broken_execs -= 1
            raise unreachable(f"pod {pod}: the exec broke off")
        words = list(command[2:])
        answers: list[tuple[int, str]] = []
        while words:
            if words.pop(0) == "POST":
                words.pop(0)
                self.commands.append(json.loads(words.pop(0)))
                answers.append((200, '{"ok": true}'))
            else:
                missing = (404, {"code": "not-found", "message": "no such"})
                status, body = self.answers.get(words.pop(0), missing)
                answers.append((status, json.dumps(body)))
        return Executed(json.dumps(answers).encode(), b"", 0)

    def follow(self, pod: str, container: str, command: Sequence[str]) -> Iterator[bytes]:
        """The router's event stream."""
        assert list(command) == ["sitectl", "admin", "--follow"]
        for event in self.events:
            yield b"data: " + json.dumps(event).encode() + b"\n"
            yield b"\n"


def _selected(found: Json, selector: str) -> bool:
    """Equality, existence and ``in``, as much as verbs use."""
    marks = labels(found)
    if not selector:
        return True
    key, within, values = selector.partition(" in ")
    if within:
        return marks.get(key) in values.strip("()").split(",")
    key, equals, value = selector.partition("=")
    return marks.get(key) == value if equals else key in marks


def _reply(status: int, body: Any) -> ApiAnswer:
    return ApiAnswer(status, json.dumps(body).encode())


def _status(status: int, reason: str, message: str, details: Json | None = None) -> ApiAnswer:
    said = {"kind": "Status", "status": "Failure", "reason": reason, "message": message}
    return _reply(status, {**said, "details": details} if details else said)
