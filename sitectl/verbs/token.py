"""`token create|status`: what another site needs so that it may link here."""

import secrets
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from router.model import limits
from sitectl import output, store
from sitectl.directory import DirectorySite
from sitectl.failure import Failure, not_found, usage
from sitectl.granting import endpoints_to_dial, grant_claim
from sitectl.options import Duration, Settings, TokenFile, Verbs, accepted, dry_run_flag
from sitectl.site import Site

if TYPE_CHECKING:
    from certs.names import Endpoint
    from certs.tokens import Token


@click.group("token", cls=Verbs)
def group() -> None:
    """Tokens: made here, used at the site that shall link here."""


def _refuse_patterns(ctx: click.Context, param: click.Parameter, value: Any) -> None:
    if value:
        raise usage("--allow-services is not in this version", "Leave it out")


@group.command("create")
@click.argument("file", type=click.Path(dir_okay=False, allow_dash=True))
@click.option("--token-type", type=click.Choice(("claim", "cert")), default="claim")
@click.option("--expiry", type=Duration(), help="[default: 15m; a certificate: 1 year]")
@click.option("--uses", type=click.IntRange(1, 1_000), default=1, help="Of a claim.")
@click.option("--cost", type=click.IntRange(limits.COST_MIN, limits.COST_MAX))
@click.option("--name", help="The token's name, unique here.")
@click.option("--ingress-host", "hosts", metavar="HOST[:PORT]", multiple=True)
@click.option(
    "--allow-services", multiple=True, hidden=True, expose_value=False, callback=_refuse_patterns
)
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
    hosts: tuple[str, ...],
) -> None:
    """Write a token to FILE: a one-time claim, or a certificate that works offline.

    \b
    Examples:
      sitectl token create east.yaml --expiry 1h
      sitectl token create east.yaml --token-type cert
    """
    site = store.find_site(settings)
    if file != "-" and not Path(file).absolute().parent.is_dir():  # Before the claim is granted.
        raise not_found(
            f"no directory {Path(file).parent} for the token", "Make it, or name another"
        )
    dialled = endpoints_to_dial(site, hosts)
    chosen = name or f"{site.name}-{secrets.token_hex(4)}"
    if token_type == "claim" and name is not None and file != "-":
        made = _made_before(site, Path(file), name, uses, cost)
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
                life_s=expiry,
                first=written.write,
            )
    else:
        token = _certificate(site, chosen, dialled, cost, expiry)
    if settings.dry_run:
        output.note(f"dry run: token {token.name} would be written to {file}")
        output.emit_planned(settings)
        return
    from certs import tokens
    from certs.clocks import utc

    if file == "-":
        click.echo(tokens.dump(token), nl=False)
        return
    if token_type != "claim":
        tokens.write_file(Path(file), token)
    life = f"{uses} use{'s' if uses > 1 else ''}, " if token_type == "claim" else ""
    _tell(settings, token, Path(file), f"written to {file} ({life}until {utc(token.expires_at)})")


def _tell(settings: Settings, token: "Token", file: Path, told: str) -> None:
    text = output.safe(f"token {token.name} {told}")
    output.emit_item(settings, "Token", {**_fields(token), "file": str(file)}, lambda: text)
    output.note(f"At the other site: sitectl link create {file}")


def _made_before(site: Site, file: Path, name: str, uses: int, cost: int | None) -> "Token | None":
    """The token in ``file``, if it is the claim ``name`` as told and nobody has used it yet."""
    from certs import tokens
    from certs.errors import CertError

    site.trust.sweep(time.time())
    grant = next((one for one in site.trust.granted() if one.name == name), None)
    if grant is None or grant.redeemed or grant.revoked:
        return None
    if (grant.uses_left, grant.cost) != (uses, cost):
        return None
    try:
        token = tokens.read_file(file)
    except (CertError, FileNotFoundError):
        return None
    return token if tokens.checksum(token) == grant.checksum else None


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
        from certs import tokens

        if self._path is not None:
            tokens.write_file(self._path, token)
            self._is_written = True

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None and self._path is not None and self._is_written:
            self._path.unlink(missing_ok=True)


def _certificate(
    site: Site, name: str, dialled: tuple["Endpoint", ...], cost: int | None, life_s: float | None
) -> "Token":
    from certs.issue import certificate_token
    from certs.limits import TOKEN_CERTIFICATE_LIFE_S

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


@group.command("status")
@click.argument("file", type=TokenFile())
@click.pass_obj
def status(settings: Settings, file: str) -> None:
    """What a token file is, and whether it can still be used.

    \b
    Example:
      sitectl token status east.yaml
    """
    from certs import tokens

    token = tokens.read_file(Path(file))
    expired = time.time() >= token.expires_at
    uses_left = _uses_left(settings, token)
    state = "expired" if expired else "used" if uses_left == 0 else "valid"
    fields = {**_fields(token), "state": state, "uses_left": uses_left}
    lines = [
        ("Token", f"{token.name} ({fields['type']})"),
        ("Of site", f"{token.site_name} ({token.site_id})"),
        ("Dials", ", ".join(fields["endpoints"])),
        ("State", f"{state}, {'since' if expired else 'expires'} {fields['expires']}"),
        ("Uses left", "known only at the issuing site" if uses_left is None else str(uses_left)),
    ]
    output.emit_item(
        settings,
        "TokenStatus",
        fields,
        lambda: "\n".join(f"{key + ':':<11}{output.safe(value)}" for key, value in lines),
    )


def _uses_left(settings: Settings, token: "Token") -> int | None:
    """How often a claim of ours can still be redeemed; None: not ours, or no claim."""
    if token.kind != "claim":
        return None
    sites: list[Site]
    if settings.on_kubernetes():
        sites = [store.find_site(settings)]
    else:
        state = store.state_dir(settings)
        sites = [DirectorySite(state / name) for name in store.site_names(state)]
    return next((left for site in sites if (left := _left_at(site, token)) is not None), None)


def _left_at(site: Site, token: "Token") -> int | None:
    try:
        trust = site.trust
        if trust.site_id != token.site_id:
            return None
        grant = next((grant for grant in trust.granted() if grant.name == token.name), None)
    except Failure:
        return None  # The file can be judged without its site: no cluster, no right to its Secrets.
    return grant.uses_left if grant is not None and not grant.revoked else 0
