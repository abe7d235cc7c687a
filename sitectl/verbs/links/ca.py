"""`ca rotate|status`: the certificate authority that a site admits its neighbors by."""

import time
from typing import Any

import click

from certs import certificates, clocks
from certs.ca import rotation
from certs.ca.rotation import CaState
from sitectl.base import output
from sitectl.base.failure import Exit, Failure, timed_out
from sitectl.base.options import Settings, wait_flag
from sitectl.base.verb import Verbs
from sitectl.base.watch import Picture, show
from sitectl.runtimes import presence
from sitectl.selection import store
from sitectl.site.site import Site


@click.group("ca", cls=Verbs)
def group() -> None:
    """The site's certificate authority (CA), which admits neighbors and proves the site to them.

    \b
    Examples:
      sitectl ca status
      sitectl ca rotate
    """


@group.command("rotate")
@click.option("--now", "hurried", is_flag=True, help="Skip sites that are away or cannot renew.")
@wait_flag("Wait until the old CA is gone (exit 0), or time is up (6).")
@click.pass_obj
def rotate(settings: Settings, hurried: bool, wait: float | None) -> None:
    """Replace the CA while all links stay up.

    First every site that links here receives the next CA, and both are trusted. Then the next CA
    issues, and the sites renew their certificates. Then the old CA is removed. Each step starts as
    soon as all sites are ready for it, or after 30 days without the others. The router rotates the
    CA by itself after two thirds of the CA's life.

    --now, also during a rotation, leaves absent sites behind: those that can renew rejoin by
    themselves, others need a new token.

    \b
    Examples:
      sitectl ca rotate
      sitectl ca rotate --now --wait 60
    """
    site = store.site_to_change(settings)
    before = site.trust.ca()
    after = site.trust.rotate(time.time(), hurried=hurried)
    change = "unchanged" if after == before else "updated" if before.rotation else "created"
    if change != "unchanged":
        site.reload()
        site.note_change()
    told = {
        "created": f"{site.name} replaces its CA",
        "updated": f"{site.name} waits no more for sites that are away",
        "unchanged": f"{site.name} replaces its CA already, unchanged",
    }[change]
    if wait is not None:
        _wait_until_gone(site, wait)
        told += ", done"
    output.report(settings, "Ca", site.name, change, told)
    if wait is None:
        output.note("Next: sitectl ca status")


def _wait_until_gone(site: Site, wait_s: float) -> None:
    if not site.admin.is_running():
        raise Failure(
            Exit.UNREACHABLE,
            "unreachable",
            "the router does not run: the rotation begins when it starts",
            "sitectl start",
        )
    if presence.wait_until(lambda: site.trust.ca().rotation is None, wait_s, site.poll_s):
        return
    waiting = ", ".join(one["site"]["name"] for one in _waiting(site))
    what = f"the old CA is not gone after {wait_s:g} s"
    raise timed_out(f"{what}, it waits for {waiting}" if waiting else what, "sitectl ca status")


def _waiting(site: Site) -> list[dict[str, Any]]:
    """Sites that the rotation waits for, if a router says so."""
    item = site.told("/api/v1/ca")
    return [] if item is None else item["waiting"]


@group.command("status")
@click.pass_context
def status(ctx: click.Context) -> None:
    """Show the CA, the progress of its replacement, the sites it waits for, and the next step.

    \b
    Examples:
      sitectl ca status
      sitectl ca status -o json
    """
    show(ctx, lambda: _look(ctx.ensure_object(Settings)), None)


def _look(settings: Settings) -> Picture:
    """The state of the CA from the router; without a router, from the stored files."""
    site = store.find_site(settings)
    try:
        item = site.admin.get("/api/v1/ca")
    except Failure as failure:
        if not site.degrades(failure):
            raise
        silence, kept = failure, _kept(site.trust.ca())
        state = "unreachable" if site.may_serve(silence) else "stopped"
        return Picture(
            "Ca",
            {"item": kept},
            lambda: _text(kept),
            Exit.DEGRADED,
            site.unanswered(silence),
            f"{state}: {silence.message}; it is not known which sites it waits for",
        )
    return Picture("Ca", {"item": item}, lambda: _text(item))


def _kept(state: CaState) -> dict[str, Any]:
    found = state.rotation
    return {
        "phase": found.phase if found is not None else "one",
        "since": clocks.utc(found.since) if found is not None else None,
        "until": None,
        "next": rotation.next_of(found),
        "hurried": found is not None and found.hurried,
        "certificates": [
            {
                "role": role,
                "fingerprint": certificates.fingerprint(pem),
                "expires": clocks.utc(certificates.expires_at(pem)),
            }
            for role, pem in rotation.roles(state)
        ],
        "waiting": [],
    }


_PHASES = {
    "one": "one CA",
    "announced": "announced: both CAs are trusted, the one before the next issues",
    "switched": "switched: both CAs are trusted, the new one issues",
}


def _text(item: dict[str, Any]) -> str:
    safe = output.safe
    since = f", since {item['since']}" if item.get("since") else ""
    lines = [f"Phase:  {_PHASES.get(str(item['phase']), safe(item['phase']))}{safe(since)}"]
    until = f", at the latest {item['until']}" if item.get("until") else ""
    lines.append(f"Next:   {safe(item['next'])}{safe(until)}")
    lines.append("")
    lines.append(
        output.rows(
            ("CA", "EXPIRES", "FINGERPRINT (SHA-256)"),
            [(one["role"], one["expires"], one["fingerprint"]) for one in item["certificates"]],
        )
    )
    if item["waiting"]:
        lines.append("")

        def told(one: dict[str, Any]) -> bool | None:
            return one["renews"] if one["connected"] else None  # It says so when it links.

        lines.append(
            output.rows(
                ("WAITS FOR", "LINKED", "TAKES IT BY ITSELF"),
                [
                    (one["site"]["name"] or one["site"]["id"], one["connected"], told(one))
                    for one in item["waiting"]
                ],
            )
        )
        if not item["hurried"]:
            lines += (
                "",
                "Not to wait for a site that is gone for good: sitectl revoke-access --link SITE",
                "Not to wait for any that is away: sitectl ca rotate --now",
            )
    return "\n".join(lines)
