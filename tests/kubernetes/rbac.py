"""Who asks, and what Roles and RoleBindings let them do."""

import base64
import json
import secrets
from collections.abc import Iterator
from typing import Final

import msgspec

from tests.kubernetes.failures import Failure, forbidden
from tests.kubernetes.requests import Wanted
from tests.kubernetes.resources import Catalogue, Json
from tests.kubernetes.storage import Store

MASTERS, AUTHENTICATED = "system:masters", "system:authenticated"
_READABLE_BY_ALL: Final = (
    "selfsubjectaccessreviews",
    "selfsubjectrulesreviews",
    "selfsubjectreviews",
)


class User(msgspec.Struct, frozen=True):
    """Who asks."""

    name: str
    groups: tuple[str, ...] = (AUTHENTICATED,)


ADMIN: Final = User("kubernetes-admin", (MASTERS, AUTHENTICATED))


def service_account(namespace: str, name: str) -> User:
    """The user that a pod of this ServiceAccount is."""
    return User(
        f"system:serviceaccount:{namespace}:{name}",
        ("system:serviceaccounts", f"system:serviceaccounts:{namespace}", AUTHENTICATED),
    )


class Tokens:
    """Bearer tokens and whose they are."""

    def __init__(self) -> None:
        self._users: dict[str, User] = {}

    def issue(self, user: User) -> str:
        """A new token; it has a JWT's shape."""
        head = {"alg": "RS256", "kid": "test"}
        parts = [json.dumps(part).encode() for part in (head, {"sub": user.name})]
        texts = [base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts]
        token = ".".join([*texts, secrets.token_urlsafe(32)])
        self._users[token] = user
        return token

    def revoke(self, token: str) -> None:
        """Refuse it from now on."""
        self._users.pop(token, None)

    def user(self, authorization: str) -> User:
        """Whose header this is. 401."""
        kind, _space, token = authorization.partition(" ")
        found = self._users.get(token) if kind == "Bearer" else None
        if found is None:
            raise Failure(401, "Unauthorized", "Unauthorized")
        return found


def no_right(user: str, wanted: Wanted) -> Failure:
    """403 as authorization says it."""
    resource = wanted.resource
    what = f"{resource.plural}/{wanted.subresource}" if wanted.subresource else resource.plural
    named = f' "{wanted.name}"' if wanted.name else ""
    where = f'in the namespace "{wanted.namespace}"' if wanted.namespace else "at the cluster scope"
    text = (
        f'{resource.qualified}{named} is forbidden: User "{user}" cannot {wanted.verb} resource '
        f'"{what}" in API group "{resource.group}" {where}'
    )
    return forbidden(resource, wanted.name, text)


class Rules:
    """Decides by the Role objects as they are in the store."""

    def __init__(self, store: Store, catalogue: Catalogue) -> None:
        self._store, self._catalogue = store, catalogue

    def check(self, user: User, wanted: Wanted) -> None:
        """403 with the text of the real server."""
        if self.allows(user, wanted):
            return
        raise no_right(user.name, wanted)

    def allows(self, user: User, wanted: Wanted) -> bool:
        """Whether ``user`` may do it."""
        resource = wanted.resource
        if resource.plural in _READABLE_BY_ALL and AUTHENTICATED in user.groups:
            return True
        return self.allows_raw(
            user,
            verb=wanted.verb,
            group=resource.group,
            plural=resource.plural,
            subresource=wanted.subresource,
            namespace=wanted.namespace,
            name=wanted.name,
        )

    def allows_raw(
        self,
        user: User,
        *,
        verb: str,
        group: str,
        plural: str,
        subresource: str = "",
        namespace: str = "",
        name: str = "",
    ) -> bool:
        """As `allows`, for what need not be served."""
        if MASTERS in user.groups:
            return True
        path = f"{plural}/{subresource}" if subresource else plural
        wide = f"*/{subresource}" if subresource else "*"
        return any(
            _has(rule, "verbs", verb)
            and _has(rule, "apiGroups", group)
            and any(word in ("*", path, wide) for word in rule.get("resources") or [])
            and (not rule.get("resourceNames") or name in rule["resourceNames"])
            for rule in self.rules(user, namespace)
        )

    def rules(self, user: User, namespace: str) -> Iterator[Json]:
        """All rules that hold for ``user`` in ``namespace``; empty: of the cluster only."""
        kinds = ["ClusterRoleBinding", *(["RoleBinding"] if namespace else [])]
        for kind in kinds:
            place = namespace if kind == "RoleBinding" else ""
            for binding in self._store.all(self._catalogue.kind(kind), place):
                if any(_is(user, subject, namespace) for subject in binding.get("subjects") or []):
                    yield from self.of_role(binding["roleRef"], place) or []

    def of_role(self, reference: Json, namespace: str) -> list[Json] | None:
        """The rules of the role that a binding in ``namespace`` names; None: there is no role."""
        place = namespace if reference["kind"] == "Role" else ""
        resource = self._catalogue.kind(reference["kind"])
        found = self._store.get(resource, place, reference["name"])
        return (found.get("rules") or []) if found else None


def _has(rule: Json, field: str, word: str) -> bool:
    values = rule.get(field) or []
    return word in values or "*" in values


def _is(user: User, subject: Json, namespace: str) -> bool:
    match subject.get("kind"):
        case "User":
            return bool(subject["name"] == user.name)
        case "Group":
            return subject["name"] in user.groups
        case "ServiceAccount":
            place = subject.get("namespace", namespace)
            return user.name == f"system:serviceaccount:{place}:{subject['name']}"
        case _:
            return False
