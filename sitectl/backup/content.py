"""The content of a backup, whatever the origin of the site and its destination. Pure.

Rules of a restore (`revived`), each towards the safer side:
- Open claims of the backup are void: a site may have redeemed them since. A site that redeemed one
  before keeps its certificate. If the place still has the site, its newer grants count.
- The register of admitted sites follows the same rule, and keeps every site that the backup or the
  place knows, if both have the same CA.
- Revocations only grow: those of the backup and those of the place.
- Of two certificate authorities the newer counts: the other was given up (`revoke-access`).
- A restored site records the time of its restore, and counts as the copy if the original lives.
- The router's epoch exceeds any that a clock gave: its old LSAs never win over new ones, and a copy
  is always younger than a live original.
"""

import re
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from certs import certificates, clocks, names
from certs.ca import rotation
from certs.ca.authority import Authority
from certs.ca.rotation import CaState
from certs.errors import CertError
from certs.identity import SiteIdentity
from certs.joining import claims
from certs.links import proxies, register, revocation
from certs.links.register import Admitted
from certs.tls.service_tls import FILES
from router.model.ids import SiteId
from router.model.persisted import HeldListener, KeptOffers, site_of
from router.model.rights.owners import Owner
from sitectl.base.failure import Exit, Failure

EPOCH_AHEAD_S: Final = 30 * 86_400
"""A restored router is born that much later than its clock says: so far may clocks be apart."""
COUNTER_MAX: Final = 2**53
_FILE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,200}\.ya?ml")
_USER: Final = re.compile(r"[^./\0][^/\0]{0,63}")
_ROUTER: Final = re.compile(r"[0-9a-f]{16}")


class _Hidden(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A value whose text never shows its content."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}(…)"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        return []


class LinkFiles(_Hidden, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Files of a link that the site dials: its token as YAML, and its redeemed credential."""

    token: bytes
    key: bytes = b""
    certificate: bytes = b""
    ca: bytes = b""
    proxy: bytes = b""  # The login of the HTTP proxy that it goes through, as it is stored.


class RouterState(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """State that the router must keep; empty id: it had no separate one (Kubernetes).

    ``declared``: Unix seconds at which services were first declared here. As the router stores
    them: ``owners``, the owner of each name; ``rule_pins``, the site of each name in rules;
    ``known_offers``, sites known to offer services of others (None: it never learned any);
    ``listeners``, the ports of other sites' services.
    """

    router_id: str = ""
    epoch: int = 0
    declared: dict[str, float] = {}
    owners: dict[str, Owner] = {}
    rule_pins: dict[str, SiteId] = {}
    known_offers: KeptOffers | None = None
    listeners: tuple[HeldListener, ...] = ()


class BackupOrigin(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Where and when a backup was made. ``made_at``: Unix seconds."""

    made_at: int = 0
    version: str = ""
    platform: str = "process"
    host: str = ""
    place: str = ""
    is_gateway: bool = False
    runtime: str = ""  # The text of runtime.yaml, for the user to read.


class Content(_Hidden, frozen=True, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """A site. ``documents`` by file name, ``grants`` by claim, ``tls`` by credential and file.

    ``gateway``: of a gateway, the text that says which site it belongs to. ``restored_at``: Unix
    seconds at which the site came out of a backup itself, 0: never. ``objects``: Kubernetes
    objects of the wanted state as they were, without what the cluster writes into them; a place
    that is no cluster takes ``documents``. ``ca_rotation``: of a CA that is being replaced.
    """

    name: str
    site_id: str
    origin: BackupOrigin
    identity_key: bytes
    ca_key: bytes
    ca_certificate: bytes
    documents: dict[str, str]
    links: dict[str, LinkFiles] = {}
    grants: dict[str, bytes] = {}
    revoked: bytes = b""
    tls: dict[str, dict[str, bytes]] = {}
    admin_credential: bytes = b""
    restored_at: int = 0
    state: RouterState = RouterState()
    gateway: str = ""
    objects: tuple[dict[str, Any], ...] = ()
    ca_rotation: bytes = b""
    webhooks: dict[str, bytes] = {}  # Signing keys for the webhooks of bursts, by name.
    admitted: dict[str, bytes] = {}  # The register of sites that may link here, by site.
    proxy: bytes = b""  # The login of the HTTP proxy of all links.
    console_users: dict[str, bytes] = {}  # Passwords by user; of a directory alone.


_DECODER: Final = msgspec.msgpack.Decoder(Content)


def encode(content: Content) -> bytes:
    """The same content gives the same bytes."""
    return msgspec.msgpack.encode(content, order="deterministic")


def decode(data: bytes, source: str) -> Content:
    """The content that `encode` made. Failure SW0659: it is not one, or is inconsistent."""
    try:
        content = _DECODER.decode(data)
    except (msgspec.MsgspecError, RecursionError, OverflowError, UnicodeDecodeError) as error:
        raise _broken(source, str(error)) from error
    problem = problem_of(content)
    if problem:
        raise _broken(source, problem)
    return content


def problem_of(content: Content) -> str:
    """Why this cannot become a site; empty: it can. Names that are paths are such a reason."""
    strange = (
        [name for name in content.documents if not _FILE.fullmatch(name)]
        + [
            name
            for name in (*content.links, *content.grants, *content.webhooks)
            if not names.is_name(name)
        ]
        + [name for name in content.tls if not names.is_name(name)]
        + [name for name in content.console_users if not _USER.fullmatch(name)]
        + [file for held in content.tls.values() for file in held if file not in FILES]
    )
    if strange:
        return f"{strange[0]!r} is no name of a file of a site"
    if not names.is_name(content.name):
        return f"{content.name!r} is no name of a site"
    if content.state.router_id and not _ROUTER.fullmatch(content.state.router_id):
        return "the router's id is none"
    if not 0 <= content.state.epoch <= COUNTER_MAX:
        return "the router's epoch is out of range"
    try:
        identity = SiteIdentity.from_pem(_text(content.identity_key), "identity.key")
        Authority.of_state(ca_of(content), "ca")
        revoked_of(content)
        grants_of(content)
        admitted_of(content)
        for login in (content.proxy, *(link.proxy for link in content.links.values())):
            proxies.decode(login, "proxy.json")
    except CertError as error:
        return f"{error.subject}: {error.reason}"
    if identity.site_id != content.site_id:
        return f"its key is of site {identity.site_id}, not of {content.site_id}"
    return ""


def ca_of(content: Content) -> CaState:
    """The CA, as it is meant. Raises `CertError`."""
    data = content.ca_rotation
    under_way = rotation.decode(data, "ca-rotation.json") if data else None
    ca_pem = _text(content.ca_certificate)
    certificates.read(ca_pem, "ca.crt")
    return rotation.whole(CaState(_text(content.ca_key), ca_pem, under_way))


def admitted_of(content: Content) -> dict[str, Admitted]:
    """The register, by site. Raises `CertError`."""
    found = {site: register.decode(data, site) for site, data in content.admitted.items()}
    for site, entry in found.items():
        if entry.site_id != site:
            raise CertError(site, "is the entry of another site")
    return found


def ca_files(state: CaState) -> tuple[bytes, bytes, bytes]:
    """Of a `Content`: its key, its certificate, and its rotation, if there is one."""
    under_way = rotation.encode(state.rotation) if state.rotation is not None else b""
    return state.key_pem.encode(), state.ca_pem.encode(), under_way


def revoked_of(content: Content) -> revocation.Revoked:
    """The list of the revoked. Raises `CertError`."""
    if not content.revoked:
        return revocation.Revoked()
    return revocation.decode(content.revoked, "revoked.json")


def grants_of(content: Content) -> dict[str, claims.Grant]:
    """The claims, open or used. Raises `CertError`."""
    return {name: claims.decode(data, f"grant {name}") for name, data in content.grants.items()}


def revived(backup: Content, here: Content | None, now: float) -> Content:
    """``backup`` as it may come back to a place that holds ``here`` (the same site) or nothing."""
    first = here is None
    is_same_ca = here is not None and _are_related(ca_of(backup), ca_of(here))
    newer = backup if here is None or _made_at(backup) >= _made_at(here) else here
    # Of the same CA the rotation goes on where it is.
    is_here = here is not None and here.ca_certificate == backup.ca_certificate
    ca = here if here is not None and is_here else newer
    grants = _closed(grants_of(backup)) if newer is backup else {}
    if here is not None and (is_same_ca or newer is here):
        grants |= grants_of(here)
    revoked = _together(backup, here)
    admitted = admitted_of(backup) if newer is backup else {}
    if here is not None and (is_same_ca or newer is here):
        for site, entry in admitted_of(here).items():
            known = admitted.get(site)
            admitted[site] = entry if known is None else register.joined(known, entry)
    return msgspec.structs.replace(
        backup,
        ca_key=ca.ca_key,
        ca_certificate=ca.ca_certificate,
        ca_rotation=ca.ca_rotation,
        grants={name: claims.encode(grant) for name, grant in sorted(grants.items())},
        admitted={site: register.encode(entry) for site, entry in sorted(admitted.items())},
        revoked=revocation.encode(revoked) if revoked != revocation.Revoked() else b"",
        gateway=(here.gateway if here else "") or backup.gateway,
        restored_at=here.restored_at if here else max(int(now), backup.restored_at + 1),
        admin_credential=(here.admin_credential if here else b"") or backup.admin_credential,
        state=RouterState(
            router_id=(here.state.router_id if here else "") or backup.state.router_id,
            epoch=(
                max(backup.state.epoch, int(now)) + EPOCH_AHEAD_S
                if first
                else max(backup.state.epoch, here.state.epoch if here else 0)
            ),
            declared=dict(sorted(backup.state.declared.items())),
            owners=backup.state.owners | (here.state.owners if here else {}),
            rule_pins=backup.state.rule_pins | (here.state.rule_pins if here else {}),
            known_offers=_offers_of(backup.state, here.state if here else RouterState()),
            listeners=_listeners_of(backup.state, here.state if here else RouterState()),
        ),
    )


def _offers_of(backup: RouterState, here: RouterState) -> KeptOffers | None:
    """The offers of both; the place knows the newer state of a site."""
    if backup.known_offers is None or here.known_offers is None:
        return here.known_offers if backup.known_offers is None else backup.known_offers
    both = dict(backup.known_offers)
    for service, offers in here.known_offers.items():
        by_site = {site_of(one): one for one in (*both.get(service, ()), *offers)}
        both[service] = tuple(by_site.values())
    return both


def _listeners_of(backup: RouterState, here: RouterState) -> tuple[HeldListener, ...]:
    """A port that has a service here keeps it."""
    by_port = {one.port: one for one in (*backup.listeners, *here.listeners)}
    return tuple(by_port[port] for port in sorted(by_port))


def as_replica(revived: Content, backup: Content) -> Content:
    """``revived``, new to its place, as another router of a site whose original runs on.

    It has a new id and the age of the original, so that no site takes it for a copy. Claims that
    the original granted are redeemed there.
    """
    state = msgspec.structs.replace(revived.state, router_id="", epoch=0)
    return msgspec.structs.replace(revived, restored_at=backup.restored_at, state=state)


def differences(one: Content, other: Content) -> list[str]:
    """The differences, in the words of `summary`; place and time of the backups do not count."""
    parts: dict[str, tuple[object, object]] = {
        "certificate authority": (ca_of(one), ca_of(other)),
        "links": (one.links, other.links),
        "grants": (one.grants, other.grants),
        "register of who may link": (_briefs(one), _briefs(other)),
        "login of the proxy": (one.proxy, other.proxy),
        "revocations": (revoked_of(one), revoked_of(other)),
        "service credentials": (one.tls, other.tls),
        "secrets of webhooks": (one.webhooks, other.webhooks),
        "users of the console": (one.console_users, other.console_users),
        "admin credential": (one.admin_credential, other.admin_credential),
    }
    found = [word for word, (here, there) in parts.items() if here != there]
    named = sorted(one.documents.keys() | other.documents.keys())
    changed = [n for n in named if one.documents.get(n) != other.documents.get(n)]
    return found + [f"config/{name}" for name in changed]


def summary(content: Content, now: float) -> dict[str, Any]:
    """The content for ``-o json``, without secrets."""
    grants, revoked = grants_of(content), revoked_of(content)
    is_open = [g for g in grants.values() if g.uses_left and not g.revoked and g.expires_at > now]
    origin = content.origin
    return {
        "name": content.name,
        "id": content.site_id,
        "made_at": clocks.utc(origin.made_at),
        "version": origin.version,
        "platform": origin.platform,
        "gateway": origin.is_gateway,
        "host": origin.host,
        "place": origin.place,
        "documents": sorted(content.documents),
        "links": sorted(content.links),
        "grants": {
            "redeemed": sum(len(grant.redeemed) for grant in grants.values()),
            "open": sorted(grant.name for grant in is_open),
        },
        "admitted": len(content.admitted),
        "revoked": {"sites": sorted(revoked.sites), "certificates": len(revoked.serials)},
        "credentials": sorted(content.tls),
        "objects": [f"{one.get('kind')}/{_name(one)}" for one in content.objects],
        "ca_expires": clocks.utc(certificates.expires_at(_text(content.ca_certificate))),
    }


def _briefs(content: Content) -> dict[str, Admitted]:
    """As a namespace keeps it, too."""
    return {site: register.brief(entry) for site, entry in admitted_of(content).items()}


def _closed(grants: Mapping[str, claims.Grant]) -> dict[str, claims.Grant]:
    """The grants with no use left, without those that were never used."""
    return {
        name: msgspec.structs.replace(grant, uses_left=0)
        for name, grant in grants.items()
        if grant.redeemed
    }


def _together(backup: Content, here: Content | None) -> revocation.Revoked:
    one, other = revoked_of(backup), revoked_of(here) if here else revocation.Revoked()
    return revocation.Revoked(one.serials | other.serials, one.sites | other.sites)


def _are_related(one: CaState, other: CaState) -> bool:
    """The same, or before, in or after one rotation: who trusts the one may know the other."""
    ours = {one.ca_pem, one.other_pem} - {""}
    return not ours.isdisjoint({other.ca_pem, other.other_pem})


def _made_at(content: Content) -> float:
    found = certificates.read(_text(content.ca_certificate), "ca.crt")
    return found.not_valid_before_utc.timestamp()


def _name(found: Mapping[str, Any]) -> str:
    metadata = found.get("metadata")
    return str(metadata.get("name", "")) if isinstance(metadata, Mapping) else ""


def _text(pem: bytes) -> str:
    return pem.decode("ascii", "replace")


def _broken(source: str, reason: str) -> Failure:
    message = f"{source} was opened, and what is in it makes no site: {reason}"
    return Failure(Exit.FAILED, "SW0659", message, "Try another backup")
