"""`apply` of Skupper v2's YAML on a host: a file, or a directory such as v2's `input/resources`."""

import base64
import binascii
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import msgspec
import yaml

from certs.service_tls import Contents
from router.documents.skupper2 import SiteRequest, TokenRequest, V2Object, V2Translation
from router.model.specs import ConnectorSpec, Document, SiteSpec
from sitectl.base import output
from sitectl.base.failure import usage
from sitectl.base.options import Settings
from sitectl.flags.link_creation import keep_link
from sitectl.flags.name_ownership import require_in_force
from sitectl.flags.skupper2_texts import translated
from sitectl.runtimes.site_lifecycle import make_site
from sitectl.selection import store
from sitectl.site import places
from sitectl.site.site import Site

CERTIFICATES: Final = "certs"
_FILES: Final = {"certificate": "tls.crt", "key": "tls.key", "ca": "ca.crt"}


def apply_texts(settings: Settings, found: list[tuple[str, str]]) -> None:
    """Make the objects of all texts so: all of them, or nothing when something is wrong."""
    if settings.dry_run:
        settings.require_kubernetes("--dry-run")
    result = translated(found, "host")
    items: list[dict[str, str]] = []
    site_document = _site(settings, result.site)
    if site_document is not None and site_document.name not in places.site_names(
        places.state_dir(settings)
    ):
        made = make_site(settings, site_document)
        items.append({"kind": "Site", "name": site_document.name, "change": made})
        site_document = None
    if result.site is not None:
        settings.site = settings.site or result.site.name
    site = store.site_to_change(settings)
    if result.site is not None and site.name != result.site.name:
        raise usage(f"{result.site.source} is of site {result.site.name!r}, this is {site.name!r}")
    documents = [*([site_document] if site_document else []), *result.documents]
    site.judge_all(documents, replace=True)
    tokens = [(one, _usable(site, one)) for one in result.tokens]
    _keep_credentials(site, result, [source for _, source in found])
    for one, token in tokens:
        name, change = keep_link(site, token, one.name, one.cost)
        items.append({"kind": "Link", "name": name, "change": change})
    changes = site.put_all(documents)
    items += [
        {"kind": document.kind, "name": document.name, "change": change}
        for document, change in zip(documents, changes, strict=True)
    ]
    output.emit_items(
        settings,
        "Change",
        items,
        lambda: "\n".join(f"{i['kind'].lower()} {i['name']} {i['change']}" for i in items),
    )
    for document, change in zip(documents, changes, strict=True):
        if change != "unchanged":
            require_in_force(settings, site, document.name, [document])


def _site(settings: Settings, request: SiteRequest | None) -> Document | None:
    """The Site document that is asked for; what v2 does not say stays as it is here."""
    if request is None:
        return None
    spec = SiteSpec()
    if request.name in places.site_names(places.state_dir(settings)):
        settings.site = settings.site or request.name
        spec = store.find_site(settings).wanted().site
    changes: dict[str, Any] = {
        "ingress": request.ingress,
        "router_mode": "edge" if request.edge else "interior",
    }
    if request.port:
        changes["bind_port"] = request.port
    if request.bind_ip:
        changes["ingress_bind_ip"] = request.bind_ip
    if request.hosts:
        changes["ingress_hosts"] = request.hosts
    return Document(
        kind="Site",
        name=request.name,
        spec=msgspec.structs.replace(spec, **changes),
        source=request.source,
        line=request.line,
    )


def _usable(site: Site, request: TokenRequest) -> Any:
    from certs import tokens

    token = tokens.load(yaml.safe_dump(dict(request.secret)), f"Link/{request.name}")
    tokens.check_usable(token, site.trust.site_id, time.time())
    return token


def _keep_credentials(site: Site, result: V2Translation, sources: Iterable[str]) -> None:
    """Credentials of Connectors: Secrets of the texts, else ``certs/NAME`` beside the directory."""
    secrets = {one.name: one for one in result.others if one.kind == "Secret"}
    beside = {Path(source).parent.parent / CERTIFICATES for source in sources}
    names = {
        document.spec.tls_trust
        for document in result.documents
        if isinstance(document.spec, ConnectorSpec) and document.spec.tls_trust
    }
    for name in sorted(names):
        contents = _of_secret(secrets[name]) if name in secrets else _of_folder(beside, name)
        if contents is not None:
            site.credentials.write(name, contents)
        elif not site.credentials.read(name).ca:
            output.note(
                f"the credential {name} is not here yet: put its ca.crt into "
                f"{site.credentials.place(name)}"
            )
    unused = sorted(one.kind + "/" + one.name for one in result.others if one.name not in names)
    if unused:
        output.note(f"not Skupper's, and left out: {', '.join(unused)}")


def _of_secret(found: V2Object) -> Contents:
    values: dict[str, bytes] = {}
    plain = found.whole.get("stringData")
    for field, key in _FILES.items():
        value = found.data.get(key)
        if not isinstance(value, str):
            continue
        if isinstance(plain, dict) and key in plain:
            values[field] = value.encode()
            continue
        try:
            values[field] = base64.b64decode(value, validate=True)
        except (binascii.Error, ValueError) as error:
            place = f"{found.source}: Secret/{found.name}"
            raise usage(f"{place}: data.{key} is not base64", "Copy the Secret again") from error
    return Contents("", **values)


def _of_folder(places_: Iterable[Path], name: str) -> Contents | None:
    for place in places_:
        values = {
            field: (place / name / file).read_bytes()
            for field, file in _FILES.items()
            if (place / name / file).is_file()
        }
        if values:
            return Contents("", **values)
    return None
