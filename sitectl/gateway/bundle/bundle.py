"""`gateway generate-bundle`: a gateway made and packed here, launched on another host.

The gateway is made like any edge site, in a temporary directory: identity, CA, documents, link. Its
private key exists only in the bundle. The credential is a certificate that the site's CA issues for
this identity (`certs.joining.issue`): it outlasts weeks on a shelf, admits no other site, and
can be revoked alone, since the site records its holder as for a claim.

An existing archive is the gateway's memory: a bundle made again in the same directory has the same
identity, and the same credential while it is valid.
"""

import shutil
import tempfile
import time
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Any, Final

import msgspec

from certs.ca.authority import CA_FILE, CA_KEY_FILE
from certs.clocks import utc
from certs.errors import CertError
from certs.files import make_private_directory, write_secret
from certs.identity import KEY_FILE, SiteIdentity
from certs.joining.issue import certificate_token, given_grant
from certs.limits import TOKEN_CERTIFICATE_LIFE_S
from certs.links.credentials import TOKEN_FILE
from certs.token_files import tokens
from router import __version__
from router.documents import write
from router.documents.gateway import Gateway, write_gateway
from router.model.specs import Document, LinkSpec
from sitectl.base import output
from sitectl.base.failure import usage
from sitectl.base.options import Settings
from sitectl.flags.services.names import DeclaredService
from sitectl.gateway.bundle import archive, contents
from sitectl.gateway.bundle.contents import Bundle
from sitectl.gateway.definition import NOTHING, gateway_of
from sitectl.gateway.edge import LINK, make_edge_in
from sitectl.gateway.gateway_init import free_grant_name, reachable_at
from sitectl.gateway.home import RECORD_FILE, GatewayRecord, write_record
from sitectl.runtimes.containers.engine import PULL_TIMEOUT_S, Program
from sitectl.runtimes.containers.plan import planned
from sitectl.runtimes.containers.words import Container
from sitectl.runtimes.spec import PullPolicy, RuntimeSpec
from sitectl.site.directory import DirectorySite
from sitectl.site.site import Change, Site

if TYPE_CHECKING:
    from certs.token_files.tokens import Token

LEFT_S: Final = TOKEN_CERTIFICATE_LIFE_S / 3
"""A kept credential has more than that before it, else there is a new one."""
LEFT_AFTER_S: Final = 3600.0
"""No command uses a directory of `_WORK` for so long: pulling and saving an image take longest."""
_WORK: Final = ".spillway-bundle-"
_SECRETS: Final = "site/secrets"
_TOKEN: Final = f"{_SECRETS}/links/{LINK}/{TOKEN_FILE}"


class BundleWish(msgspec.Struct, frozen=True, kw_only=True):
    """The flags of a bundle. ``life_s``: of its credential; None: a year, or the rest of it.

    ``elsewhere``: the services of ``documents`` that other sites declare, as far as is known.
    ``token``: a token file of the site, in place of the site itself.
    """

    name: str
    documents: tuple[Document, ...]
    elsewhere: Mapping[str, DeclaredService] = NOTHING
    image: str
    pull_policy: PullPolicy = "missing"
    with_image: bool = False
    life_s: float | None = None
    cost: int | None = None
    hosts: tuple[str, ...] = ()
    token: str | None = None


class Packed(msgspec.Struct, frozen=True, kw_only=True):
    """The bundle, and what became of it. ``is_same_gateway``: one that was there before."""

    path: Path
    bundle: Bundle
    change: Change
    is_same_gateway: bool


def pack(settings: Settings, site: Site | None, wish: BundleWish, out: Path) -> Packed:
    """Write ``NAME.tar.gz`` into ``out``. Failure: a part is missing, or cannot be made."""
    _sweep(out, time.time())
    path = out / f"{wish.name}.tar.gz"
    before = archive.read(path)
    with tempfile.TemporaryDirectory(prefix=_WORK, dir=out) as folder:
        work = Path(folder)
        state = work / "state"
        _bring_back(state / wish.name / "secrets", before, site)
        made, _ = make_edge_in(state, wish.name)
        made.put_all([*wish.documents, Document("Link", LINK, LinkSpec(cost=wish.cost))])
        image = _saved_image(wish, work / contents.IMAGE_ARCHIVE) if wish.with_image else None
        token = _token(wish, made, site, before)
        made.links.add(LINK, token)
        write_record(
            made, GatewayRecord(site=token.site_name, site_id=token.site_id, grant=token.name)
        )
        bundle = _described(settings, wish, made, token, image, site)
        container = _container(made, bundle)
        files = _files(made, bundle, container, wish)
        same = before is not None and before[contents.SUMS].decode() == archive.digests(
            files, image
        )
        if not same:
            archive.write(path, files, image, int(time.time()))
    change: Change = "unchanged" if same else "created" if before is None else "updated"
    was = None if before is None else before.get(f"{_SECRETS}/{KEY_FILE}")
    return Packed(
        path=path,
        bundle=bundle,
        change=change,
        is_same_gateway=was is not None and was == files[f"{_SECRETS}/{KEY_FILE}"],
    )


def _sweep(out: Path, now: float) -> None:
    """Remove what commands that were killed left in ``out``: keys in the clear."""
    for left in out.glob(f"{_WORK}*"):
        if now - left.lstat().st_mtime > LEFT_AFTER_S:
            shutil.rmtree(left)


def _bring_back(secrets: Path, before: dict[str, bytes] | None, site: Site | None) -> None:
    """Have the new bundle be the gateway that the one before is, unless its site barred it."""
    names = (KEY_FILE, CA_KEY_FILE, CA_FILE)
    if before is None or not all(f"{_SECRETS}/{name}" in before for name in names):
        return
    pem = before[f"{_SECRETS}/{KEY_FILE}"].decode("ascii", "replace")
    if site is not None and site.trust.is_revoked(SiteIdentity.from_pem(pem, KEY_FILE).site_id):
        output.note("The gateway of the bundle before was barred: this one is a new gateway")
        return
    make_private_directory(secrets)
    for name in names:
        write_secret(secrets / name, before[f"{_SECRETS}/{name}"])


def _token(
    wish: BundleWish, made: DirectorySite, site: Site | None, before: dict[str, bytes] | None
) -> "Token":
    """The gateway's token: from a file, the former one, or a new one of ``site``."""
    now = time.time()
    if wish.token is not None:
        token = tokens.read_file(Path(wish.token))
        tokens.check_usable(token, made.trust.site_id, now)
        return token
    assert site is not None
    dialed = reachable_at(site, wish.hosts)
    kept = _kept_token(site, before, wish, dialed, now)
    if kept is not None:
        return kept
    trust = site.trust
    taken = {grant.name for grant in trust.granted()}
    words: dict[str, Any] = {} if wish.life_s is None else {"life_s": wish.life_s}
    token = certificate_token(
        trust.authority(),
        name=free_grant_name(wish.name, taken),
        site_id=trust.site_id,
        site_name=site.wanted().name,
        endpoints=dialed,
        now=now,
        cost=wish.cost,
        holder_id=made.trust.site_id,
        **words,
    )
    # Before the bundle is written: no credential is out of which the site does not know.
    trust.grants().keep(given_grant(token, made.trust.site_id, wish.name))
    return token


def _kept_token(
    site: Site,
    before: dict[str, bytes] | None,
    wish: BundleWish,
    dialed: tuple[tuple[str, int], ...],
    now: float,
) -> "Token | None":
    """The token of the bundle before, while it says the same and has time left."""
    if before is None or _TOKEN not in before or wish.life_s is not None:
        return None
    try:
        token = tokens.load_bytes(before[_TOKEN], _TOKEN)
    except CertError:
        return None
    grants = [grant for grant in site.trust.granted() if grant.name == token.name]
    is_good = (
        token.kind == "certificate"
        and bool(grants)
        and not grants[0].revoked
        and token.ca_pem == site.trust.authority().trusted_pem
        and (token.endpoints, token.cost) == (dialed, wish.cost)
        and token.expires_at > now + LEFT_S
        and not site.trust.is_revoked(grants[0].redeemed[0].site_id)
    )
    return token if is_good else None


def _saved_image(wish: BundleWish, archive_path: Path) -> Path:
    """The image as a file that podman and docker both load."""
    podman = Program("podman")
    podman.require_image(wish.image, wish.pull_policy)
    output = f"--output={archive_path.absolute()}"  # podman does not stand where we do.
    words = ("save", "--quiet", "--format=docker-archive", output, wish.image)
    podman.tell(*words, timeout_s=PULL_TIMEOUT_S)
    return archive_path


def _described(
    settings: Settings,
    wish: BundleWish,
    made: DirectorySite,
    token: "Token",
    image: Path | None,
    site: Site | None,
) -> Bundle:
    place = f"--site {token.site_name} "
    if site is not None and settings.on_kubernetes():
        namespace = getattr(site, "namespace", "") or settings.namespace
        place = f"-n {namespace} " if namespace else ""
    # A token file names no gateway: its site knows the gateway once it has linked.
    whom = made.trust.site_id if wish.token is None else wish.name
    return Bundle(
        name=wish.name,
        site=token.site_name,
        site_id=made.trust.site_id,
        expires=utc(token.expires_at),
        revoke=f"sitectl {place}revoke-access --link {whom}",
        credential="own" if site is not None else "claim" if token.kind == "claim" else "bearer",
        image=wish.image,
        image_digest=archive.image_digest(image) if image is not None else "",
        pull_policy="never" if image is not None else wish.pull_policy,
        version=__version__,
    )


def _container(made: DirectorySite, bundle: Bundle) -> Container:
    spec = RuntimeSpec(
        kind="podman", name=bundle.unit, image=bundle.image, pull_policy=bundle.pull_policy
    )
    return planned(made, spec, user="0:0", keep_id=False, limits=True, timers=True)


def _files(
    made: DirectorySite, bundle: Bundle, container: Container, wish: BundleWish
) -> dict[str, bytes]:
    """Every file of the bundle by name, but for the image and the sums."""
    texts = {**contents.container_files(container), **contents.runtime_files(bundle)}
    common = _script("common.sh")
    for name in ("launch.sh", "remove.sh"):
        texts[name] = contents.script(_script(name), common, bundle)
    definition = gateway_of(wish.name, wish.documents, wish.elsewhere)[0]
    texts["definition.yaml"] = write_gateway(definition)
    texts["README.txt"] = contents.readme(bundle, services_text(definition))
    for document in made.documents():
        texts[f"site/{document.source}"] = write(document)
    texts[f"site/{RECORD_FILE}"] = (made.directory / RECORD_FILE).read_text("utf-8")
    files = {name: text.encode() for name, text in texts.items()}
    for path in sorted(made.secrets.rglob("*")):
        inner = path.relative_to(made.secrets)
        if path.is_file() and not any(part.startswith(".") for part in inner.parts):
            files[f"{_SECRETS}/{inner}"] = path.read_bytes()
    return files


def _script(name: str) -> str:
    return resources.files("sitectl.gateway.bundle").joinpath(name).read_text("utf-8")


def services_text(gateway: Gateway) -> str:
    """The services that a gateway offers and uses, one a line."""
    lines = [
        f"  {entry.address}:{entry.address_port} is served by {entry.host}:{entry.ports[0]}\n"
        for entry in gateway.bindings
    ]
    lines += [
        f"  {entry.address} is reached at {_place(entry.host, entry.loopback)}:{entry.ports[0]}\n"
        for entry in gateway.forwards
    ]
    return "".join(lines)


def _place(host: str, loopback: bool) -> str:
    return "127.0.0.1" if loopback else host or "every address of this host"


def out_directory(words: str) -> Path:
    """OUTDIR, made if its parent is there. Failure: it cannot be."""
    out = Path(words)
    if out.exists() and not out.is_dir():
        raise usage(f"{out} is no directory", "generate-bundle CONFIG OUTDIR")
    try:
        out.mkdir(mode=0o700, exist_ok=True)
    except FileNotFoundError as error:
        raise usage(f"no directory {out.parent}", f"mkdir -p {quote(str(out.parent))}") from error
    return out


def declared_at(site: Site) -> frozenset[str]:
    """Services that the network has, as far as ``site`` knows; its router need not run."""
    own = [document.name for document in site.documents() if document.kind == "Service"]
    return frozenset((*own, *(str(one["name"]) for one in site.told("/api/v1/services") or [])))
