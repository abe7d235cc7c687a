"""A namespace into a `Content`, and a `Content` into a namespace.

The content has users' settings as objects (``skupper-site``, ConfigMaps of documents, token
Secrets) and the site's identity as secrets; derived objects (Deployment, Services, …) are made
again. The order of writes lets a second run finish a first one: the identity comes first, so that
no other site starts there; the site's ConfigMap last, so that no router starts before.
"""

import time
from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec

from certs.errors import CertError
from certs.identity import SiteIdentity
from certs.joining import claims
from certs.links import proxies
from certs.token_files import tokens
from router import __version__
from router.documents import file_name, write
from router.documents import read as read_documents
from router.kubernetes.client.verbs import Body
from router.kubernetes.codecs import owners, service_tls
from router.kubernetes.codecs import proxy as proxy_codec
from router.kubernetes.codecs import secrets as kept
from router.kubernetes.codecs import token as token_codec
from router.kubernetes.objects import names
from router.kubernetes.objects.objects import (
    Object,
    annotations,
    labels,
    metadata,
    name_of,
    shown,
    uid_of,
)
from router.kubernetes.translation.tokens import text_of
from router.model.errors import ConfigError
from router.model.rights.owners import Owner
from router.model.specs import ConnectorSpec, Document, ListenerSpec, ServiceSpec, SiteSpec
from sitectl.backup.content import (
    BackupOrigin,
    Content,
    LinkFiles,
    RouterState,
    differences,
    problem_of,
    revived,
)
from sitectl.backup.objects import cleaned, is_so, key, objects, parsed
from sitectl.base import output
from sitectl.base.failure import Exit, Failure, conflict
from sitectl.base.options import Settings
from sitectl.kubernetes.cluster import Cluster
from sitectl.kubernetes.lifecycle.init import install
from sitectl.kubernetes.site import KubernetesSite, open_cluster
from sitectl.kubernetes.versions import router_of
from sitectl.runtimes.image import ImageFlags
from sitectl.site.places import state_dir
from sitectl.site.site import Change

_OURS: Final = f"{names.TYPE_LABEL} in ({','.join(kept.TYPES)})"
_TOKENS: Final = (names.TOKEN_CLAIM, names.CONNECTION_TOKEN)


def read_namespace(settings: Settings) -> Content:
    """All that makes the site of the namespace. Failure: there is none, or it never ran."""
    site = KubernetesSite.of(settings)
    site.require_site()
    content = _read(site)
    if content is None:
        raise Failure(
            Exit.FAILED,
            "SW0659",
            f"the site of namespace {site.namespace} has no identity yet (its router makes it)",
            "sitectl init --wait ready, then back up",
        )
    problem = problem_of(content)
    if problem:
        raise Failure(
            Exit.FAILED,
            "SW0659",
            f"the site of namespace {site.namespace} cannot be backed up, it could not be "
            f"restored: {problem}",
            "sitectl check",
        )
    return content


def _read(site: KubernetesSite) -> Content | None:
    """None: the namespace has no identity."""
    cluster = site.cluster
    ours = {name_of(one): one for one in cluster.list("Secret", _OURS)}
    identity = kept.data_of(ours.get(names.IDENTITY_SECRET, {}))
    if not identity.get(kept.IDENTITY_KEY):
        return None
    snapshot = site.reading.snapshot
    maps = [
        one
        for one in snapshot.of("ConfigMap").values()
        if name_of(one) == names.SITE_CONFIGMAP or names.DOCUMENTS_LABEL in labels(one)
    ]
    tokens_here = [
        one
        for one in snapshot.of("Secret").values()
        if labels(one).get(names.SKUPPER_TYPE) in _TOKENS
    ]
    proxies_here = [one for one in ours.values() if kept.is_type(one, "proxy")]
    documents = [one for one in site.documents() if _is_stated(one)]
    pem = identity[kept.IDENTITY_KEY].decode("ascii", "replace")
    site_id = SiteIdentity.from_pem(pem, f"Secret/{names.IDENTITY_SECRET}").site_id
    return Content(
        name=site.name,
        site_id=site_id,
        origin=BackupOrigin(
            made_at=int(time.time()),
            version=__version__,
            platform="kubernetes",
            host=f"namespace {site.namespace}",
            place=f"ConfigMap/{names.SITE_CONFIGMAP}",
        ),
        identity_key=identity[kept.IDENTITY_KEY],
        ca_key=identity.get(kept.CA_KEY, b""),
        ca_certificate=identity.get(kept.CA_CERTIFICATE, b""),
        ca_rotation=identity.get(kept.CA_ROTATION, b""),
        documents={file_name(d.kind, d.name): write(_of_any_place(d)) for d in documents},
        links={name_of(one): _link(one, ours) for one in tokens_here},
        grants=_grants(ours.values()),
        revoked=kept.data_of(ours.get(names.REVOKED_SECRET, {})).get(kept.REVOKED_FILE, b""),
        tls=_tls(cluster, documents),
        restored_at=_restored_at(identity),
        state=RouterState(owners=_owners(cluster, site_id)),
        admitted=_admitted(ours.values()),
        objects=tuple(cleaned(one, site.name) for one in [*maps, *tokens_here, *proxies_here]),
    )


def _owners(cluster: Cluster, site_id: str) -> dict[str, Owner]:
    found = cluster.find(owners.KIND, names.OWNERS_CONFIGMAP)
    try:
        return {} if found is None else owners.owners_of(found, site_id)
    except ConfigError as error:  # A restore repairs it; a backup is useful without it.
        output.note(f"left out: {error}")
        return {}


def _restored_at(identity: Mapping[str, bytes]) -> int:
    text = identity.get(kept.RESTORED, b"").decode("ascii", "replace")
    return int(text) if text.isdecimal() else 0


def _is_stated(document: Document) -> bool:
    """Whether the document has a separate object; annotated workloads belong to other tools."""
    return document.kind == "Link" or document.source.startswith("ConfigMap/")


def _of_any_place(document: Document) -> Document:
    """The document without settings for pods: on a host, services are local by default."""
    if not isinstance(document.spec, SiteSpec):
        return document
    spec = msgspec.structs.replace(document.spec, bind_ip=SiteSpec().bind_ip)
    return msgspec.structs.replace(document, spec=spec)


def _link(token: Object, ours: Mapping[str, Object]) -> LinkFiles:
    held = kept.data_of(ours.get(kept.link_name(name_of(token)), {}))
    return LinkFiles(
        token=_token_text(token),
        key=held.get(kept.LINK_KEY, b""),
        certificate=held.get(kept.LINK_CERTIFICATE, b""),
        ca=held.get(kept.LINK_CA, b""),
        proxy=_proxy(token, ours),
    )


def _proxy(token: Object, ours: Mapping[str, Object]) -> bytes:
    """As the login of a directory; without a proxy in it, it is for the one of the annotation."""
    notes = annotations(token)
    named = notes.get(names.LINK_PROXY_SECRET) or kept.proxy_name(name_of(token))
    found = ours.get(named)
    if found is None or not kept.is_type(found, "proxy"):
        return b""
    try:
        return proxies.encode(proxy_codec.decode(found, notes.get(names.LINK_PROXY, "").strip()))
    except CertError as error:
        output.note(f"left out: {error}")
        return b""


def _admitted(ours: Iterable[Object]) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    for one in ours:
        if kept.is_type(one, "admitted"):
            found |= kept.data_of(one)
    return found


def _token_text(secret: Object) -> bytes:
    """The token as a file; an invalid one stays as it is, and the router reports it."""
    try:
        return tokens.dump(token_codec.decode(secret)).encode()
    except CertError:
        return text_of(secret, labels(secret).get(names.SKUPPER_TYPE, "")).encode()


def _grants(ours: Iterable[Object]) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    for one in ours:
        data = kept.data_of(one).get(kept.GRANT_FILE, b"")
        if kept.is_type(one, "grant") and data:
            found[claims.decode(data, shown(one)).name] = data
    return found


def _tls(cluster: Cluster, documents: Iterable[Document]) -> dict[str, dict[str, bytes]]:
    wanted: set[str] = set()
    for document in documents:
        if isinstance(document.spec, ServiceSpec):
            wanted.add(document.spec.tls_cert)
        elif isinstance(document.spec, ConnectorSpec):
            wanted.add(document.spec.tls_trust)
        elif isinstance(document.spec, ListenerSpec):
            wanted |= {document.spec.tls_cert, document.spec.tls_client_trust}
    found: dict[str, dict[str, bytes]] = {}
    for name in sorted(wanted - {""}):
        held = service_tls.files(service_tls.decode(name, cluster.find("Secret", name)))
        if held:
            found[name] = held
    return found


def restore_namespace(
    settings: Settings, content: Content, asked: ImageFlags, *, force: bool, dry_run: bool
) -> Change:
    """Make ``content`` the site of the namespace. Failure SW0658: another one is there."""
    site = KubernetesSite(open_cluster(settings), state_dir(settings))
    cluster = site.cluster
    _refuse_other(cluster, content)
    here = _read(site)
    wanted = revived(content, here, time.time())
    made = objects(wanted, cluster)
    before = {key(one): cluster.find(*key(one)) for one in made}
    changed = [
        one
        for one in made
        if not is_so(before[key(one)], one) or _has_lost_owner(cluster, one, before[key(one)])
    ]
    installed = router_of(cluster) is not None
    change: Change = "unchanged" if not changed and installed else "updated"
    if here is None or not installed:
        change = "created"
    if change == "unchanged" or dry_run:
        return change
    if changed and installed:
        _refuse_running(cluster)
    differing = [shown(one) for one in changed if before[key(one)] is not None]
    if differing and not force and (here is None or differences(here, wanted)):
        raise conflict(
            f"namespace {cluster.namespace} has other objects of these names: "
            + ", ".join(differing),
            "Add --force to have what the backup says; revocations and used claims stay",
        )
    for one in changed:
        _write(cluster, one, before[key(one)])
    if not installed:
        install(cluster, asked)
    _tell_left_out(content)
    return change


def _refuse_other(cluster: Cluster, content: Content) -> None:
    found = cluster.find("Secret", names.IDENTITY_SECRET)
    pem = kept.data_of(found or {}).get(kept.IDENTITY_KEY, b"")
    place = f"sitectl -n {cluster.namespace} delete, or restore into another namespace"
    if found is not None and pem != content.identity_key:
        raise conflict(
            f"namespace {cluster.namespace} has another site (Secret/{names.IDENTITY_SECRET}); "
            "an identity is never overwritten",
            place,
            code="SW0658",
        )
    if found is None and router_of(cluster) is not None:
        raise conflict(
            f"namespace {cluster.namespace} has a site whose router makes its identity just now",
            place,
            code="SW0658",
        )


def _refuse_running(cluster: Cluster) -> None:
    pods = cluster.list("Pod", f"{names.COMPONENT_LABEL}={names.COMPONENT_ROUTER}")
    if pods:
        raise conflict(
            f"a router of this site runs here (Pod/{name_of(pods[0])}), nothing was restored",
            f"kubectl -n {cluster.namespace} scale deployment/{names.ROUTER} --replicas=0, "
            "restore, and scale it back",
            code="SW0658",
        )


def _has_lost_owner(cluster: Cluster, wanted: Object, found: Object | None) -> bool:
    """Whether the cluster would collect a link's Secret: its token is another object now."""
    if not kept.is_type(wanted, "link") or found is None:
        return False
    return kept.owner_uid(found) != _owner(cluster, wanted)


def _owner(cluster: Cluster, link: Object) -> str:
    owners: Any = metadata(link)["ownerReferences"]
    token = cluster.find("Secret", str(owners[0]["name"]))
    return uid_of(token)


def _write(cluster: Cluster, wanted: Body, before: Object | None) -> None:
    made = wanted
    if kept.is_type(wanted, "link"):
        owner = {**metadata(wanted)["ownerReferences"][0], "uid": _owner(cluster, wanted)}
        made = {**wanted, "metadata": {**metadata(wanted), "ownerReferences": [owner]}}
    if before is None:
        cluster.create(made)
        return
    version = {key: metadata(before).get(key) for key in ("resourceVersion", "uid")}
    cluster.replace({**made, "metadata": {**metadata(made), **version}})


def _tell_left_out(content: Content) -> None:
    """Note which documents of a directory have no meaning here."""
    if content.objects:
        return
    for name, text in content.documents.items():
        for error in read_documents(text, name)[1]:
            output.note(f"left out: {error}")
    if any(isinstance(d.spec, SiteSpec) and d.spec.ingress_hosts for d in parsed(content)):
        output.note("left out: ingressHosts, the addresses of the old host")
