"""`site drain` and `service drain`: take a share of the capacity of this site, or nothing new."""

from typing import Final

import click
import msgspec

from router.documents.drained import share_of
from router.documents.quantities import percent_of
from router.model.rights.sharing import ALL
from router.model.specs import ConnectorSpec, Document, SitePolicySpec
from sitectl.base import output
from sitectl.base.failure import usage
from sitectl.base.options import Settings, completes, dry_run_flag
from sitectl.base.verb import Verb, Verbs
from sitectl.flags.services.bindings import is_declared
from sitectl.flags.services.capacity import policy_of_service
from sitectl.flags.services.names import nearest_service, require_name, service_meant
from sitectl.flags.services.sharing import document_name
from sitectl.selection import store
from sitectl.site.site import Site

_COMMANDS_MAX: Final = 3  # More would bury the sentence before them.


@click.group("site", cls=Verbs)
def group() -> None:
    """This site as a whole: drain.

    \b
    Examples:
      sitectl site drain
      sitectl site drain --to 100%
    """


_to_flag = click.option(
    "--to",
    "share",
    metavar="SHARE",
    default="0%",
    show_default=True,
    help="Share of the capacity that is still taken; 100%: all of it again.",
)


@group.command("drain", cls=Verb)
@_to_flag
@dry_run_flag
@click.pass_obj
def drain_site(settings: Settings, share: str) -> None:
    """Use only a share of this site's capacity for every service; 0%: no new requests.

    Use it before maintenance, or to keep room for other work. New requests go to other sites, as if
    this one were smaller; running ones finish. The router stays up, and other sites serve this
    site's clients. The drain lasts until --to 100%, across restarts.

    \b
    Examples:
      sitectl site drain --to 30%
      sitectl site drain                             nothing new
      sitectl site drain --to 100%                   as before
    """
    _drain(settings, ALL, share)


@click.command("drain", cls=Verb)
@click.argument("name", shell_complete=completes("services"))
@_to_flag
@dry_run_flag
@click.pass_obj
def drain_service(settings: Settings, name: str, share: str) -> None:
    """Use only a share of this site's capacity for a service; 0%: no new requests.

    As `site drain`, for one service. If several drains apply, the smallest share counts. Existing
    connections stay; to move them, run `service rebalance` at the site of their clients.

    \b
    Examples:
      sitectl service drain shop --to 50%
      sitectl service drain shop                     nothing new
      sitectl service drain shop --to 100%           as before
    """
    _drain(settings, name, share)


def _drain(settings: Settings, name: str, share: str) -> None:
    takes = percent_of(share)
    if takes is None:
        raise usage(f"--to {share!r} is not a share from 0% to 100%", "Write one like 30%")
    site = store.site_to_change(settings)
    name = service_meant(site, name)
    if name != ALL:
        require_name(name)
    known = policy_of_service(site, name)
    before = known.spec if known is not None else SitePolicySpec(service=name)
    assert isinstance(before, SitePolicySpec), "the document of a policy"
    after = msgspec.structs.replace(before, takes=takes)
    if known is not None and after == SitePolicySpec(service=name):
        change = "updated" if site.delete_all([known]) else "unchanged"
    elif before == after:
        change = "unchanged"
    else:
        policy = Document("Policy", document_name(site, name, known), after)
        change = "unchanged" if set(site.put_all([policy])) == {"unchanged"} else "updated"
    already = " already" if change == "unchanged" else ""
    output.report(settings, "Policy", name, change, _said(site, name, takes, already))
    if name != ALL and takes < 1 and not is_declared(site, name):
        output.note(f"no site that is known here declares {name}: it counts once one does")
        if meant := nearest_service(site, name):
            undo = f"sitectl service drain {name} --to 100%"
            output.note(f"{meant[0].upper()}{meant[1:]} Then: {undo}")
    elif takes < 1 and not _has_targets(site, name):
        what = "any service" if name == ALL else name
        output.note(f"this site has no target of {what}: there is nothing to drain until it has")


def _has_targets(site: Site, name: str) -> bool:
    return any(
        name in (ALL, document.spec.service)
        for document in site.documents()
        if isinstance(document.spec, ConnectorSpec)
    )


def _said(site: Site, name: str, takes: float, already: str) -> str:
    """The site's share from now on; also names a smaller share that applies beside ``takes``."""
    taker = "this router" if site.peers() else "this site"
    specs = [document.spec for document in site.documents()]
    policies = {spec.service: spec for spec in specs if isinstance(spec, SitePolicySpec)}
    if name != ALL:
        held = share_of(name, policies)
        if held >= takes:
            return f"{taker} takes {_taken(takes)} of service {name}{already}"
        return (
            f"set to {takes * 100:g}%{already}; {taker} takes {_taken(held)} of service {name} "
            "while the whole site is drained: sitectl site drain --to 100%"
        )
    text = f"{taker} takes {_taken(takes)} of {'every' if takes else 'any'} service{already}"
    lower = [one for one in sorted(policies) if one != ALL and policies[one].takes < takes]
    if not lower:
        return text
    named = lower if len(lower) <= _COMMANDS_MAX else ["NAME"]
    commands = "; ".join(f"sitectl service drain {one} --to 100%" for one in named)
    shares = ", ".join(f"{one} ({_taken(policies[one].takes)})" for one in lower)
    return f"{text} but {shares}: {commands}"


def _taken(share: float) -> str:
    return f"{share * 100:g}% of its capacity" if share else "nothing new"
