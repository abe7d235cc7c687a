"""`token create|list|status`: what another site needs so that it may link here."""

import secrets
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from certs.errors import CertError
from certs.limits import TOKEN_CERTIFICATE_LIFE_S
from sitectl.base import output
from sitectl.base.failure import Failure, conflict, not_found
from sitectl.base.options import Duration, Settings, TokenFile, accepted, dry_run_flag
from sitectl.base.verb import Verbs
from sitectl.flags.links.cost import LinkCost
from sitectl.flags.services.sharing_mode import note_to_grant
from sitectl.flags.services.terms import TermsFlags, terms_fields, terms_flags, terms_of, terms_text
from sitectl.selection import store
from sitectl.site import places
from sitectl.site.claims import endpoints_to_dial, grant_claim
from sitectl.site.directory import DirectorySite
from sitectl.site.site import Site

if TYPE_CHECKING:
    from certs.ca.terms import TokenTerms
    from certs.joining.claims import Grant
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

    A FILE that exists is replaced only if it is a token of this site, or empty.

    With an --allow flag the site that joins is let in on terms: it may declare, serve (export) and
    ask for (import) those services alone, by name or by patterns with * and ?; "" is none. It is
    never crossed by what is not its own. All terms go into its certificate.

    \b
    Examples:
      sitectl token create east.yaml --expiry 1h
      sitectl token create east.yaml --token-type cert
      sitectl token create shop.yaml --allow-services 'shop-*'
      sitectl token create kiosk.yaml --allow-import shop --allow-declare "" --allow-export ""
    """
    allowed = terms_of(terms)
    site = store.find_site(settings)
    if file != "-" and not Path(file).absolute().parent.is_dir():  # Before the claim is granted.
        raise not_found(
            f"no directory {Path(file).parent} for the token", "Make it, or name another"
        )
    if file != "-" and not force and not _may_replace(site, Path(file)):
        raise conflict(
            f"{file} exists and is no token of site {site.name}: it was left as it is",
            "Name another file, or: --force",
        )
    dialled = endpoints_to_dial(site, hosts)
    chosen = name or f"{site.name}-{secrets.token_hex(4)}"
    if token_type == "claim" and name is not None and file != "-":
        made = _made_before(site, Path(file), name, uses, cost, allowed)
        if made is not None:
            _tell(settings, made, Path(file), "exists already, unchanged")
            return
    if token_type == "claim":
        written = _Written(None if file == "-" or settings.dry_run else Path(file))
        with written:
            token = grant_claim(
                site,
                chosen,
                dialled,
                uses=uses,
                cost=cost,
                terms=allowed,
                life_s=expiry,
                first=written.write,
            )
    else:
        token = _certificate(site, chosen, dialled, cost, expiry, allowed)
    if settings.dry_run:
        output.note(f"dry run: token {token.name} would be written to {file}")
        output.emit_planned(settings)
        return
    from certs.clocks import utc
    from certs.token_files import tokens

    if file == "-":
        output.emit_file(settings, tokens.dump(token))
        note_to_grant(site)
        return
    if token_type != "claim":
        tokens.write_file(Path(file), token)
    life = f"{uses} use{'s' if uses > 1 else ''}, " if token_type == "claim" else ""
    _tell(settings, token, Path(file), f"written to {file} ({life}until {utc(token.expires_at)})")
    note_to_grant(site)


def _tell(settings: Settings, token: "Token", file: Path, told: str) -> None:
    text = output.safe(f"token {token.name} {told}")
    output.emit_item(settings, "Token", {**_fields(token), "file": str(file)}, lambda: text)
    output.note(f"At the other site: sitectl link create {file}")


def _made_before(
    site: Site, file: Path, name: str, uses: int, cost: int | None, terms: "TokenTerms"
) -> "Token | None":
    """The token in ``file``, if it is the claim ``name`` as told and nobody has used it yet."""
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


class _Written:
    """The file of a claim, written before that is granted: a crash between loses no claim.

    As a context it removes the file when the claim is not granted after all.
    """

    def __init__(self, path: Path | None) -> None:
        """``path`` None: there is no file."""
        self._path = path
        self._is_written = False

    def write(self, token: "Token") -> None:
        """Write it."""
        from certs.token_files import tokens

        if self._path is not None:
            tokens.write_file(self._path, token)
            self._is_written = True

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None and self._path is not None and self._is_written:
            self._path.unlink(missing_ok=True)


def _certificate(
    site: Site,
    name: str,
    dialled: tuple["Endpoint", ...],
    cost: int | None,
    life_s: float | None,
    terms: "TokenTerms",
) -> "Token":
    from certs.joining.issue import certificate_token

    trust = site.trust
    return certificate_token(
        trust.authority(),
        name=name,
        site_id=trust.site_id,
        site_name=site.wanted().name,
        endpoints=dialled,
        now=time.time(),
        life_s=TOKEN_CERTIFICATE_LIFE_S if life_s is None else life_s,
        cost=cost,
        terms=terms,
    )


def _fields(token: "Token") -> dict[str, Any]:
    from certs.clocks import utc
    from certs.names import format_endpoint

    return {
        "name": token.name,
        "type": "claim" if token.kind == "claim" else "cert",
        "site": {"name": token.site_name, "id": token.site_id},
        "endpoints": [format_endpoint(endpoint) for endpoint in token.endpoints],
        "cost": token.cost,
        "expires": utc(token.expires_at),
    }


@group.command("list")
@click.pass_obj
def list_(settings: Settings) -> None:
    """Claim tokens made here: open, used, expired or revoked, and who used them. No secrets.

    A token is `old-ca` when it was made before the site replaced its CA: it is refused.

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
        return "No tokens. Make one: sitectl token create FILE"
    return output.rows(
        ("NAME", "STATE", "USES LEFT", "EXPIRES", "USED BY"),
        [
            (
                item["name"],
                item["state"],
                f"{item['uses_left']} of {item['uses']}",
                item["expires"],
                [f"{use['site']} ({use['at']})" for use in item["claimed"]],
            )
            for item in items
        ],
    )


@group.command("status")
@click.argument("file", type=TokenFile())
@click.pass_obj
def status(settings: Settings, file: str) -> None:
    """What a token file is, and whether it can still be used.

    \b
    Example:
      sitectl token status east.yaml
    """
    from certs.token_files import access_tokens

    token = access_tokens.read_file(Path(file))
    expired = time.time() >= token.expires_at
    kept = _grants_of(settings, token)
    # How often a claim of ours can still be redeemed; None: not ours, or no claim.
    uses_left = None if kept is None else sum(one.uses_left for one in kept if not one.revoked)
    allowed = _terms_of(token, kept)
    state = "expired" if expired else "used" if uses_left == 0 else "valid"
    if _is_revoked(settings, token, kept, expired):
        state = "revoked"
    elif state == "valid" and _is_of_old_ca(settings, token):
        state = "old-ca"
    claimed = _claims_of(kept)
    fields = {**_fields(token), "state": state, "uses_left": uses_left, "allow": allowed}
    fields["claimed"] = claimed
    lines = [
        ("Token", f"{token.name} ({fields['type']})"),
        ("Of site", f"{token.site_name} ({token.site_id})"),
        ("Dials", ", ".join(fields["endpoints"])),
        ("State", _state_text(state, token, fields["expires"])),
        ("Uses left", _uses_text(token, uses_left)),
        ("Allows", "known only at the issuing site" if allowed is None else terms_text(allowed)),
    ]
    lines += [("Used by", f"{use['site']} ({use['id'][:8]}), {use['at']}") for use in claimed or ()]
    output.emit_item(
        settings,
        "TokenStatus",
        fields,
        lambda: "\n".join(f"{key + ':':<11}{output.safe(value)}" for key, value in lines),
    )


def _state_text(state: str, token: "Token", expires: str) -> str:
    refused = {
        "old-ca": f"{token.site_name} has replaced its CA since, and refuses it",
        "revoked": f"{token.site_name} refuses it",
    }
    if state in refused:
        return f"{state}: {refused[state]}. Make another there: sitectl token create FILE"
    return f"{state}, {'since' if state == 'expired' else 'expires'} {expires}"


def _claims_of(kept: "list[Grant] | None") -> list[dict[str, str]] | None:
    """Who used it and when; None: only the site that made the claim knows."""
    from sitectl.show.token_list import claims_of

    return None if kept is None else [use for grant in kept for use in claims_of(grant)]


def _uses_text(token: "Token", uses_left: int | None) -> str:
    if token.kind != "claim":
        return "any number, by all who have it"
    return "known only at the issuing site" if uses_left is None else str(uses_left)


def _grants_of(settings: Settings, token: "Token") -> "list[Grant] | None":
    """Stored grants of this site's claim, empty once deleted; None: not its claim."""
    if token.kind != "claim":
        return None
    found = (_kept_at(site, token) for site in _sites_here(settings))
    return next((kept for kept in found if kept is not None), None)


def _sites_here(settings: Settings) -> list[Site]:
    if settings.on_kubernetes():
        return [store.find_site(settings)]
    state = places.state_dir(settings)
    return [DirectorySite(state / name) for name in places.site_names(state)]


def _is_revoked(
    settings: Settings, token: "Token", kept: "list[Grant] | None", expired: bool
) -> bool:
    """Whether its site, if that is here, has revoked the claim or the certificate."""
    from certs import certificates
    from certs.errors import CertError

    if token.kind == "claim":
        if not kept:  # Until a claim expires its grant is deleted only to revoke it.
            return kept is not None and not expired
        return all(one.revoked for one in kept)
    serial = certificates.serial_of(token.certificate_pem)
    for site in _sites_here(settings):
        try:
            if site.trust.site_id == token.site_id:
                return site.trust.is_revoked(serial=serial)
        except (Failure, CertError):
            return False  # As in `_kept_at`.
    return False


def _is_of_old_ca(settings: Settings, token: "Token") -> bool:
    """Whether its site, if that is here, has replaced the CA by which the token counted."""
    from certs.ca import rotation
    from certs.errors import CertError

    for site in _sites_here(settings):
        try:
            if site.trust.site_id != token.site_id:
                continue
            ca = site.trust.ca()
            admits = token.kind == "claim" or rotation.admits(ca, token.certificate_pem)
            return not (admits and rotation.knows(ca, token.ca_pem))
        except (Failure, CertError):
            return False  # As in `_kept_at`.
    return False


def _kept_at(site: Site, token: "Token") -> "list[Grant] | None":
    try:
        trust = site.trust
        if trust.site_id != token.site_id:
            return None
        return [grant for grant in trust.granted() if grant.name == token.name]
    except Failure:
        return None  # The file can be judged without its site: no cluster, no right to its Secrets.


def _terms_of(token: "Token", kept: "list[Grant] | None") -> dict[str, list[str] | None] | None:
    """On which it lets in; None: only the site that made the claim knows."""
    from certs.ca import terms

    if token.kind != "claim":
        return terms_fields(terms.of_certificate(token.certificate_pem, token.name))
    return terms_fields(kept[0].terms) if kept else None
