"""Nobody gives rights that they do not hold: writes of Roles and of their bindings.

As the storages `policybased` of Kubernetes (pkg/registry/rbac) judge them.
"""

import json
from collections.abc import Iterable, Iterator
from itertools import product
from typing import Any, Final

from tests.kubernetes.failures import forbidden, not_found
from tests.kubernetes.rbac import MASTERS, Rules, User
from tests.kubernetes.requests import Wanted
from tests.kubernetes.resources import Json

GROUP: Final = "rbac.authorization.k8s.io"
_ROLES: Final = {"Role": "roles", "ClusterRole": "clusterroles"}
_BINDINGS: Final = ("RoleBinding", "ClusterRoleBinding")
_OF_GARBAGE: Final = ("ownerReferences", "finalizers", "managedFields", "resourceVersion")
_FIELDS: Final = {
    "apiGroups": "APIGroups",
    "resources": "Resources",
    "resourceNames": "ResourceNames",
    "nonResourceURLs": "NonResourceURLs",
    "verbs": "Verbs",
}


def gives_rights(wanted: Wanted) -> bool:
    """Whether a write is one that `confirm` judges."""
    return wanted.resource.group == GROUP and wanted.resource.kind in (*_ROLES, *_BINDINGS)


def confirm(rules: Rules, user: User, wanted: Wanted, before: Json | None, found: Json) -> None:
    """403: ``found`` gives rights that ``user`` does not hold and may not give. 404: it binds a
    role that does not exist.

    ``before``: the object as it was; None: it is new.
    """
    if MASTERS in user.groups or (before is not None and _plain(before) == _plain(found)):
        return
    namespace = wanted.namespace
    if wanted.resource.kind in _BINDINGS:
        reference = found["roleRef"]
        verb, plural, name = "bind", _ROLES[reference["kind"]], reference["name"]
        given = rules.of_role(reference, namespace)
    else:
        verb, plural, name = "escalate", wanted.resource.plural, found["metadata"]["name"]
        given = found.get("rules") or []
    if rules.allows_raw(
        user, verb=verb, group=GROUP, plural=plural, namespace=namespace, name=name
    ):
        return
    if given is None:
        raise not_found(wanted.resource, name)  # The name is the role's, the kind the binding's.
    own = list(rules.rules(user, namespace))
    missing = sorted(map(_shown, _compact(_not_held(own, given))))
    if missing:
        groups = " ".join(json.dumps(one) for one in user.groups)
        why = f'user "{user.name}" (groups=[{groups}]) is attempting to grant RBAC permissions '
        text = (
            f'{wanted.resource.qualified} "{found["metadata"]["name"]}" is forbidden: {why}'
            "not currently held:\n" + "\n".join(missing)
        )
        raise forbidden(wanted.resource, found["metadata"]["name"], text)


def _plain(found: Json) -> Json:
    kept = {key: each for key, each in found["metadata"].items() if key not in _OF_GARBAGE}
    return {**found, "metadata": kept}


def _not_held(own: list[Json], given: Iterable[Json]) -> Iterator[Json]:
    """What of ``given`` no rule of ``own`` covers, each verb for one resource or path."""
    for one in (each for rule in given for each in _broken_down(rule)):
        if not any(_covers(rule, one) for rule in own):
            yield one


def _broken_down(rule: Json) -> Iterator[Json]:
    verbs, names = rule.get("verbs") or [], rule.get("resourceNames") or [None]
    groups, resources = rule.get("apiGroups") or [], rule.get("resources") or []
    for group, resource, name, verb in product(groups, resources, names, verbs):
        one = {"apiGroups": [group], "resources": [resource], "verbs": [verb]}
        yield one if name is None else {**one, "resourceNames": [name]}
    for path, verb in product(rule.get("nonResourceURLs") or [], verbs):
        yield {"nonResourceURLs": [path], "verbs": [verb]}


def _covers(rule: Json, one: Json) -> bool:
    """``one`` has one value in each field."""
    if not _has(rule, "verbs", one):
        return False
    if "nonResourceURLs" in one:
        (path,) = one["nonResourceURLs"]
        paths = rule.get("nonResourceURLs") or []
        return any(
            held == path or (held[-1:] == "*" and path.startswith(held[:-1])) for held in paths
        )
    names = rule.get("resourceNames") or []
    (resource,) = one["resources"]
    held = rule.get("resources") or []
    return (
        _has(rule, "apiGroups", one)
        and (not names or (one.get("resourceNames") or [None])[0] in names)
        and (not {"*", resource}.isdisjoint(held) or f"*/{resource.partition('/')[2]}" in held)
    )


def _has(rule: Json, field: str, one: Json) -> bool:
    (value,) = one[field]
    return not {"*", value}.isdisjoint(rule.get(field) or [])


def _compact(rules: Iterable[Json]) -> list[Json]:
    """One rule for each resource or path, with all of its verbs."""
    found: dict[str, Json] = {}
    for one in rules:
        where = json.dumps({key: each for key, each in one.items() if key != "verbs"})
        held = found.setdefault(where, {**one, "verbs": []})["verbs"]
        held += [verb for verb in one["verbs"] if verb not in held]
    return list(found.values())


def _shown(one: Json) -> str:
    """As Go prints a rule."""
    parts = [f"{word}:{_listed(one[key])}" for key, word in _FIELDS.items() if one.get(key)]
    return "{" + ", ".join(parts) + "}"


def _listed(values: list[Any]) -> str:
    return "[" + " ".join(json.dumps(value) for value in values) + "]"
