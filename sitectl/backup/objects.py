"""A `Content` as Kubernetes objects, and the objects of a namespace as a `Content` keeps them."""

from collections.abc import Mapping
from typing import Any

from certs.links import proxies
from certs.tls.service_tls import FILES, Contents
from certs.token_files import tokens
from router.documents import file_name, write
from router.documents import read as read_documents
from router.kubernetes.codecs import proxy as proxy_codec
from router.kubernetes.codecs import register, service_tls
from router.kubernetes.codecs import secrets as kept
from router.kubernetes.codecs import token as token_codec
from router.kubernetes.codecs.owners import owners_map
from router.kubernetes.objects import names
from router.kubernetes.objects.objects import Object, annotations, labels, name_of
from router.kubernetes.translation.documents import config_map, config_map_name
from router.kubernetes.translation.site_keys import configured_keys
from router.model.specs import Document, LinkSpec, SiteSpec
from sitectl.backup.content import Content, LinkFiles, admitted_of
from sitectl.kubernetes.cluster import Cluster
from sitectl.kubernetes.lifecycle.init import site_map
from sitectl.kubernetes.site import tool_of


def objects(content: Content, cluster: Cluster) -> list[dict[str, Any]]:
    """Everything that is written, in its order; owners of link Secrets are found when written."""
    identity = {
        kept.IDENTITY_KEY: content.identity_key,
        kept.CA_KEY: content.ca_key,
        kept.CA_CERTIFICATE: content.ca_certificate,
    }
    if content.ca_rotation:
        identity[kept.CA_ROTATION] = content.ca_rotation
    if content.restored_at:
        identity[kept.RESTORED] = str(content.restored_at).encode()
    made = [kept.identity_secret(identity)]
    if content.revoked:
        made.append(kept.revoked_secret(content.revoked))
    made += register.secrets(admitted_of(content))
    made += [kept.grant_secret(name, data) for name, data in content.grants.items()]
    if content.state.owners:
        made.append(owners_map(content.site_id, content.state.owners))
    made += [service_tls.secret(name, _tls(name, held)) for name, held in content.tls.items()]
    stated = list(content.objects) or _stated(content, cluster)
    made += [one for one in stated if one["kind"] == "Secret"]
    made += [
        kept.link_secret(name, _link_data(link), "")
        for name, link in content.links.items()
        if link.key
    ]
    maps = [one for one in stated if one["kind"] != "Secret"]
    return made + sorted(maps, key=lambda one: name_of(one) == names.SITE_CONFIGMAP)


def _link_data(link: LinkFiles) -> dict[str, bytes]:
    data = {
        kept.LINK_TOKEN: link.token,
        kept.LINK_KEY: link.key,
        kept.LINK_CERTIFICATE: link.certificate,
        kept.LINK_CA: link.ca,
    }
    return {key: value for key, value in data.items() if value}


def _tls(name: str, held: Mapping[str, bytes]) -> Contents:
    return Contents(f"Secret/{name}", *(held.get(file, b"") for file in FILES))


def _stated(content: Content, cluster: Cluster) -> list[dict[str, Any]]:
    """Objects for the documents of a site that was a directory."""
    documents = parsed(content)
    links = {d.name: d.spec for d in documents if isinstance(d.spec, LinkSpec)}
    site = next((d.spec for d in documents if isinstance(d.spec, SiteSpec)), SiteSpec())
    data = {
        "name": content.name,
        "router-mode": site.router_mode,
        "service-sync": str(site.service_sync).lower(),
        "service-sync-site-ttl": f"{site.service_sync_site_ttl_s:g}s",
    }
    if site.ingress == "none":
        data["ingress"] = "none"
    data |= configured_keys(site)
    made: list[dict[str, Any]] = [dict(site_map(cluster, data))]
    for name, link in content.links.items():
        secret = token_codec.secret(tokens.load_bytes(link.token, name), name)
        spec = links.get(name, LinkSpec())
        notes = secret["metadata"]["annotations"]
        if spec.cost is not None:
            notes[names.COST] = str(spec.cost)
        if spec.disabled:
            notes[names.DISABLED] = "true"
        if spec.proxy:
            notes[names.LINK_PROXY] = spec.proxy
        made.append(secret)
        login = proxies.decode(link.proxy, name) or proxies.decode(content.proxy, name)
        if login is not None:
            made.append(kept.proxy_secret(name, proxy_codec.encode(login)))
    for document in documents:
        if document.kind not in ("Site", "Link"):
            text = {file_name(document.kind, document.name): write(document)}
            made.append(config_map(config_map_name(document.kind, document.name), text))
    return made


def parsed(content: Content) -> list[Document]:
    """The readable documents; `_tell_left_out` reports the others."""
    return [d for name, text in content.documents.items() for d in read_documents(text, name)[0]]


def is_so(found: Object | None, wanted: Object) -> bool:
    """Whether ``found`` contains ``wanted``, apart from marks of other tools."""
    if found is None:
        return False
    if dict(found.get("data") or {}) != dict(wanted.get("data") or {}):
        return False
    marks = (labels, annotations)
    return all(of(wanted).items() <= of(found).items() for of in marks)


def cleaned(found: Object, site: str) -> dict[str, Any]:
    """Without what the API server and the tools of one cluster wrote into it."""
    named: dict[str, Any] = {"name": name_of(found)}
    for part, marks in (("labels", labels(found)), ("annotations", annotations(found))):
        users = {key: value for key, value in marks.items() if _is_users(key)}
        if users:
            named[part] = dict(sorted(users.items()))
    cleaned = {
        "apiVersion": found["apiVersion"],
        "kind": found["kind"],
        "metadata": named,
        "data": dict(found.get("data") or {}),
    }
    if name_of(found) == names.SITE_CONFIGMAP:
        cleaned["data"].setdefault("name", site)  # Else it would take that of its new namespace.
    if found["kind"] == "Secret":
        cleaned["type"] = found.get("type", "Opaque")
    return cleaned


def _is_users(key: str) -> bool:
    return not key.startswith("kubectl.kubernetes.io/") and not tool_of(key)


def key(one: Object) -> tuple[str, str]:
    """Kind and name, by which the cluster finds it."""
    return str(one["kind"]), name_of(one)
