"""The fields of Skupper v2's kinds, as its CRDs of 2026-07 state them (config/crd/bases)."""

from typing import Any, Final

Json = dict[str, Any]
_TEXT: Final[Json] = {"type": "string"}
_NUMBER: Final[Json] = {"type": "integer"}
_FLAG: Final[Json] = {"type": "boolean"}
_OBSERVER: Final[Json] = {"type": "string", "enum": ["auto", "none", "http1", "http2"]}


def _map(each: Json) -> Json:
    return {"type": "object", "additionalProperties": each}


def _list(each: Json) -> Json:
    return {"type": "array", "items": each}


def _object(*required: str, **properties: Json) -> Json:
    found: Json = {"type": "object", "properties": properties}
    return {**found, "required": list(required)} if required else found


_SETTINGS: Final = _map(_TEXT)
_ENDPOINTS: Final = _list(_object(name=_TEXT, host=_TEXT, port=_TEXT, group=_TEXT))
_PODS: Final = _list(_object(name=_TEXT, ip=_TEXT))
_NETWORK: Final = _object(
    id=_TEXT,
    name=_TEXT,
    namespace=_TEXT,
    platform=_TEXT,
    version=_TEXT,
    links=_list(_object(name=_TEXT, remoteSiteId=_TEXT, remoteSiteName=_TEXT, operational=_FLAG)),
    services=_list(_object(routingKey=_TEXT, connectors=_list(_TEXT), listeners=_list(_TEXT))),
)
_SPECS: Final[dict[str, Json]] = {
    "AccessGrant": _object(
        redemptionsAllowed=_NUMBER,
        expirationWindow=_TEXT,
        code=_TEXT,
        issuer=_TEXT,
        settings=_SETTINGS,
    ),
    "AccessToken": _object(
        *("url", "code", "ca"),
        url=_TEXT,
        code=_TEXT,
        ca=_TEXT,
        linkCost=_NUMBER,
        settings=_SETTINGS,
    ),
    "AttachedConnectorBinding": _object(
        *("connectorNamespace", "routingKey"),
        connectorNamespace=_TEXT,
        routingKey=_TEXT,
        exposePodsByName=_FLAG,
        settings=_SETTINGS,
    ),
    "AttachedConnector": _object(
        *("port", "selector", "siteNamespace"),
        siteNamespace=_TEXT,
        port=_NUMBER,
        selector=_TEXT,
        tlsCredentials=_TEXT,
        useClientCert=_FLAG,
        type=_TEXT,
        includeNotReadyPods=_FLAG,
        settings=_SETTINGS,
    ),
    "Connector": {
        **_object(
            *("routingKey", "port"),
            routingKey=_TEXT,
            port=_NUMBER,
            selector=_TEXT,
            host=_TEXT,
            tlsCredentials=_TEXT,
            useClientCert=_FLAG,
            verifyHostname=_FLAG,
            type=_TEXT,
            includeNotReadyPods=_FLAG,
            exposePodsByName=_FLAG,
            settings=_SETTINGS,
        ),
        "oneOf": [{"required": ["selector"]}, {"required": ["host"]}],
    },
    "Link": _object(
        "endpoints",
        endpoints=_ENDPOINTS,
        tlsCredentials=_TEXT,
        cost=_NUMBER,
        settings=_SETTINGS,
    ),
    "Listener": _object(
        *("routingKey", "host", "port"),
        observer=_OBSERVER,
        routingKey=_TEXT,
        host=_TEXT,
        port=_NUMBER,
        tlsCredentials=_TEXT,
        type=_TEXT,
        exposePodsByName=_FLAG,
        settings=_SETTINGS,
    ),
    "MultiKeyListener": _object(
        *("host", "port", "strategy"),
        host=_TEXT,
        observer=_OBSERVER,
        port=_NUMBER,
        requireClientCert=_FLAG,
        settings=_SETTINGS,
        strategy={
            **_object(
                priority=_object("routingKeys", routingKeys={**_list(_TEXT), "maxItems": 256}),
                weighted=_object("routingKeys", routingKeys=_map(_NUMBER)),
            ),
            "oneOf": [{"required": ["priority"]}, {"required": ["weighted"]}],  # There: by CEL.
        },
        tlsCredentials=_TEXT,
    ),
    "RouterAccess": _object(
        *("roles", "tlsCredentials"),
        roles=_list(_object("name", name=_TEXT, port=_NUMBER)),
        generateTlsCredentials=_FLAG,
        issuer=_TEXT,
        accessType=_TEXT,
        tlsCredentials=_TEXT,
        bindHost=_TEXT,
        subjectAlternativeNames=_list(_TEXT),
        settings=_SETTINGS,
    ),
    "Site": _object(
        serviceAccount=_TEXT,
        linkAccess=_TEXT,
        defaultIssuer=_TEXT,
        ha=_FLAG,
        edge=_FLAG,
        settings=_SETTINGS,
    ),
}
_REACHED: Final = _object(
    priority=_object("routingKeysReachable", routingKeysReachable=_list(_TEXT)),
    weighted=_object("routingKeysReachable", routingKeysReachable=_map(_NUMBER)),
)
_STATUSES: Final[dict[str, Json]] = {
    "AccessGrant": {
        "url": _TEXT,
        "code": _TEXT,
        "ca": _TEXT,
        "redemptions": _NUMBER,
        "expirationTime": _TEXT,
    },
    "AccessToken": {"redeemed": _FLAG},
    "AttachedConnectorBinding": {"hasMatchingListener": _FLAG},
    "AttachedConnector": {"selectedPods": _PODS},
    "Connector": {"hasMatchingListener": _FLAG, "selectedPods": _PODS},
    "Link": {"remoteSiteId": _TEXT, "remoteSiteName": _TEXT},
    "Listener": {"hasMatchingConnector": _FLAG},
    "MultiKeyListener": {"hasDestination": _FLAG, "strategy": _REACHED},
    "RouterAccess": {"endpoints": _ENDPOINTS},
    "Site": {
        "defaultIssuer": _TEXT,
        "controller": _object(name=_TEXT, namespace=_TEXT, version=_TEXT),
        "endpoints": _ENDPOINTS,
        "sitesInNetwork": _NUMBER,
        "network": _list(_NETWORK),
    },
}
"""Beside ``status``, ``message`` and ``conditions``, which all have."""


def schemas(conditions: Json) -> dict[str, Json]:
    """Spec and status by kind."""
    common = {"status": _TEXT, "message": _TEXT, "conditions": conditions}
    return {
        kind: {"spec": spec, "status": _object(**common, **_STATUSES[kind])}
        for kind, spec in _SPECS.items()
    }
