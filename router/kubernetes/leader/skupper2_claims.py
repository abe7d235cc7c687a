"""Claims and links for AccessGrants and AccessTokens: their Secrets, Links and statuses.

Only the status of an AccessGrant holds its token, so a new claim is granted if a crash lost the
status. Annotation `names.ACCESS_OF` of a link's Secret names its AccessToken, and that of a grant's
Secret its AccessGrant. Secrets of these names without it belong to others.
"""

import logging
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from certs.ca.authority import Authority
from certs.errors import CertError
from certs.joining import claims
from certs.joining.claims import Grant
from certs.names import format_endpoint
from certs.token_files import access_tokens, tokens
from certs.token_files.tokens import Token
from router.documents.skupper2 import GrantRequest, TokenRequest
from router.kubernetes.codecs import grant as grants
from router.kubernetes.codecs import identity
from router.kubernetes.codecs import token as token_secrets
from router.kubernetes.codecs.secrets import (
    CODE,
    GRANT,
    LINK_CERTIFICATE,
    data_of,
    grant_name,
    is_type,
    link_name,
)
from router.kubernetes.objects import names
from router.kubernetes.objects.addresses import Addresses
from router.kubernetes.objects.conditions import Condition, conditions
from router.kubernetes.objects.objects import (
    Object,
    Snapshot,
    annotations,
    metadata,
    name_of,
    part,
    seconds_of,
    stamp_of,
    uid_of,
)
from router.kubernetes.objects.skupper2_kinds import API_VERSION
from router.kubernetes.skupper2.completed_objects import is_granted
from router.kubernetes.skupper2.network_facts import GrantFacts

log = logging.getLogger("router.kubernetes")

READY: Final = "Ready"
PENDING: Final = "Pending"
_GRANTED: Final = ("Processed", "Resolved", READY)
_CLAIM_SEEN_S: Final = 30.0
"""By then the watch has delivered the claim's Secret, which may come after its AccessGrant."""


def owner_of(found: Object) -> str:
    """UID of the AccessGrant or AccessToken behind a Secret or Link; empty: none."""
    return annotations(found).get(names.ACCESS_OF, "")


def access_facts(snapshot: Snapshot, where: Addresses, now: float) -> GrantFacts:
    """The AccessTokens that have their link, and the state of the AccessGrants' tokens.

    ``where``: the site's addresses. ``now``: Unix seconds.
    """
    redemptions: dict[str, int] = {}
    useless: dict[str, str] = {}
    for name, found in snapshot.of("AccessGrant").items():
        token = _token_of_site(found, snapshot)
        if token is None:
            continue
        redemptions[name] = _redemptions(snapshot, name, found)
        uses = part(found, "spec", "redemptionsAllowed") or 1
        if token.expires_at <= now or uses <= redemptions[name]:
            continue  # Its other fields already show that.
        if _has_no_claim(snapshot, name, found, now):
            useless[name] = "the token was revoked, so no site can redeem it"
        elif where.endpoints and not set(where.endpoints) & set(token.endpoints):
            then, at = map(format_endpoint, (token.endpoints[0], where.endpoints[0]))
            useless[name] = f"the token leads to {then}, and the site is at {at} now"
    tokens_here = snapshot.of("AccessToken")
    redeemed = frozenset(name for name in tokens_here if _is_redeemed(snapshot, name))
    former = frozenset(name for name in tokens_here if _is_former(snapshot, name))
    return GrantFacts(redeemed, former, redemptions, useless)


def _has_no_claim(snapshot: Snapshot, name: str, grant: Object, now: float) -> bool:
    """Whether the claim of an AccessGrant is gone, not just too new to be seen."""
    if snapshot.get("Secret", grant_name(name)) is not None:
        return False
    listed = part(grant, "status", "conditions")
    for one in listed if isinstance(listed, list) else ():
        if part(one, "type") == "Resolved" and part(one, "status") == "True":
            since = seconds_of(str(part(one, "lastTransitionTime")))
            return since is not None and now - since > _CLAIM_SEEN_S
    return True


def _is_redeemed(snapshot: Snapshot, name: str) -> bool:
    """Whether the link made from an AccessToken has its certificate."""
    found = snapshot.get("Secret", link_name(name))
    token = snapshot.get("Secret", name)
    return (
        token is not None
        and owner_of(token) == uid_of(snapshot.of("AccessToken")[name])
        and found is not None
        and LINK_CERTIFICATE in data_of(found, CODE)
    )


def _is_former(snapshot: Snapshot, name: str) -> bool:
    """Whether the link of an AccessToken's name has the token of an earlier AccessToken."""
    token = snapshot.get("Secret", name)
    uid = uid_of(snapshot.of("AccessToken")[name])
    return token is not None and is_of_access_token(token) and owner_of(token) != uid


def _redemptions(snapshot: Snapshot, name: str, of: Object) -> int:
    """How often the claim was redeemed; once it is gone, its status has the number."""
    found = snapshot.get("Secret", grant_name(name))
    try:
        if found is not None:
            return len(grants.decode(found).redeemed)
    except CertError:
        log.debug("the grant of AccessGrant/%s is damaged", name)
    last = part(of, "status", "redemptions")
    return last if isinstance(last, int) else 0


# AccessGrants -----------------------------------------------------------------------------------


def is_of_site(grant: Object, snapshot: Snapshot) -> bool:
    """Whether the status of an AccessGrant holds a token of this site's current identity."""
    return _token_of_site(grant, snapshot) is not None


def _token_of_site(grant: Object, snapshot: Snapshot) -> Token | None:
    """The token of this site in the status of ``grant``; None: it has none."""
    if not is_granted(grant):
        return None
    secret = snapshot.get("Secret", names.IDENTITY_SECRET)
    url, code, ca = (str(part(grant, "status", key) or "") for key in ("url", "code", "ca"))
    try:
        token = access_tokens.read(url, code, ca, "")
        is_ours = secret is None or token.site_id == identity.site_id(secret)
    except CertError:
        return None
    return token if is_ours else None


def granted(
    request: GrantRequest, of: Object, snapshot: Snapshot, site: str, where: Addresses, now: float
) -> tuple[dict[str, Any], Token]:
    """The grant's Secret and the token of a new claim. CertError: it cannot be made."""
    secret = snapshot.get("Secret", names.IDENTITY_SECRET)
    if secret is None:
        raise CertError(f"Secret/{names.IDENTITY_SECRET}", "is missing", "Wait for the router")
    authority = Authority.of_state(identity.ca(secret), identity.SOURCE)
    draft = Token(
        kind="claim",
        name=request.name,
        site_id=identity.site_id(secret),
        site_name=site,
        endpoints=where.endpoints,
        ca_pem=authority.trusted_pem,
        expires_at=claims.claim_expires_at(now, request.window_s),
    )
    grant, token = claims.new_grant(draft, uses=request.uses)
    return _made_of(grants.secret(grant), of), token


def granted_status(of: Object, token: Token, now: float) -> dict[str, Any]:
    """The status of AccessGrant ``of`` with its token."""
    stated = [Condition(type=one, is_true=True, reason=READY, message="OK") for one in _GRANTED]
    return {
        "status": READY,
        "message": "OK",
        "conditions": conditions(of, stated, _time(now)),
        "url": access_tokens.url_of(token),
        "code": token.secret,
        "ca": token.ca_pem,
        "redemptions": 0,
        "expirationTime": _time(token.expires_at),
    }


def restarted_status(of: Object, token: Token, now: float) -> dict[str, Any]:
    """The status of an AccessGrant that gets another claim; it differs from every earlier status.

    Writing it changes the object's version, so a replica that would still write the token of the
    old claim is refused.
    """
    text = f"its token is being renewed ({tokens.checksum(token)[:8]})"
    stated = [Condition(type=one, is_true=False, reason=PENDING, message=text) for one in _GRANTED]
    return {
        "status": PENDING,
        "message": text,
        "conditions": conditions(of, stated, _time(now)),
    }


def claim_of(secret: Object) -> str:
    """Name of the claim in a Secret; empty: it holds none.

    The Secret's type decides, since an AccessToken may have any name.
    """
    return name_of(secret).removeprefix(grant_name("")) if is_type(secret, GRANT) else ""


def is_redeemable(secret: Object) -> bool:
    """Whether the claim in the Secret can still be redeemed; a damaged one cannot."""
    try:
        return grants.decode(secret).uses_left > 0
    except CertError:
        return False


def ended(secret: Object) -> Object | None:
    """The Secret of a grant whose AccessGrant was deleted, changed so that no site can redeem it.

    None: no site redeemed it, so it may be deleted. CertError: it is damaged.
    """
    grant: Grant = grants.decode(secret)
    if not grant.redeemed:
        return None
    return grants.changed(secret, msgspec.structs.replace(grant, uses_left=0))


# AccessTokens -----------------------------------------------------------------------------------


def is_of_access_token(found: Object) -> bool:
    """Whether a Secret or Link was made from an AccessToken, also an earlier one of that name."""
    return bool(owner_of(found)) and not claim_of(found)


def is_outdated(held: Object, made: Object) -> bool:
    """Whether a Secret is from an earlier AccessToken, or holds another token than this one.

    A Link stays as it is: its cost is the user's, and level A has no permission to write it.
    """
    if held.get("kind") != "Secret":
        return False
    return owner_of(held) != owner_of(made) or held.get("data") != made["data"]


def remade(held: Object, made: Object) -> dict[str, Any]:
    """Secret ``held``, with its version, and the content that its AccessToken has now."""
    head = {**metadata(held)}
    for key in ("labels", "annotations"):
        head[key] = {**(head.get(key) or {}), **made["metadata"].get(key, {})}
    return {**held, **made, "metadata": head}


def token_of(request: TokenRequest) -> Token:
    """The token of an AccessToken. CertError: it was changed since its site issued it."""
    return access_tokens.read(request.url, request.code, request.ca, request.source)


def token_secret(request: TokenRequest, token: Token, of: Object) -> dict[str, Any]:
    """The Secret with ``token``, which makes a link of the AccessToken's name."""
    made = token_secrets.secret(token, request.name)
    if request.cost is not None:
        made["metadata"]["annotations"][tokens.COST] = str(request.cost)
    return _made_of(made, of)


def link_object(request: TokenRequest, token: Token, of: Object) -> dict[str, Any]:
    """The Link that users of Skupper v2 expect beside the Secret."""
    (host, port), cost = token.endpoints[0], request.cost if request.cost else token.cost
    endpoints = [
        {"name": role, "host": host, "port": str(port)} for role in ("inter-router", "edge")
    ]
    spec = {"endpoints": endpoints, "tlsCredentials": request.name, "cost": cost or 1}
    made = {
        "apiVersion": API_VERSION,
        "kind": "Link",
        "metadata": {"name": request.name, "labels": {**names.PART_OF}},
        "spec": spec,
    }
    return _made_of(made, of)


def _made_of(made: Mapping[str, Any], of: Object) -> dict[str, Any]:
    head = dict(made["metadata"])
    head["annotations"] = {**head.get("annotations", {}), names.ACCESS_OF: uid_of(of)}
    return {**made, "metadata": head}


def _time(seconds: float) -> str:
    return stamp_of(datetime.fromtimestamp(int(seconds), UTC))
