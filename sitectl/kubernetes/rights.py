"""Which of the rights that a site takes who asks does not hold."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from router.kubernetes.manifests.rights import Right
from router.kubernetes.objects.role_rules import rule_text
from sitectl.base.findings import Finding
from sitectl.base.parallel import in_parallel
from sitectl.kubernetes.cluster import ApiFailure, Cluster

CODE = "SW0463"
_REVIEWS = "apis/authorization.k8s.io/v1/selfsubjectrulesreviews"


class AskedRight(NamedTuple):
    """One right. ``name`` empty: for all objects."""

    group: str
    resource: str
    verb: str
    name: str


def findings(cluster: Cluster, rights: tuple[Right, ...]) -> Iterator[Finding]:
    """What is lacking, as rules to add; or that nothing is."""
    asked = sorted(
        {
            AskedRight(right.group, resource, verb, name)
            for right in rights
            for resource in right.resources
            for verb in right.verbs
            for name in (right.only or ("",))
        }
    )
    missing: dict[tuple[str, str], list[str]] = {}
    for one in _lacking(cluster, asked):
        verbs = missing.setdefault((one.group, one.resource), [])
        verbs += [one.verb] if one.verb not in verbs else []
    for (group, resource), verbs in missing.items():
        hint = f"Ask an admin of the namespace for this rule: {rule_text(group, resource, *verbs)}"
        yield Finding("error", CODE, f"you may not {', '.join(verbs)} {resource}", hint)
    if not missing:
        yield Finding("ok", CODE, f"you hold all {len(asked)} rights that a site takes")


def _lacking(cluster: Cluster, asked: list[AskedRight]) -> list[AskedRight]:
    """By one question for all rules; what that leaves open is asked for one by one."""
    rules, is_whole = _rules(cluster)
    left = [one for one in asked if not any(_grants(rule, one) for rule in rules)]
    if is_whole:
        return left
    allowed: list[bool] = in_parallel(lambda one: cluster.allows(_attributes(one)), left)
    return [one for one, may in zip(left, allowed, strict=True) if not may]


def _rules(cluster: Cluster) -> tuple[list[Mapping[str, Any]], bool]:
    """What RBAC grants here, and whether nothing else could grant more.

    An authorizer that cannot list its rules, a webhook for example, makes it incomplete.
    """
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectRulesReview",
        "spec": {"namespace": cluster.namespace},
    }
    try:
        status = cluster.review(_REVIEWS, review)
    except ApiFailure:
        return [], False
    is_whole = not status.get("incomplete") and not status.get("evaluationError")
    return list(status.get("resourceRules") or []), is_whole


def _grants(rule: Mapping[str, Any], one: AskedRight) -> bool:
    names = rule.get("resourceNames") or []
    return (
        _is_among(rule.get("verbs"), one.verb)
        and _is_among(rule.get("apiGroups"), one.group)
        and _has_resource(rule.get("resources") or [], one.resource)
        and (not names or one.name in names)
    )


def _has_resource(resources: list[str], wanted: str) -> bool:
    _, slash, sub = wanted.partition("/")
    return _is_among(resources, wanted) or (bool(slash) and f"*/{sub}" in resources)


def _is_among(words: list[str] | None, word: str) -> bool:
    return word in (words or ()) or "*" in (words or ())


def _attributes(one: AskedRight) -> dict[str, str]:
    whole, _, sub = one.resource.partition("/")
    found = {"group": one.group, "resource": whole, "verb": one.verb}
    return found | ({"subresource": sub} if sub else {}) | ({"name": one.name} if one.name else {})
