"""`gateway generate-bundle` and `gateway export-config`; gateway YAML for `apply`."""

import sys
from collections.abc import Iterable
from pathlib import Path
from shlex import quote
from typing import Any, NamedTuple

import click

from router.documents.gateway import Gateway, write_gateway
from sitectl.base import output, texts
from sitectl.base.failure import not_found, usage
from sitectl.base.options import Duration, Settings, TokenFile
from sitectl.base.verb import Verb
from sitectl.flags.links.cost import LinkCost
from sitectl.flags.services.names import declared_services
from sitectl.gateway.definition import gateway_of
from sitectl.gateway.gateway_documents import (
    Changed,
    apply_gateway,
    both,
    definition_of,
    named,
    used_by,
    wanted_documents,
)
from sitectl.gateway.gateway_init import fit_runtime
from sitectl.gateway.home import find_gateway
from sitectl.gateway.services import asked
from sitectl.runtimes.image import ImageFlags, chosen_image, image_flags, stated_policy
from sitectl.selection import store
from sitectl.site.directory import DirectorySite
from sitectl.site.places import gateway_names


def read_text(file: str) -> tuple[str, str]:
    """The text of a file or of stdin (``-``), and what to call it. Failure: there is none."""
    if file == "-":
        return texts.decoded(sys.stdin.buffer.read(), "stdin"), "stdin"
    return texts.text_of(Path(file)), file


@click.command("generate-bundle", cls=Verb)
@click.argument("config", metavar="CONFIG|-")
@click.argument("outdir")
@click.option(
    "--token", type=TokenFile(), help="Token of the site, if this machine cannot reach the site."
)
@click.option("--expiry", type=Duration(), help="Lifetime of its credential. [default: 365d]")
@click.option(
    "--cost",
    type=LinkCost(),
    help="Cost of the links that it makes. [default: 1]",
)
@click.option(
    "--ingress-host",
    "hosts",
    metavar="HOST[:PORT]",
    multiple=True,
    help="Address that the other end dials. [default: the site's]",
)
@click.option(
    "--with-image",
    is_flag=True,
    help="Include the image (by podman), so the host needs no network.",
)
@image_flags
@click.pass_obj
def generate_bundle(
    settings: Settings,
    /,
    config: str,
    outdir: str,
    token: str | None,
    expiry: float | None,
    cost: int | None,
    hosts: tuple[str, ...],
    with_image: bool,
    image: ImageFlags,
) -> None:
    """Pack a gateway for a host that has only podman and a shell: OUTDIR/NAME.tar.gz.

    CONFIG is gateway YAML, as `export-config` and Skupper write it. The bundle holds the gateway's
    key and a certificate for it alone, so it is a secret; its README says how to revoke it. Made
    again into the same OUTDIR it is the same gateway; into another, a new one.

    \b
    Examples:
      sitectl gateway generate-bundle db.yaml ./bundles
      sitectl -n shop gateway generate-bundle db.yaml . --expiry 30d --with-image
      sitectl gateway generate-bundle db.yaml . --token west.yaml
    On the other host:
      mkdir gateway && tar -xzf db.tar.gz -C gateway && cd gateway && ./launch.sh -t podman
    """
    from sitectl.gateway.bundle import bundle

    if token is not None and (expiry is not None or hosts):
        raise usage(
            "--expiry and --ingress-host are the token's own with --token", "Leave them out"
        )
    name, gateway, source = read_definition(config)
    out = bundle.out_directory(outdir)
    site = None if token is not None else store.find_site(settings)
    declared = frozenset() if site is None else bundle.declared_at(site)
    documents = wanted_documents(gateway, source, declared)
    wish = bundle.BundleWish(
        name=name,
        documents=documents,
        elsewhere={} if site is None else declared_services(site, used_by(documents)),
        image=chosen_image(image.image),
        pull_policy=stated_policy(image.image_pull_policy) or "missing",
        with_image=with_image,
        life_s=expiry,
        cost=cost,
        hosts=hosts,
        token=token,
    )
    packed = bundle.pack(settings, site, wish, out)
    made = packed.bundle
    item = {
        "name": name,
        "file": str(packed.path),
        "id": made.site_id,
        "site": made.site,
        "image": made.image,
        "expires": made.expires,
        "change": packed.change,
        "revoke": made.revoke,
    }
    told = {
        "created": "written",
        "updated": "written again, the same gateway",
        "unchanged": "is there already, unchanged",
    }[packed.change if packed.is_same_gateway else "created"]
    output.emit_item(
        settings, "Bundle", item, lambda: f"bundle of gateway {name} {told}: {packed.path}"
    )
    if packed.change != "unchanged":
        output.note(f"It is a secret, good until {made.expires}. To bar it: {made.revoke}")
        output.note("On its host: unpack it, then ./launch.sh -t podman (see README.txt)")


@click.command("export-config", cls=Verb)
@click.argument("words", nargs=-1, required=True, metavar="FILE|-  or  NAME OUTDIR")
@click.option("--name", help="Name of the gateway; default: the only one.")
@click.pass_obj
def export_config(settings: Settings, words: tuple[str, ...], name: str | None) -> None:
    """Write a gateway of this host as YAML, for `generate-bundle` and `init --config`.

    With two arguments, as in Skupper, the YAML calls it NAME and is written to OUTDIR/NAME.yaml.

    \b
    Examples:
      sitectl gateway export-config db.yaml
      sitectl gateway export-config - --name db-host
      sitectl gateway export-config db . --name db-host
    """
    if len(words) > 2:
        raise usage("expected FILE, or NAME and OUTDIR")
    site = find_gateway(settings, name).site
    called = words[0] if len(words) == 2 else site.name
    file = words[0] if len(words) == 1 else str(Path(words[1]) / f"{words[0]}.yaml")
    documents = site.documents()
    gateway, left_out = gateway_of(called, documents, declared_services(site, used_by(documents)))
    for what in left_out:
        output.note(f"not in the YAML: {what}")
    text = write_gateway(gateway)
    if file == "-":
        output.emit_file(settings, text)
        return
    path = Path(file)
    if not path.absolute().parent.is_dir():
        raise not_found(f"no directory {path.parent}", f"mkdir -p {quote(str(path.parent))}")
    change = "created"
    if path.exists():
        change = "unchanged" if texts.text_of(path) == text else "updated"
    if change != "unchanged":
        texts.write_atomically(path, text)
    words_of = "unchanged" if change == "unchanged" else "written"
    output.report(settings, "Gateway", called, change, f"gateway {site.name} {words_of}: {file}")


class GatewayFile(NamedTuple):
    """Gateway YAML that was read: ``name`` as a site's, ``source`` as errors call it."""

    name: str
    gateway: Gateway
    source: str


def read_definition(file: str) -> GatewayFile:
    """The gateway in a file, or in stdin (``-``). Failure: it cannot be used."""
    return _definition(*read_text(file))


def _definition(text: str, source: str) -> GatewayFile:
    gateway = definition_of(text, source)
    wanted_documents(gateway, source)  # Its entries fit together, whatever the network declares.
    return GatewayFile(named(gateway, source), gateway, source)


def apply_text(settings: Settings, text: str, source: str) -> None:
    """`apply -f` of gateway YAML: to the gateway of that name on this host. Failure: none."""
    defined = _definition(text, source)
    name = defined.name
    if name not in gateway_names(settings):
        raise not_found(
            f"no gateway {name!r} on this host, which {source} is about",
            f"sitectl gateway init --config {texts.typed(source)}",
        )
    changes = apply_definition(settings, find_gateway(settings, name).site, defined)
    items: list[dict[str, Any]] = [
        {"kind": document.kind, "name": document.name, "change": change}
        for document, change in changes
    ]
    nothing = f"gateway {name} offers and uses nothing"
    output.emit_items(settings, "Change", items, lambda: "\n".join(lines(changes)) or nothing)


def apply_definition(
    settings: Settings, site: DirectorySite, defined: GatewayFile
) -> list[Changed]:
    """Make the gateway offer and use the services of its YAML; the changes."""
    bound = {endpoint.address for endpoint in defined.gateway.bindings}
    with site.held():
        own = {document.name for document in site.documents() if document.kind == "Service"}
        declared = network_services(site)
        unknown = bound - own - declared
        first: list[Changed] = []
        if unknown and site.admin.is_running():
            # Ask the network by declaring the use: an edge learns about services that it uses.
            used = wanted_documents(defined.gateway, defined.source, declared | unknown)
            first = apply_gateway(site, used)
            declared |= asked(site, unknown).keys()
        wanted = wanted_documents(defined.gateway, defined.source, declared)
        changes = both(first, apply_gateway(site, wanted))
    if any(change != "unchanged" for _, change in changes) and fit_runtime(
        site, settings.timeout_s
    ):
        output.note("its router was restarted, to be allowed these ports and no others")
    return changes


def lines(changes: Iterable[Changed]) -> list[str]:
    """Changes, human-readable."""
    return [f"{document.kind.lower()} {document.name} {change}" for document, change in changes]


def network_services(site: DirectorySite) -> frozenset[str]:
    """Services that others declare, as far as the gateway's router knows; it need not run."""
    from sitectl.gateway.bundle.bundle import declared_at

    own = {document.name for document in site.documents() if document.kind == "Service"}
    return declared_at(site) - own
