"""The `/status` of objects of Skupper v2, in the words of Skupper's own controller.

A condition has the reason Ready, Pending or Error. ``status`` and ``message`` are those of the
first condition, in their order, that is not true. `Matched` requires more than in Skupper: some
reachable site has a target that is ready now.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

import msgspec

from router.documents.skupper2.keys import service_of
from router.kubernetes.objects import names
from router.kubernetes.objects.access_levels import AccessLevel
from router.kubernetes.objects.addresses import Addresses
from router.kubernetes.objects.conditions import Condition, conditions
from router.kubernetes.objects.objects import Object, Snapshot, is_going, part
from router.kubernetes.objects.skupper2_kinds import KINDS
from router.kubernetes.skupper2.completed_objects import is_completed
from router.kubernetes.skupper2.network_facts import GrantFacts, KeyFacts, LinkFacts, NetworkFacts
from router.kubernetes.skupper2.reading import V2Picture
from router.kubernetes.skupper2.remote_attached_connectors import (
    BINDING,
    CONNECTOR,
    bound_connector,
    is_unread,
    namespace_of,
    source_of,
)
from router.model import limits
from router.model.errors import ConfigError
from router.model.specs import ConnectorSpec, ListenerSpec, TargetSpec

READY, PENDING, ERROR = "Ready", "Pending", "Error"
OK: Final = "OK"
LISTENER_KINDS: Final = ("Listener", "MultiKeyListener")
MESSAGE_CHARS_MAX: Final = 1_000
_NO_SITE: Final = "No active site in namespace"
_NO_SERVICE, _SKUPPERS, _NO_PODS = "SW0420", "SW0424", "SW0434"
_NO_EFFECT: Final = "SW0114"
_CREDENTIAL: Final = "SW0444"
_NO_MATCH: Final = "No matches for selector"
_NO_TARGET: Final = "No matching connectors: no reachable site has a ready target"
_STRATEGIES: Final = ("priority", "weighted")
_OF_TOKENS: Final = ("url", "code", "ca", "expirationTime", "redemptions")
"""Fields of an AccessGrant's status that hold its token."""
_WITHOUT_READY: Final = ("MultiKeyListener", "AccessToken")
"""Kinds that never get a condition `Ready`."""

V2Statuses = Mapping[tuple[str, str], Mapping[str, Any]]
"""The wanted status of each object, by (kind, name)."""


class StatusInputs(msgspec.Struct, frozen=True, kw_only=True):
    """The inputs of statuses. ``connectors``: with the addresses of their pods.

    ``listeners``: of Listeners and MultiKeyListeners, by their names. ``errors``: all findings of
    the namespace. ``now``: RFC 3339, UTC.
    """

    snapshot: Snapshot
    seen: V2Picture
    levels: Mapping[str, AccessLevel]
    facts: NetworkFacts
    addresses: Addresses
    now: str
    connectors: Mapping[str, ConnectorSpec] = {}
    listeners: Mapping[str, ListenerSpec] = {}
    errors: tuple[ConfigError, ...] = ()
    access: GrantFacts = GrantFacts()


def statuses(inputs: StatusInputs) -> V2Statuses:
    """The status of each object that is ours and may be written.

    The name of an AttachedConnector of another namespace is NAMESPACE/NAME.
    """
    if inputs.seen.controller.other:
        return {}
    made = _Statuses(inputs)
    return _elsewhere(inputs, made) | {
        (kind, name): status
        for kind in KINDS
        if inputs.levels.get(kind) is AccessLevel.FULL
        for name, found in inputs.snapshot.of(kind).items()
        if not is_going(found)
        and not is_completed(found)
        and not _is_of_another_site(found, inputs.snapshot.namespace)
        and (status := made.of(kind, name, found)) is not None
    }


def _elsewhere(inputs: StatusInputs, made: "_Statuses") -> dict[tuple[str, str], Mapping[str, Any]]:
    """Statuses of AttachedConnectors of other namespaces that bindings of this site name.

    Only an attempt shows whether they may be written.
    """
    found: dict[tuple[str, str], Mapping[str, Any]] = {}
    for name, binding in inputs.snapshot.of(BINDING).items():
        one = bound_connector(binding, inputs.snapshot)
        if one is None or is_going(one) or is_going(binding):
            continue
        if _is_of_another_site(one, inputs.snapshot.namespace):
            continue  # That site writes its status.
        there = namespace_of(binding.get("spec"))
        found[CONNECTOR, f"{there}/{name}"] = made.attached(there, name, one)
    return found


def without_site(found: Object, namespace: str, now: str) -> dict[str, Any] | None:
    """The status of an object that a router left behind when its site was deleted.

    None: it stays as it is. The token fields of an AccessGrant stay, so that no router grants
    another token. ``namespace``: the site's.
    """
    kind = str(found.get("kind"))
    was = part(found, "status", "conditions")
    if not was or is_going(found) or is_completed(found) or _is_of_another_site(found, namespace):
        return None
    told = [_condition(_first_condition(kind), False, _NO_SITE, ERROR)]
    if kind not in _WITHOUT_READY:
        told.append(_condition(READY, False, _NO_SITE, ERROR))
    kept = {key: part(found, "status", key) for key in _OF_TOKENS}
    return {
        "status": ERROR,
        "message": _NO_SITE,
        "conditions": conditions(found, told, now),
        **{key: value for key, value in kept.items() if value is not None},
    }


def _first_condition(kind: str) -> str:
    return {"AccessGrant": "Processed", "AccessToken": "Redeemed"}.get(kind, "Configured")


class _Told(msgspec.Struct):
    """Conditions in their order, and the other fields of a status."""

    conditions: list[Condition]
    fields: dict[str, Any]


class _Statuses:
    """The statuses at one moment."""

    def __init__(self, inputs: StatusInputs) -> None:
        self._inputs, self._facts = inputs, inputs.facts
        self._wrong: dict[str, ConfigError] = {}
        self._services = {  # Errors of Services that no Listener gets, by their source.
            error.source: error for error in inputs.errors if error.code in (_NO_SERVICE, _SKUPPERS)
        }
        self._unused: dict[str, list[str]] = {}  # Fields without effect, by object.
        for error in inputs.errors:
            if error.severity == "error" and error.code != _NO_PODS:
                self._wrong.setdefault(error.source, error)
            elif error.code == _NO_EFFECT and error.path:
                self._unused.setdefault(error.source, []).append(f"{error.path}: {error.reason}")
        self._listened = {
            key
            for kind in LISTENER_KINDS
            for found in inputs.snapshot.of(kind).values()
            if not is_going(found)
            for key in _keys(found)
        }

    def of(self, kind: str, name: str, found: Object) -> dict[str, Any] | None:
        """The status of one object; None: Spillway writes none."""
        wrong = self._wrong.get(f"{kind}/{name}")
        if kind == BINDING and wrong is None:
            wrong = self._wrong.get(source_of(namespace_of(found.get("spec")), name))
        told = _Told([self._configured(kind, name, found, wrong)], {})
        match kind:
            case "Site":
                self._add_site(name, found, told)
            case "Link":
                self._add_link(name, told)
            case "Listener":
                self._add_listener(found, told)
            case "Connector" | "AttachedConnectorBinding":
                self._add_connector(name, found, told)
            case "AttachedConnector":
                told.fields["selectedPods"] = self._selected(name)
            case "MultiKeyListener":
                self._add_several_keys(found, told)
            case "RouterAccess":
                self._add_access(told)
            case "AccessToken":
                if wrong is None:
                    told.conditions = [self._redeemed(name, told.conditions[0])]
                told.fields["redeemed"] = told.conditions[0].is_true
            case "AccessGrant":
                self._add_grant(name, found, told)
            case _:
                raise AssertionError(f"{kind} is in KINDS, and has no status here")
        return self._status(kind, found, told)

    def attached(self, namespace: str, name: str, found: Object) -> dict[str, Any]:
        """The status of an AttachedConnector of another namespace."""
        wrong = self._wrong.get(source_of(namespace, name))
        told = _Told([self._configured(CONNECTOR, name, found, wrong)], {})
        told.fields["selectedPods"] = self._selected(name)
        return self._status(CONNECTOR, found, told)

    def _status(self, kind: str, found: Object, told: _Told) -> dict[str, Any]:
        lacking = next((one for one in told.conditions if not one.is_true), None)
        status = READY if lacking is None else lacking.reason
        message = OK if lacking is None else lacking.message
        listed = list(told.conditions)
        if kind not in _WITHOUT_READY:
            listed.append(_condition(READY, lacking is None, message, status))
        return {
            "status": status,
            "message": message,
            "conditions": conditions(found, listed, self._inputs.now),
            **told.fields,
        }

    def _configured(
        self, kind: str, name: str, found: Object, wrong: ConfigError | None
    ) -> Condition:
        type_ = _first_condition(kind)
        if wrong is not None:
            active = self._inputs.seen.site
            if kind == "Site" and active and active != name:
                text = f"An active site already exists in the namespace ({active})"
                return _condition(type_, False, text, ERROR)
            return _condition(type_, False, _words(wrong), ERROR)
        if kind != "Site" and self._inputs.seen.picture.options is None:
            return _condition(type_, False, _NO_SITE, ERROR)
        if kind in LISTENER_KINDS:
            host = part(found, "spec", "host")
            refused = self._services.get(f"Service/{host}")
            if refused is not None:
                text = f"Service {host} already exists in namespace"
                if refused.code == _SKUPPERS:
                    text = f"Service {host}: {refused.reason}. {refused.hint}"
                return _condition(type_, False, text, ERROR)
        credential = self._wrong.get(f"Secret/{part(found, 'spec', 'tlsCredentials')}")
        if credential is not None and credential.code == _CREDENTIAL:
            return _condition(type_, False, f"{credential.source}: {_words(credential)}", ERROR)
        if kind in LISTENER_KINDS and (why := self._unlistened(name)):
            return _condition(type_, False, why, ERROR)
        if kind == BINDING and is_unread(found, self._inputs.snapshot):
            text = f"Namespace {namespace_of(found.get('spec'))} has not answered yet"
            return _condition(type_, False, text)
        has_selector = kind == "Connector" and part(found, "spec", "selector")
        if (has_selector or kind in (CONNECTOR, BINDING)) and not self._selected(name):
            return _condition(type_, False, self._no_match(name), ERROR)
        unused = self._unused.get(f"{kind}/{name}")
        configured = _condition(type_, True)
        if unused is None:
            return configured
        text = f"{OK}. {'; '.join(unused)}"[:MESSAGE_CHARS_MAX]
        return msgspec.structs.replace(configured, message=text)

    # Kinds ----------------------------------------------------------------------------------

    def _add_site(self, name: str, found: Object, told: _Told) -> None:
        if name != self._inputs.seen.site:
            return
        no_router = "" if self._facts.is_ready else "No router pod is ready"
        told.conditions.append(_condition("Running", not no_router, no_router))
        if part(found, "spec", "linkAccess") not in (None, "", "none"):
            self._add_access(told)
        sites = sorted(self._facts.sites.items(), key=lambda site: (site[1], site[0]))
        told.fields |= {
            "sitesInNetwork": len(sites),
            "network": [{"id": id_, "name": of} for id_, of in sites[: limits.STATUS_ITEMS_MAX]],
            "controller": {
                "name": names.ROUTER,
                "namespace": self._inputs.snapshot.namespace,
                "version": self._facts.version,
            },
        }

    def _add_access(self, told: _Told) -> None:
        where = self._inputs.addresses
        told.conditions.append(_condition("Resolved", bool(where.endpoints), where.waiting))
        told.fields["endpoints"] = [
            {"name": role, "host": host, "port": str(port), "group": names.SKUPPER_ROUTER}
            for host, port in where.endpoints
            for role in ("inter-router", "edge")
        ]

    def _redeemed(self, name: str, configured: Condition) -> Condition:
        """Condition of an AccessToken: whether its link has a certificate, else the obstacle."""
        if not configured.is_true or name in self._inputs.access.redeemed:
            return configured
        if name in self._inputs.access.former:
            return _condition("Redeemed", False, "Its link is not made yet")
        problem = self._wrong.get(f"Secret/{name}")
        error = problem.reason if problem is not None else ""
        error = error or self._facts.links.get(name, LinkFacts(False, "", "")).error
        if error:
            return _condition("Redeemed", False, error, ERROR)
        return _condition("Redeemed", False, "The site that issued the token has not answered yet")

    def _add_grant(self, name: str, found: Object, told: _Told) -> None:
        if not told.conditions[0].is_true:
            return
        access, where = self._inputs.access, self._inputs.addresses
        made = access.granted.get(name)
        if useless := access.useless.get(name):
            text = f"{useless}. Make the AccessGrant again"
            told.conditions.append(_condition("Resolved", False, text, ERROR))
        else:
            waiting = where.waiting or "The token is not made yet"
            is_made = made is not None and bool(where.endpoints)
            told.conditions.append(_condition("Resolved", is_made, waiting))
        if made is not None:
            told.fields |= {key: part(found, "status", key) for key in _OF_TOKENS}
            told.fields["redemptions"] = made

    def _add_link(self, name: str, told: _Told) -> None:
        fact = self._facts.links.get(name, LinkFacts(False, "", ""))
        why = f"Not operational: {fact.error}" if fact.error else "Not operational"
        told.conditions.append(_condition("Operational", fact.is_up, "" if fact.is_up else why))
        told.fields |= {"remoteSiteId": fact.site_id, "remoteSiteName": fact.site}

    def _add_listener(self, found: Object, told: _Told) -> None:
        has_target = self._key(found).ready > 0
        told.conditions.append(_condition("Matched", has_target, _NO_TARGET))
        told.fields["hasMatchingConnector"] = has_target

    def _add_connector(self, name: str, found: Object, told: _Told) -> None:
        key = part(found, "spec", "routingKey")
        is_listened = isinstance(key, str) and key in self._listened
        is_used = is_listened or self._key(found).is_used_elsewhere
        told.conditions.append(_condition("Matched", is_used, "No matching listeners"))
        told.fields["hasMatchingListener"] = is_used
        if part(found, "spec", "selector"):
            told.fields["selectedPods"] = self._selected(name)

    def _add_several_keys(self, found: Object, told: _Told) -> None:
        reached = list(self._reached(found))
        is_any = any(keys for _, keys in reached)
        told.conditions.append(_condition("Operational", is_any, _NO_TARGET))
        told.fields["hasDestination"] = is_any
        told.fields["strategy"] = {word: {"routingKeysReachable": keys} for word, keys in reached}

    def _reached(self, found: Object) -> Iterator[tuple[str, Any]]:
        """For each strategy of the object, the keys with a target, in the order of its spec."""
        for word in _STRATEGIES:
            keys = part(found, "spec", "strategy", word, "routingKeys")
            if isinstance(keys, list):
                yield word, [key for key in keys if self._is_reached(key)]
            elif isinstance(keys, dict):
                yield word, {key: weight for key, weight in keys.items() if self._is_reached(key)}

    def _is_reached(self, key: object) -> bool:
        return isinstance(key, str) and self._of_key(key).ready > 0

    def _unlistened(self, listener: str) -> str:
        spec = self._inputs.listeners.get(listener)
        return self._facts.keys.get(spec.service, KeyFacts()).unlistened if spec else ""

    def _key(self, found: Object) -> KeyFacts:
        key = part(found, "spec", "routingKey")
        return self._of_key(key) if isinstance(key, str) else KeyFacts()

    def _of_key(self, key: str) -> KeyFacts:
        return self._facts.keys.get(service_of(key), KeyFacts())

    def _selected(self, connector: str) -> list[dict[str, str]]:
        """The pods that take connections, counted as Skupper does."""
        pods = {(t.host, t.name) for t in self._targets(connector) if not t.unusable}
        listed = [{"name": name, "ip": host} for host, name in sorted(pods)]
        return listed[: limits.STATUS_ITEMS_MAX]

    def _no_match(self, connector: str) -> str:
        not_ready = len(self._targets(connector))
        return f"{_NO_MATCH}: {not_ready} not ready" if not_ready else _NO_MATCH

    def _targets(self, connector: str) -> tuple[TargetSpec, ...]:
        spec = self._inputs.connectors.get(connector)
        if spec is None:
            return ()
        return tuple(one for one in spec.targets if not one.last_resort)


def _words(wrong: ConfigError) -> str:
    return f"{wrong.reason}. {wrong.hint}".rstrip(". ")


def _is_of_another_site(found: Object, namespace: str) -> bool:
    site = part(found, "spec", "siteNamespace")
    return found.get("kind") == CONNECTOR and site not in (None, "", namespace)


def _keys(found: Object) -> set[str]:
    """The routing keys of a Listener or MultiKeyListener."""
    named = [part(found, "spec", "routingKey")]
    for word in _STRATEGIES:
        keys = part(found, "spec", "strategy", word, "routingKeys")
        named += keys if isinstance(keys, list | dict) else ()
    return {key for key in named if isinstance(key, str)}


def _condition(type_: str, is_true: bool, message: str = "", reason: str = PENDING) -> Condition:
    text = OK if is_true else message[:MESSAGE_CHARS_MAX]
    return Condition(type=type_, is_true=is_true, reason=READY if is_true else reason, message=text)
