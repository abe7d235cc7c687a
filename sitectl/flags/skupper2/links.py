"""Links and claims that objects of Skupper v2 ask for, at a site on a host or in a namespace."""

import time
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

import click
import yaml

from router.documents.skupper2 import GrantRequest, TokenRequest
from sitectl.base import output
from sitectl.base.options import Settings
from sitectl.site.claims import endpoints_to_dial, grant_claim, require_ingress
from sitectl.site.site import Change, Site

if TYPE_CHECKING:
    from certs.joining.claims import Grant
    from certs.token_files.tokens import Token


def token_of(request: TokenRequest) -> "Token":
    """The token of a Link or AccessToken. `CertError`: it is not as it left its site."""
    from certs.token_files import access_tokens, tokens

    if request.url:
        source = request.source or f"AccessToken/{request.name}"
        return access_tokens.read(request.url, request.code, request.ca, source)
    return tokens.load(yaml.safe_dump(dict(request.secret)), f"Link/{request.name}")


class WantedClaims:
    """The claims of AccessGrants. Making the value judges all of them, and changes nothing."""

    def __init__(
        self,
        site: Site,
        requests: Iterable[GrantRequest],
        made_before: Iterable[str] = (),
        ingress: str | None = None,
    ) -> None:
        """``made_before``: names of grants that an earlier apply made, expired ones too.

        ``ingress``: what the site is about to have; None: it stays. Failure: with that no site
        could use its tokens.
        """
        known = {grant.name: grant for grant in site.trust.granted()}
        self._site = site
        self._old = {**dict.fromkeys(made_before), **known}
        self._requests = list(requests)
        if any(request.name not in self._old for request in self._requests):
            require_ingress(site.name, ingress or site.wanted().site.ingress)
        self.printed = False
        """Whether a token went to stdout."""

    def make(self, settings: Settings) -> list[dict[str, Any]]:
        """Make those that are not there; what became of each. AccessTokens are printed as YAML.

        With other output than the table's the token is in the item.
        """
        return [self._made(settings, request) for request in self._requests]

    def _made(self, settings: Settings, request: GrantRequest) -> dict[str, Any]:
        from certs.token_files import access_tokens

        change: Change = "unchanged"
        item: dict[str, Any] = {"kind": "AccessGrant", "name": request.name}
        if request.name in self._old:
            _compare(request, self._old[request.name])
        else:
            change = "created"
            in_table = settings.output == "table" and not settings.dry_run
            token = grant_claim(
                self._site,
                request.name,
                endpoints_to_dial(self._site, ()),
                uses=request.uses,
                life_s=request.window_s,
                first=self._printer(request.name) if in_table else None,
            )
            if not settings.dry_run:
                item["token"] = access_tokens.as_object(token, request.name)
        return {**item, "change": change}

    def _printer(self, name: str) -> "Callable[[Token], None]":
        """Prints a token before it counts: one that is lost then can be made again."""

        def write(token: "Token") -> None:
            from certs.token_files import access_tokens

            click.echo(
                ("---\n" if self.printed else "") + access_tokens.dump(token, name), nl=False
            )
            self.printed = True

        return write


def _compare(request: GrantRequest, grant: "Grant | None") -> None:
    """A claim cannot be changed: say so where the object asks for another."""
    if grant is None:
        return
    uses = grant.uses_left + len(grant.redeemed)
    if uses != request.uses and not grant.revoked:
        output.note(
            f"AccessGrant {request.name} asks for {output.count(request.uses, 'redemption')}, its "
            f"token has {uses} and stays as it is; for another token give the AccessGrant another "
            "name"
        )


def usable_token(site: Site, request: TokenRequest) -> "Token":
    """The token, if it can still be redeemed or its link is there. `CertError`: neither."""
    from certs.token_files import tokens

    token = token_of(request)
    if not site.links.holds(request.name, token):
        tokens.check_usable(token, site.trust.site_id, time.time())
    return token


def emit_changes(settings: Settings, items: Sequence[dict[str, Any]], *, printed: bool) -> None:
    """Print what changed; beside tokens on stdout (``printed``) as progress."""
    lines = [f"{one['kind'].lower()} {one['name']} {one['change']}" for one in items]
    if printed:
        for line in lines:
            output.note(line)
        return
    output.emit_items(settings, "Change", items, lambda: "\n".join(lines))
