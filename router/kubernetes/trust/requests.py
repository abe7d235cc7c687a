"""Secrets that ask for a certificate token of this site, filled in place.

A request counts as filled if it has a valid certificate of this site, whatever its label says. So a
tool that puts the label back (Argo CD's self-heal does, its manifest says *request*) causes no
fight. A filled request is written again only to add missing parts: a certificate in place of one
that ends soon or is of another CA, other addresses, or everything, if it was emptied. A Secret with
a token of another site is a copy and left alone.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from certs import certificates
from certs.ca.authority import Authority
from certs.errors import CertError
from certs.joining import issue
from certs.names import Endpoint
from certs.token_files import tokens
from certs.token_files.tokens import Token
from router.kubernetes.client.api import Api
from router.kubernetes.client.errors import CONFLICT, NOT_FOUND, ApiError
from router.kubernetes.codecs import token as codec
from router.kubernetes.objects.addresses import Addresses
from router.kubernetes.objects.names import CONNECTION_TOKEN, FILLED, SKUPPER_TYPE
from router.kubernetes.objects.objects import Object, annotations, labels, uid_of, version_of
from router.kubernetes.trust.trust_calls import SECRET, refusal, side_by_side
from router.model import limits
from router.model.errors import ConfigError

WAITS_CODE, UNUSABLE_CODE = "SW0442", "SW0448"
ISSUER: Final = "spillway.dev/issuer"
"""Annotation of a request: the one site, by name, id or namespace, that should fill it."""


class TokenIssuer(msgspec.Struct, frozen=True):
    """The site that fills requests."""

    authority: Authority
    site_id: str
    namespace: str


class TokenRequests:
    """Fills requests. ``clock``: Unix seconds."""

    def __init__(self, api: Api, issuer: TokenIssuer, clock: Callable[[], float]) -> None:
        self._api = api
        self._issuer = issuer
        self._clock = clock
        self._asking: dict[str, Object] = {}
        self._site_name = ""
        self._addresses = Addresses(waiting="the addresses of this site are not known yet")
        self._filled_at: dict[str, float] = {}  # By UID.
        self._errors: dict[str, ConfigError] = {}
        self._elsewhere: dict[str, ConfigError] = {}  # Requests that another site fills.

    def use(self, authority: Authority) -> None:
        """Issue by ``authority`` from now on: the site's CA is rotated."""
        self._issuer = msgspec.structs.replace(self._issuer, authority=authority)

    @property
    def errors(self) -> tuple[ConfigError, ...]:
        """Why requests wait or cannot be filled."""
        found = self._errors | self._elsewhere
        return tuple(found[name] for name in sorted(found))

    def look(
        self,
        names: tuple[str, ...],
        secrets: Mapping[str, Object],
        site_name: str,
        addresses: Addresses,
    ) -> None:
        """``names``: Secrets with the label; ``secrets``: all Secrets that are known."""
        self._addresses, self._site_name = addresses, site_name
        self._asking = {
            name: found
            for name, found in secrets.items()
            if self._is_for_us(found) and (name in names or self._was_filled_here(found))
        }
        self._errors = {n: e for n, e in self._errors.items() if n in self._asking}
        self._elsewhere = {
            name: self._of_another(name, issuer)
            for name in names
            if (found := secrets.get(name)) and (issuer := self._other_issuer(found))
        }
        uids = {uid_of(found) for found in self._asking.values()}
        self._filled_at = {uid: at for uid, at in self._filled_at.items() if uid in uids}

    def _is_for_us(self, found: Object) -> bool:
        notes = annotations(found)
        if not self._may_fill(notes.get(ISSUER, "")):
            return False
        issuer = notes.get(tokens.GENERATED_BY, self._issuer.site_id)
        return issuer == self._issuer.site_id or not _has_certificate(found)

    def _may_fill(self, asked: str) -> bool:
        """Whether the request allows this site; an empty name allows any."""
        return asked in ("", self._site_name, self._issuer.site_id, self._issuer.namespace)

    def _other_issuer(self, found: Object) -> str:
        """The other site that must still fill the request; empty: there is none."""
        asked = annotations(found).get(ISSUER, "")
        return "" if self._may_fill(asked) or _has_certificate(found) else asked

    def _was_filled_here(self, found: Object) -> bool:
        """Whether this site filled this very Secret: its copies have other UIDs."""
        is_token = labels(found).get(SKUPPER_TYPE) == CONNECTION_TOKEN
        return is_token and annotations(found).get(FILLED, "-") == uid_of(found)

    async def step(self) -> None:
        """Fill open requests. The next call tries again after a failure."""

        async def fill(asking: tuple[str, Object]) -> None:
            name, found = asking
            error = await self._step(name, found)
            if error is None:
                self._errors.pop(name, None)
            elif name in self._asking:
                self._errors[name] = error

        await side_by_side(self._asking.items(), fill)

    async def _step(self, name: str, found: Object) -> ConfigError | None:
        endpoints, now = self._addresses.endpoints, self._clock()
        carried = self._carried(found, now)
        if carried is not None and (not endpoints or carried.endpoints == endpoints):
            return None
        if not endpoints:
            return self._waiting(name)
        if now - self._filled_at.get(uid_of(found), -limits.REFILL_S) < limits.REFILL_S:
            return None
        try:
            token = self._token(name, carried, endpoints, now)
            await self._api.patch(SECRET, name, filling(found, token))
        except CertError as error:
            return ConfigError(
                f"{SECRET}/{name}",
                "metadata.name",
                f"the request is not filled: {error.reason}",
                hint=error.hint or "Choose another name",
                code=UNUSABLE_CODE,
            )
        except ApiError as error:
            if error.status in (CONFLICT, NOT_FOUND):
                return None  # It changed meanwhile, and the watch will deliver it.
            return refusal(error, f"{SECRET}/{name}", "fill this token request")
        self._filled_at[uid_of(found)] = now
        return None

    def _carried(self, found: Object, now: float) -> Token | None:
        """The request's token of this site, if it is valid for a while."""
        try:
            token = codec.decode(found, (), CONNECTION_TOKEN)
            certificate = certificates.read(token.certificate_pem)
        except CertError:
            return None
        is_ours = token.kind == "certificate" and self._issuer.authority.issued(certificate)
        if not is_ours or certificates.needs_renewal(token.certificate_pem, now):
            return None
        return token if token.ca_pem == self._issuer.authority.trusted_pem else None

    def _token(
        self, name: str, carried: Token | None, endpoints: tuple[Endpoint, ...], now: float
    ) -> Token:
        """A new token, or the request's token with new addresses."""
        if carried is not None:
            return msgspec.structs.replace(carried, endpoints=endpoints)
        return issue.certificate_token(
            self._issuer.authority,
            name=name,
            site_id=self._issuer.site_id,
            site_name=self._site_name,
            endpoints=endpoints,
            now=now,
        )

    def _of_another(self, name: str, issuer: str) -> ConfigError:
        return ConfigError(
            f"{SECRET}/{name}",
            f"metadata.annotations[{ISSUER}]",
            f"the token request waits for site {issuer!r} to fill it, and this one is "
            f"{self._site_name}",
            hint="Apply the filled Secret of that site here",
            code=WAITS_CODE,
            severity="info",
        )

    def _waiting(self, name: str) -> ConfigError:
        return ConfigError(
            f"{SECRET}/{name}",
            "",
            f"the token request waits: {self._addresses.waiting}",
            hint=self._addresses.hint,
            code=WAITS_CODE,
            severity="info",
        )


def _has_certificate(found: Object) -> bool:
    return "tls.crt" in (found.get("data") or {})


def filling(found: Object, token: Token) -> dict[str, Any]:
    """The merge patch that makes ``found``, as it was seen, carry ``token``."""
    made = tokens.as_secret(token)
    return {
        "metadata": {
            "resourceVersion": version_of(found),
            "labels": made["metadata"]["labels"],
            "annotations": made["metadata"]["annotations"] | {FILLED: uid_of(found)},
        },
        "data": made["data"],
    }
