"""`token create|list`: what another site needs so that it may link here."""

import secrets
import time
from collections import Counter
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Any

import click

from certs.errors import CertError
from certs.limits import TOKEN_CERTIFICATE_LIFE_S
from router.model.rights.sharing import SHORT_ID_CHARS
from sitectl.base import output
from sitectl.base.failure import conflict, not_found
from sitectl.base.options import Duration, Settings, accepted, dry_run_flag
from sitectl.base.verb import Verbs
from sitectl.flags.links.cost import LinkCost
from sitectl.flags.services.sharing_mode import note_to_grant
from sitectl.flags.services.terms import TermsFlags, terms_flags, terms_of
from sitectl.selection import store
from sitectl.site.claims import endpoints_to_dial, grant_claim
from sitectl.site.site import Site
from sitectl.verbs.links.token_status import status, token_fields

if TYPE_CHECKING:
    from certs.ca.terms import TokenTerms
    from certs.names import Endpoint
    from certs.token_files.tokens import Token


@click.group("token", cls=Verbs)
def group() -> None:
    """Tokens: made here, used at the site that will link here.

    \b
    Examples:
      sitectl token create west.yaml
      sitectl token status west.yaml
    """


@group.command("create")
@click.argument("file", type=click.Path(dir_okay=False, allow_dash=True))
@click.option(
    "--token-type",
    type=click.Choice(("claim", "cert")),
    default="claim",
    help="claim: a secret for some uses; cert: a certificate for many sites.",
)
@click.option("--expiry", type=Duration(), help="[default: 15m; a certificate: 1 year]")
@click.option("--uses", type=click.IntRange(1, 1_000), default=1, help="Number of uses of a claim.")
@click.option(
    "--cost",
    type=LinkCost(),
    help="Cost of the links that it makes. [default: 1]",
)
@click.option("--name", help="Name of the token, unique here.")
@click.option(
    "--force", is_flag=True, help="Overwrite FILE even if it is not a token of this site."
)
@click.option(
    "--ingress-host",
    "hosts",
    metavar="HOST[:PORT]",
    multiple=True,
    help="Address that the other end dials. [default: the site's]",
)
@terms_flags
@accepted("not needed here, the secret is made at random", "--password=", "--template=")
@dry_run_flag
@click.pass_obj
def create(
    settings: Settings,
    file: str,
    token_type: str,
    expiry: float | None,
    uses: int,
    cost: int | None,
    name: str | None,
    force: bool,
    hosts: tuple[str, ...],
    terms: TermsFlags,
) -> None:
    """Write a token to FILE: a one-time claim, or a certificate that works offline.

    An existing FILE is replaced only if it is a token of this site, or empty.

    With an --allow flag the site joins on terms: it may declare, serve (export) and use (import)
    only those services, given by name or by patterns with * and ?; "" is none. It carries no
    traffic of other sites. All terms are in its certificate.

    \b
    Examples:
      sitectl token create east.yaml --expiry 1h
      sitectl token create east.yaml --token-type cert
      sitectl token create shop.yaml --allow-services 'shop-*'
      sitectl token create kiosk.yaml --allow-import shop --allow-declare "" --allow-export ""
    """
    allowed = terms_of(terms)
    site = store.find_site(settings)
    path = None if file == "-" else Path(file)
    if path is not None:
        _require_place(site, file, force)
    dialed = endpoints_to_dial(site, hosts)
    chosen = name or f"{site.name}-{secrets.token_hex(4)}"
    is_claim = token_type == "claim"
    if is_claim and name is not None and path is not None:
        made = _made_before(site, path, name, uses, cost, allowed)
        if made is not None:
            _tell(settings, made, path, "exists already, unchanged")
            return
    written = None if settings.dry_run else path
    if is_claim:
        token = _claim(site, chosen, dialed, uses, cost, expiry, allowed, written)
    else:
        token = _certificate(site, chosen, dialed, cost, expiry, allowed, written)
    if settings.dry_run:
        output.note(f"dry run: token {token.name} would be written to {file}")
        output.emit_planned(settings)
        return
    if path is None:
        from certs.token_files import tokens

        output.emit_file(settings, tokens.dump(token))
    else:
        from certs.clocks import utc

        life = f"{uses} use{'s' if uses > 1 else ''}, " if is_claim else ""
        _tell(settings, token, path, f"written to {file} ({life}until {utc(token.expires_at)})")
    note_to_grant(site)


def _require_place(site: Site, file: str, force: bool) -> None:
    """Raise Failure where no token can be written; before a claim is granted."""
    directory = Path(file).parent
    if not directory.absolute().is_dir():
        raise not_found(f"no directory {directory} for the token", "Make it, or name another")
    if not force and not _may_replace(site, Path(file)):
        raise conflict(
            f"{file} exists and is no token of site {site.name}: it was left as it is",
            "Name another file, or: --force",
        )


def _tell(settings: Settings, token: "Token", file: Path, told: str) -> None:
    text = output.safe(f"token {token.name} {told}")
    output.emit_item(settings, "Token", {**token_fields(token), "file": str(file)}, lambda: text)
    output.note(f"At the other site: sitectl link create {quote(str(file))}")


def _made_before(
    site: Site, file: Path, name: str, uses: int, cost: int | None, terms: "TokenTerms"
) -> "Token | None":
    """The token in ``file``, if it is claim ``name`` with these terms and is still unused."""
    from certs.token_files import tokens

    site.trust.sweep(time.time())
    grant = next((one for one in site.trust.granted() if one.name == name), None)
    if grant is None or grant.redeemed or grant.revoked:
        return None
    if (grant.uses_left, grant.cost, grant.terms) != (uses, cost, terms):
        return None
    try:
        token = tokens.read_file(file)
    except (CertError, FileNotFoundError):
        return None
    return token if tokens.checksum(token) == grant.checksum else None


def _may_replace(site: Site, file: Path) -> bool:
    """Whether ``file`` is not there, empty, no regular file or a token of ``site``."""
    from certs.token_files import tokens

    try:
        if not file.is_file() or not file.stat().st_size:
            return True
        return tokens.read_file(file).site_id == site.trust.site_id
    except CertError:
        return False


def _claim(
    site: Site,
    name: str,
    dialed: tuple["Endpoint", ...],
    uses: int,
    cost: int | None,
    life_s: float | None,
    terms: "TokenTerms",
    file: Path | None,
) -> "Token":
    """A claim, granted once it is in ``file``: a crash between loses no claim.

    None: there is no file. One that is not granted after all is removed.
    """
    from certs.token_files import tokens

    is_written = False

    def write(token: "Token") -> None:
        nonlocal is_written
        if file is not None:
            tokens.write_file(file, token)
            is_written = True

    try:
        return grant_claim(
            site,
            name,
            dialed,
            uses=uses,
            cost=cost,
            terms=terms,
            life_s=life_s,
            first=write,
        )
    except BaseException:
        if file is not None and is_written:
            file.unlink(missing_ok=True)
        raise


def _certificate(
    site: Site,
    name: str,
    dialed: tuple["Endpoint", ...],
    cost: int | None,
    life_s: float | None,
    terms: "TokenTerms",
    file: Path | None,
) -> "Token":
    from certs.joining.issue import certificate_token
    from certs.token_files import tokens

    trust = site.trust
    token = certificate_token(
        trust.authority(),
        name=name,
        site_id=trust.site_id,
        site_name=site.wanted().name,
        endpoints=dialed,
        now=time.time(),
        life_s=TOKEN_CERTIFICATE_LIFE_S if life_s is None else life_s,
        cost=cost,
        terms=terms,
    )
    if file is not None:
        tokens.write_file(file, token)
    return token


@group.command("list")
@click.pass_obj
def list_(settings: Settings) -> None:
    """List the claim tokens made here: open, used, expired or revoked, and by which sites.

    No secrets are shown. A token is `old-ca` if it was made before the site replaced its CA: it is
    refused.

    \b
    Examples:
      sitectl token list
      sitectl token list -o json
    """
    from sitectl.show.token_list import tokens_of

    items = tokens_of(store.find_site(settings))
    output.emit_items(
        settings,
        "Token",
        items,
        lambda: _listed(items),
    )


def _listed(items: list[dict[str, Any]]) -> str:
    if not items:
        return "No claim tokens. Make one: sitectl token create FILE"
    uses = [use for item in items for use in item["claimed"]]
    bearers = Counter(name for name, _ in {(use["site"], use["id"]) for use in uses})

    def site(use: dict[str, Any]) -> str:
        is_shared = bearers[use["site"]] > 1
        return f"{use['site']}@{use['id'][:SHORT_ID_CHARS]}" if is_shared else use["site"]

    return output.rows(
        ("NAME", "STATE", "USES LEFT", "EXPIRES", "USED BY"),
        [
            (
                item["name"],
                item["state"],
                f"{item['uses_left']} of {item['uses']}",
                item["expires"],
                [f"{site(use)} ({use['at']})" for use in item["claimed"]],
            )
            for item in items
        ],
    )


group.add_command(status)
