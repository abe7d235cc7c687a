"""`service grant`, `service revoke`, `service transfer`: what others may do with our services."""

import time
from typing import Any

import click
import msgspec

from router.documents.quantities import duration_s
from router.documents.readers import MOMENT_HINT, ONE_SITE_HINT, is_site_pattern, unix_of
from router.model.ids import is_site_id
from router.model.rights.grants import CALL, OFFER, OWN, REDECLARE, VERBS
from router.model.rights.sharing import names_one_site, pinned, shown_pattern
from router.model.specs import Document, GrantSpec, SitePolicySpec
from router.model.wording.withdrawal import withdrawal
from sitectl.base import output
from sitectl.base.failure import conflict, usage
from sitectl.base.options import Settings, completes, dry_run_flag
from sitectl.base.verb import Verb
from sitectl.flags.services.bindings import bindings_of, is_declared
from sitectl.flags.services.capacity import policy_of_service
from sitectl.flags.services.name_ownership import look
from sitectl.flags.services.names import not_declared, require_name, service_meant
from sitectl.flags.services.sharing import document_name, with_ids
from sitectl.selection import store
from sitectl.site.site import Site

_site_option = click.option(
    "--site",
    "whom",
    required=True,
    metavar="SITE",
    shell_complete=completes("network"),
    help="Name or ID of the site.",
)
_MAY = {
    OFFER: "offer targets of it",
    CALL: "call it",
    REDECLARE: "declare it otherwise",
    OWN: "become its owner",
}


@click.command("grant", cls=Verb)
@click.argument("name", shell_complete=completes("services"))
@_site_option
@click.option("--offer", is_flag=True, help="Allow the site to have targets of the service.")
@click.option(
    "--call", is_flag=True, help="Allow the site to use the service, whatever --export-to says."
)
@click.option(
    "--redeclare", is_flag=True, help="Let its declaration count while this site declares nothing."
)
@click.option(
    "--max-capacity",
    type=click.IntRange(0, 1_000_000_000),
    metavar="N",
    help="With --offer: maximum capacity that other sites believe. [default: what the site says]",
)
@click.option(
    "--until",
    metavar="WHEN",
    help="End of the grant: a duration (30d) or a time (2026-12-31T23:59:59Z). "
    "[default: until it is revoked]",
)
@dry_run_flag
@click.pass_obj
def grant(
    settings: Settings,
    name: str,
    whom: str,
    offer: bool,
    call: bool,
    redeclare: bool,
    max_capacity: int | None,
    until: str | None,
) -> None:
    """Let another site offer targets of a service of this site, call it, or declare it otherwise.

    All sites check grants, which this site signs. Where sites share strictly (`init --sharing
    strict`), no other site may offer the service without one; elsewhere --max-capacity bounds the
    capacity that is believed. A new grant replaces the site's former one for the same verbs. See
    docs/sharing.md.

    \b
    Examples:
      sitectl service grant orders --site kiosk --call
      sitectl service grant orders --site cloud --offer --max-capacity 20 --until 30d
    """
    verbs = _verbs(offer=offer, call=call, redeclare=redeclare)
    if not verbs:
        raise usage("nothing to grant", f"sitectl service grant {name} --site {whom} --call")
    if max_capacity is not None and not offer:
        raise usage("--max-capacity is of what a site offers", "Give --offer too")
    site = store.site_to_change(settings)
    name = service_meant(site, name)
    _require_ours(site, name, only_call=verbs == (CALL,))
    new = GrantSpec(
        site=_one_site(site, whom), verbs=verbs, max_capacity=max_capacity, until=_until(until)
    )
    if OFFER in verbs and len(verbs) > 1 and max_capacity is not None:
        others = tuple(verb for verb in verbs if verb != OFFER)
        offers = msgspec.structs.replace(new, verbs=(OFFER,))
        _change(settings, site, name, (offers, _unbounded(new, others)))
    else:
        _change(settings, site, name, (new,))


@click.command("revoke", cls=Verb)
@click.argument("name", shell_complete=completes("services"))
@_site_option
@click.option("--offer", is_flag=True, help="Revoke only the grant to have targets of the service.")
@click.option("--call", is_flag=True, help="Revoke only the grant to use the service.")
@click.option("--redeclare", is_flag=True, help="Revoke only the grant to declare the service.")
@dry_run_flag
@click.pass_obj
def revoke(
    settings: Settings, name: str, whom: str, offer: bool, call: bool, redeclare: bool
) -> None:
    """Revoke a site's grant: all of it, or the parts that flags name.

    Requests that use the grant end at once, too. To remove a site from the network altogether, see
    `sitectl revoke-access`.

    \b
    Example:
      sitectl service revoke orders --site cloud --offer
    """
    site = store.site_to_change(settings)
    name = service_meant(site, name)
    verbs = _verbs(offer=offer, call=call, redeclare=redeclare) or VERBS
    meant = _one_site(site, whom)
    before = _grants(site, name)
    after = _without(before, meant, verbs)
    if after == before:
        text = f"service {name}: {shown_pattern(meant)} was granted nothing of that"
        output.report(settings, "Policy", name, "unchanged", text)
        return
    _put(settings, site, name, after)
    left = [verb for one in after if _is_same(one.site, meant) for verb in one.verbs]
    now = f"may {_said(left)}, by grant no more" if left else "has no grant any more"
    text = f"service {name}: {shown_pattern(meant)} {now}"
    output.report(settings, "Policy", name, "updated", text)


@click.command("transfer", cls=Verb)
@click.argument("name", shell_complete=completes("services"))
@click.option(
    "--to",
    "whom",
    required=True,
    metavar="SITE",
    shell_complete=completes("network"),
    help="Name or ID of the site that will own the name.",
)
@dry_run_flag
@click.pass_obj
def transfer(settings: Settings, name: str, whom: str) -> None:
    """Hand the ownership of a service's name to another site.

    It takes effect when that site declares the service; both sites sign the transfer. Then other
    sites use its declaration, and this site may delete its own. Sites out of reach learn of it when
    they are back, as long as this site declares the name or the new owner alone does.

    \b
    Example:
      sitectl service transfer orders --to cloud
    """
    site = store.site_to_change(settings)
    name = service_meant(site, name)
    _require_ours(site, name, only_call=False)
    meant = _one_site(site, whom)
    kept = tuple(
        msgspec.structs.replace(one, verbs=verbs)
        for one in _grants(site, name)
        if (verbs := tuple(verb for verb in one.verbs if verb != OWN))
    )
    change = _put(settings, site, name, (*kept, GrantSpec(site=meant, verbs=(OWN,))))
    text = f"service {name}: {shown_pattern(meant)} owns it as soon as it declares it"
    output.report(settings, "Policy", name, change, text)
    port = "PORT --protocol PROTOCOL"
    output.note(f"At {shown_pattern(meant)}: sitectl service create {name} {port}")
    output.note(f"Then here, if it is not to be declared twice: {withdrawal(name)}")


def granted_text(spec: SitePolicySpec) -> list[str]:
    """The grants of a Policy, human-readable."""
    return [_granted(one) for one in spec.grants]


def _change(settings: Settings, site: Site, name: str, new: tuple[GrantSpec, ...]) -> None:
    given = tuple(verb for one in new for verb in one.verbs)
    kept = _without(_grants(site, name), new[0].site, given)
    change = _put(settings, site, name, (*kept, *new))
    unchanged = ", unchanged" if change == "unchanged" else ""
    told = "; ".join(map(_granted, new))
    output.report(settings, "Policy", name, change, f"service {name}: {told}{unchanged}")


def _put(settings: Settings, site: Site, name: str, grants: tuple[GrantSpec, ...]) -> str:
    known = policy_of_service(site, name)
    before: Any = SitePolicySpec(service=name) if known is None else known.spec
    after = msgspec.structs.replace(before, grants=grants)
    if after == before:
        return "unchanged"
    if after == SitePolicySpec(service=name) and known is not None:
        site.delete_all((known,))
        return "updated"
    return site.put_all([Document("Policy", document_name(site, name, known), after)])[0]


def _grants(site: Site, name: str) -> tuple[GrantSpec, ...]:
    known = policy_of_service(site, name)
    return known.spec.grants if known and isinstance(known.spec, SitePolicySpec) else ()


def _without(
    grants: tuple[GrantSpec, ...], meant: str, verbs: tuple[str, ...]
) -> tuple[GrantSpec, ...]:
    left = []
    for one in grants:
        kept = tuple(verb for verb in one.verbs if verb not in verbs)
        if not _is_same(one.site, meant):
            left.append(one)
        elif kept:
            left.append(one if OFFER in kept else _unbounded(one, kept))
    return tuple(left)


def _unbounded(one: GrantSpec, verbs: tuple[str, ...]) -> GrantSpec:
    return msgspec.structs.replace(one, verbs=verbs, max_capacity=None)


def _is_same(one: str, other: str) -> bool:
    """By id where both tell it, else by name."""
    (name, site), (meant, wanted) = _parts(one), _parts(other)
    return site == wanted if site and wanted else name == meant


def _parts(pattern: str) -> tuple[str, str]:
    if is_site_id(pattern):
        return "", pattern
    return pinned(pattern) or (pattern, "")


def _verbs(*, offer: bool, call: bool, redeclare: bool) -> tuple[str, ...]:
    given = ((OFFER, offer), (CALL, call), (REDECLARE, redeclare))
    return tuple(verb for verb, is_given in given if is_given)


def _one_site(site: Site, whom: str) -> str:
    """``whom`` with its id, if one site alone bears that name now. Failure: it names no site."""
    if not is_site_pattern(whom) or {"*", "?"} & set(whom):
        raise usage(f"--site: {whom!r} does not name one site", ONE_SITE_HINT)
    if not names_one_site(whom):
        return whom
    (found,) = with_ids(site, (whom,)) or (whom,)
    return found


def _until(given: str | None) -> str:
    """The moment, in UTC; empty: none. Failure: it is none, or over."""
    from certs import clocks

    if given is None:
        return ""
    seconds = duration_s(given)
    at = time.time() + seconds if seconds is not None else unix_of(given)
    if at is None:
        raise usage(f"--until: {given!r} is no duration and no moment", f"Write 30d. {MOMENT_HINT}")
    if at <= time.time():
        raise usage(f"--until: {given} is over", "Leave it out for no end")
    return clocks.utc(at)


def _require_ours(site: Site, name: str, *, only_call: bool) -> None:
    """Failure: this site does not own ``name``, so others will not heed its grants."""
    require_name(name)
    is_here = site.find("Service", name) is not None
    if not is_here and not is_declared(site, name):
        raise not_declared(site, name)
    if only_call and (is_here or bindings_of(site, name)):
        return  # Each site decides on its own part of a service.
    if not site.may_be_others(name) or not site.admin.is_running():
        return
    view = look(site, name)
    owners = [] if view is None else view["owners"]
    if owners and site.name not in owners:
        owner = output.safe(", ".join(owners))
        raise conflict(
            f"{owner} owns service {name}, and only its owner's grants count",
            f"At {owner}, the same command",
        )


def _granted(one: GrantSpec) -> str:
    most = "" if one.max_capacity is None else f", at most {one.max_capacity} requests at once"
    until = f", until {one.until}" if one.until else ""
    return f"{shown_pattern(one.site)} may {_said(one.verbs)}{most}{until}"


def _said(verbs: Any) -> str:
    *most, last = [_MAY[verb] for verb in verbs]
    return f"{', '.join(most)} and {last}" if most else last
