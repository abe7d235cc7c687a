"""Which of the rights that a site takes who asks does not hold."""

from collections.abc import Iterable, Iterator, Mapping
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


class MissingRule(NamedTuple):
    """A rule to add to a Role. ``only`` empty: for all objects."""

    group: str
    resource: str
    verbs: tuple[str, ...]
    only: tuple[str, ...]

    @property
    def told(self) -> str:
        """The permissions of the rule, as text."""
        names = f" {', '.join(self.only)}" if self.only else ""
        return f"{', '.join(self.verbs)} {self.resource}{names}"

    @property
    def text(self) -> str:
        """The rule as a Role states it."""
        return rule_text(self.group, self.resource, *self.verbs, only=self.only)


def findings(cluster: Cluster, rights: tuple[Right, ...]) -> Iterator[Finding]:
    """The missing rights, as rules to add; or a finding that none is missing."""
    asked = sorted(
        {
            AskedRight(right.group, resource, verb, name)
            for right in rights
            for resource in right.resources
            for verb in right.verbs
            for name in (right.only or ("",))
        }
    )
    missing = to_add(_lacking(cluster, asked))
    for one in missing:
        hint = f"Ask an admin of the namespace for this rule: {one.text}"
        yield Finding("error", CODE, f"you may not {one.told}", hint)
    if not missing:
        yield Finding("ok", CODE, f"you hold all {len(asked)} rights that a site takes")


def lacking(rules: Iterable[Mapping[str, Any]], held: list[Mapping[str, Any]]) -> list[MissingRule]:
    """Permissions of ``rules`` that ``held`` lacks, both in the form of a Role."""
    asked = [
        AskedRight(group, resource, verb, name)
        for rule in rules
        for group in rule.get("apiGroups") or []
        for resource in rule.get("resources") or []
        for verb in rule.get("verbs") or []
        for name in rule.get("resourceNames") or [""]
    ]
    return to_add(one for one in asked if not any(_grants(rule, one) for rule in held))


def to_add(rights: Iterable[AskedRight]) -> list[MissingRule]:
    """The rules that give ``rights``, none of them for more objects than were asked for."""
    verbs: dict[tuple[str, str, str], list[str]] = {}
    missing = list(dict.fromkeys(rights))
    for one in missing:
        if not one.name or one._replace(name="") not in missing:
            verbs.setdefault((one.group, one.resource, one.name), []).append(one.verb)
    names: dict[tuple[str, str, tuple[str, ...]], list[str]] = {}
    for (group, resource, name), permitted in verbs.items():
        only = names.setdefault((group, resource, tuple(permitted)), [])
        only += [name] if name else []
    return [
        MissingRule(group, resource, permitted, tuple(only))
        for (group, resource, permitted), only in names.items()
    ]


def _lacking(cluster: Cluster, asked: list[AskedRight]) -> list[AskedRight]:
    """The missing rights: from one review of all rules, then one review for each open question."""
    rules, is_whole = _rules(cluster)
    left = [one for one in asked if not any(_grants(rule, one) for rule in rules)]
    if is_whole:
        return left
    allowed: list[bool] = in_parallel(lambda one: cluster.allows(_attributes(one)), left)
    return [one for one, may in zip(left, allowed, strict=True) if not may]


def _rules(cluster: Cluster) -> tuple[list[Mapping[str, Any]], bool]:
    """The rules that RBAC grants here, and whether they are complete.

    An authorizer that cannot list its rules, such as a webhook, makes them incomplete.
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
