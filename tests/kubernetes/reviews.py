"""Questions to the API that are answered and not stored: what may I do, who am I."""

from tests.kubernetes.rbac import MASTERS, Rules, User
from tests.kubernetes.resources import Json, Resource

_EVERYTHING = {"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}


def answer(rules: Rules, user: User, resource: Resource, given: Json) -> Json:
    """The review with its status."""
    found = {**given, "kind": resource.kind, "apiVersion": resource.api_version}
    found.setdefault("metadata", {"creationTimestamp": None})
    spec = given.get("spec") or {}
    match resource.kind:
        case "SelfSubjectAccessReview":
            found["status"] = _access(rules, user, spec)
        case "SubjectAccessReview" | "LocalSubjectAccessReview":
            asked = User(spec.get("user", ""), tuple(spec.get("groups") or ()))
            found["status"] = _access(rules, asked, spec)
        case "SelfSubjectRulesReview":
            found["status"] = _rules(rules, user, spec.get("namespace", ""))
        case "SelfSubjectReview":
            found["status"] = {"userInfo": {"username": user.name, "groups": list(user.groups)}}
        case _:
            found["status"] = {"authenticated": False}
    return found


def _access(rules: Rules, user: User, spec: Json) -> Json:
    asked = spec.get("resourceAttributes")
    if asked is None:
        return {"allowed": MASTERS in user.groups}
    allowed = rules.allows_raw(
        user,
        verb=asked.get("verb", ""),
        group=asked.get("group", ""),
        plural=asked.get("resource", ""),
        subresource=asked.get("subresource", ""),
        namespace=asked.get("namespace", ""),
        name=asked.get("name", ""),
    )
    return {"allowed": True, "reason": "RBAC: allowed"} if allowed else {"allowed": False}


def _rules(rules: Rules, user: User, namespace: str) -> Json:
    found = [_EVERYTHING] if MASTERS in user.groups else list(rules.rules(user, namespace))
    return {"resourceRules": found, "nonResourceRules": [], "incomplete": False}
