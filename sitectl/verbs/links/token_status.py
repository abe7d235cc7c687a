"""`token status`: what a token file is, and whether it can still be used."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from certs.errors import CertError
from sitectl.base import output
from sitectl.base.failure import Failure
from sitectl.base.options import Settings, TokenFile
from sitectl.base.verb import Verb
from sitectl.flags.services.terms import terms_fields, terms_text
from sitectl.selection import store
from sitectl.site import places
from sitectl.site.directory import DirectorySite
from sitectl.site.site import Site

if TYPE_CHECKING:
    from certs.joining.claims import Grant
    from certs.token_files.tokens import Token


def token_fields(token: "Token") -> dict[str, Any]:
    """The fields of a token, without secrets."""
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


@click.command("status", cls=Verb)
@click.argument("file", type=TokenFile())
@click.pass_obj
def status(settings: Settings, file: str) -> None:
    """Show the content of a token file, without secrets, and whether it can still be used.

    \b
    Example:
      sitectl token status east.yaml
    """
    from certs.token_files import access_tokens
    from sitectl.show.token_list import claims_of

    token = access_tokens.read_file(Path(file))
    issuer = _issuer(settings, token)
    kept = _grants_of(issuer, token)
    # How often a claim of ours can still be redeemed; None: not ours, or no claim.
    uses_left = None if kept is None else sum(one.uses_left for one in kept if not one.revoked)
    # Who used it and when; None: only the site that made the claim knows.
    claimed = None if kept is None else [use for one in kept for use in claims_of(one)]
    allowed = _terms_of(token, kept)
    state = _state(token, issuer, kept, uses_left)
    fields = {
        **token_fields(token),
        "state": state,
        "uses_left": uses_left,
        "allow": allowed,
        "claimed": claimed,
    }
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


def _issuer(settings: Settings, token: "Token") -> Site | None:
    """The site that made it, if that is here and may be asked.

    A file can be judged without its site: no cluster, no right to its Secrets.
    """
    for site in _sites_here(settings):
        try:
            if site.trust.site_id == token.site_id:
                return site
        except (Failure, CertError):
            continue
    return None


def _sites_here(settings: Settings) -> list[Site]:
    if settings.on_kubernetes():
        return [store.find_site(settings)]
    state = places.state_dir(settings)
    return [DirectorySite(state / name) for name in places.site_names(state)]


def _grants_of(issuer: Site | None, token: "Token") -> "list[Grant] | None":
    """Stored grants of a claim, empty once deleted; None: no claim, or its site cannot say."""
    if issuer is None or token.kind != "claim":
        return None
    try:
        return [grant for grant in issuer.trust.granted() if grant.name == token.name]
    except Failure:
        return None


def _state(
    token: "Token", issuer: Site | None, kept: "list[Grant] | None", uses_left: int | None
) -> str:
    is_expired = time.time() >= token.expires_at
    if kept is not None:  # Until a claim expires its grant is deleted only to revoke it.
        is_revoked = all(one.revoked for one in kept) if kept else not is_expired
    else:
        is_revoked = issuer is not None and _is_revoked(issuer, token)
    if is_revoked:
        return "revoked"
    if is_expired or uses_left == 0:
        return "expired" if is_expired else "used"
    return "old-ca" if issuer is not None and _is_of_old_ca(issuer, token) else "valid"


def _is_revoked(issuer: Site, token: "Token") -> bool:
    """Whether its site has revoked the certificate; a claim that it cannot tell of has none."""
    from certs import certificates

    if token.kind == "claim":
        return False
    try:
        return issuer.trust.is_revoked(serial=certificates.serial_of(token.certificate_pem))
    except (Failure, CertError):
        return False


def _is_of_old_ca(issuer: Site, token: "Token") -> bool:
    """Whether its site has replaced the CA by which the token counted."""
    from certs.ca import rotation

    try:
        ca = issuer.trust.ca()
        admits = token.kind == "claim" or rotation.admits(ca, token.certificate_pem)
        return not (admits and rotation.knows(ca, token.ca_pem))
    except (Failure, CertError):
        return False


def _state_text(state: str, token: "Token", expires: str) -> str:
    refused = {
        "old-ca": f"{token.site_name} has replaced its CA since, and refuses it",
        "revoked": f"{token.site_name} refuses it",
    }
    if state in refused:
        return f"{state}: {refused[state]}. Make another there: sitectl token create FILE"
    return f"{state}, {'since' if state == 'expired' else 'expires'} {expires}"


def _uses_text(token: "Token", uses_left: int | None) -> str:
    if token.kind != "claim":
        return "any number, by all who have it"
    return "known only at the issuing site" if uses_left is None else str(uses_left)


def _terms_of(token: "Token", kept: "list[Grant] | None") -> dict[str, list[str] | None] | None:
    """On which it lets in; None: only the site that made the claim knows."""
    from certs.ca import terms

    if token.kind != "claim":
        return terms_fields(terms.of_certificate(token.certificate_pem, token.name))
    return terms_fields(kept[0].terms) if kept else None
