"""`apply` of Skupper v2's YAML on a host: a file, or a directory such as v2's `input/resources`."""

import base64
import binascii
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec

from certs.tls.service_tls import Contents
from router.documents.skupper2 import SiteRequest, V2Object, V2Translation
from router.documents.skupper2.links import TokenRequest
from router.model.specs import ConnectorSpec, Document, LinkSpec, ListenerSpec, SiteSpec
from sitectl.base import output
from sitectl.base.failure import usage
from sitectl.base.options import Settings
from sitectl.flags.links.creation import keep_link
from sitectl.flags.services.name_ownership import require_in_force
from sitectl.flags.skupper2.links import WantedClaims, emit_changes, usable_token
from sitectl.flags.skupper2.texts import translated
from sitectl.flags.skupper2.vanished import VanishedObjects
from sitectl.runtimes.site_lifecycle import make_site
from sitectl.selection import store
from sitectl.site import places
from sitectl.site.applied_directories import AppliedDirectories, AppliedObjects
from sitectl.site.claims import require_ingress
from sitectl.site.directory import DirectorySite
from sitectl.site.site import Change, Site

if TYPE_CHECKING:
    from certs.token_files.tokens import Token

CERTIFICATES: Final = "certs"
_FILES: Final = {"certificate": "tls.crt", "key": "tls.key", "ca": "ca.crt"}


def apply_texts(
    settings: Settings,
    found: list[tuple[str, str]],
    directory: Path | None = None,
    *,
    prune: bool = False,
) -> None:
    """Make the objects of all texts so: all of them, or nothing when something is wrong.

    ``directory``: it contains exactly these texts. Documents of an earlier apply of it that are no
    longer in it are named, or with ``prune`` removed.
    """
    if settings.dry_run:
        settings.require_kubernetes("--dry-run")
    result = translated(found, "host")
    items: list[dict[str, Any]] = []
    documents = list(result.documents)
    if result.site is not None:
        settings.site = settings.site or result.site.name
        document = _site(settings, result.site)
        if result.site.name in places.site_names(places.state_dir(settings)):
            documents.insert(0, document)
        else:
            if result.grants:
                require_ingress(result.site.name, result.site.ingress)
            items.append(_changed(document, make_site(settings, document)))
    site = store.site_to_change(settings)
    assert isinstance(site, DirectorySite), "a host has no others"
    if result.site is not None and site.name != result.site.name:
        raise usage(f"{result.site.source} is of site {result.site.name!r}, this is {site.name!r}")
    site.judge_all(documents, replace=True)
    tokens = [(one, usable_token(site, one)) for one in result.tokens]
    records = AppliedDirectories(site.directory)
    before = records.last(directory) if directory is not None else AppliedObjects()
    asked = None if result.site is None else result.site.ingress
    claims = WantedClaims(site, result.grants, before.grants, asked)
    _keep_credentials(site, result, [source for _, source in found])
    items += [_keep_link(site, one, token) for one, token in tokens]
    changes = site.put_all(documents)
    items += map(_changed, documents, changes)
    items += claims.make(settings)
    if directory is not None:
        now = AppliedObjects(
            documents=tuple((one.kind, one.name) for one in result.documents),
            links=tuple(one.name for one in result.tokens),
            grants=tuple(one.name for one in result.grants),
        )
        gone = VanishedObjects(site, before, now, records.elsewhere(directory))
        items += gone.remove(directory) if prune else gone.tell(directory)
        records.keep(directory, gone.and_those(now))
    emit_changes(settings, items, printed=claims.printed)
    for document, change in zip(documents, changes, strict=True):
        if change != "unchanged":
            require_in_force(settings, site, document.name, [document])


def _changed(document: Document, change: Change) -> dict[str, Any]:
    return {"kind": document.kind, "name": document.name, "change": change}


def _keep_link(site: Site, asked: TokenRequest, token: "Token") -> dict[str, Any]:
    """Make the link; what became of it. Says so where it is dialed without its proxy."""
    name, change = keep_link(site, token, asked.name, asked.cost)
    if asked.proxy_secret and not _has_proxy(site, name):
        output.note(
            f"link {name} is dialed without the proxy of Secret {asked.proxy_secret}. To use "
            f"it: sitectl link set {name} --proxy http://USER@HOST:PORT "
            "--proxy-password-file FILE"
        )
    return {"kind": "Link", "name": name, "change": change}


def _site(settings: Settings, request: SiteRequest) -> Document:
    """The Site document that is asked for; what v2 does not say stays as it is here."""
    spec = SiteSpec()
    if request.name in places.site_names(places.state_dir(settings)):
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


def _has_proxy(site: Site, link: str) -> bool:
    found = site.find("Link", link)
    return found is not None and isinstance(found.spec, LinkSpec) and bool(found.spec.proxy)


def _keep_credentials(site: Site, result: V2Translation, sources: Iterable[str]) -> None:
    """Credentials of Listeners and Connectors: Secrets of the texts, else ``certs/NAME`` beside
    the directory."""
    secrets = {one.name: one for one in result.others if one.kind == "Secret"}
    beside = {Path(source).parent.parent / CERTIFICATES for source in sources}
    specs = [document.spec for document in result.documents]
    shown = {spec.tls_cert for spec in specs if isinstance(spec, ListenerSpec)} - {""}
    trusted = {spec.tls_trust for spec in specs if isinstance(spec, ConnectorSpec)} - {""}
    trusted |= {spec.tls_client_trust for spec in specs if isinstance(spec, ListenerSpec)} - {""}
    names = shown | trusted
    for name in sorted(names):
        contents = _of_secret(secrets[name]) if name in secrets else _of_folder(beside, name)
        if contents is not None:
            site.credentials.write(name, contents)
            continue
        held = site.credentials.read(name)
        missing = [] if held.ca or name not in trusted else ["ca.crt"]
        missing += [] if held.key or name not in shown else ["tls.crt", "tls.key"]
        if missing:
            output.note(
                f"the credential {name} is not here yet: put its {' and '.join(missing)} into "
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
