"""Notes on connections of services that were removed, or changed their protocol."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Final

from router.exchange.readings import Readings
from router.model.events import Note
from router.model.ids import ServiceKey, SiteId
from router.model.wording.plural import counted
from router.node.site_router import SiteRouter
from router.routing.table import RouteTable

SITES_NAMED: Final = 3


def notes(
    removed: Mapping[ServiceKey, Mapping[SiteId, int]],
    former: Mapping[ServiceKey, Mapping[str, int]],
    readings: Readings,
    own: SiteId,
    name_of: Callable[[SiteId], str],
    silent: Mapping[ServiceKey, Mapping[int, int]],
    away: Callable[[str], str] = lambda service: "",
) -> Iterator[Note]:
    """A note for each service port whose old connections go on: it is no longer known, or has
    another protocol. ``removed``: requests in flight of the first kind, by site; ``former``:
    clients of the second kind, by their protocol; ``silent``: requests of the first kind at workers
    that do not answer. ``away`` as in `not_reached`."""
    for key, open_now in sorted(removed.items()):
        yield _note(
            sentence(key, open_now, own, name_of, silent.get(key, {}), away(key.name)),
            "They go on until either side closes them. A service of that name that is made again "
            "counts them.",
        )
    for key, count in sorted(former.items()):
        config = readings.config_of(key)
        if config is not None:
            yield _note(
                changed_sentence(key, config.protocol, count),
                "They go on until either side closes them. To end them sooner: sitectl stop, "
                "then sitectl start",
            )


def still_removed(router: SiteRouter, name: str, silent: Sequence[int]) -> str:
    """Why a service that was removed here is still declared, while workers are ``silent``; empty:
    it is not."""
    wanted, one = router.wanted, router.routing.table.declarations.get(name)
    if not silent or wanted is None or one is None or name in wanted.services:
        return ""
    return still_declared(name, silent) if one.site == router.identity.site else ""


def still_declared(name: str, silent: Sequence[int]) -> str:
    """The sentence for a service that this site removed while workers are ``silent``: the site
    declares it until they have confirmed that, or are ended."""
    workers = ", ".join(map(str, silent))
    which = f"worker {workers} has" if len(silent) == 1 else f"workers {workers} have"
    return (
        f"Service {name} was removed, but {which} not answered yet, so this site declares it still "
        "and its listeners stay."
    )


def notes_of_declared(sentences: Iterable[str]) -> Iterator[Note]:
    """A note for each sentence of `still_declared`."""
    for sentence in sentences:
        yield _note(
            sentence, "It ends when they answer, or by itself when they are ended for their silence"
        )


def not_reached(table: RouteTable, service: str) -> str:
    """The sites that declared ``service`` last, if none of them is in reach; empty: one is, or
    withdrew it when it was deleted."""
    owner = table.owners.get(service)
    sites = () if owner is None else owner.sites
    known = [table.sites[site] for site in sites if site in table.sites]
    if not sites or any(one.reachable for one in known) or table.deleted.intersection(sites):
        return ""
    return ", ".join(one.name for one in known) or "the site that declared it"


def _note(message: str, hint: str) -> Note:
    return Note(severity="warning", code="SW0332", message=message, hint=hint)


def changed_sentence(key: ServiceKey, now: str, before: Mapping[str, int]) -> str:
    """``Service db:5432 is http now, and 3 connections that began as tcp go on.``"""
    shown = ", ".join(
        f"{count} {'connection' if count == 1 else 'connections'} that began as {protocol}"
        for protocol, count in sorted(before.items())
    )
    go = "goes" if sum(before.values()) == 1 else "go"
    return f"Service {key} is {now} now, and {shown} {go} on."


def sentence(
    key: ServiceKey,
    open_now: Mapping[SiteId, int],
    own: SiteId,
    name_of: Callable[[SiteId], str],
    silent: Mapping[int, int],
    away: str = "",
) -> str:
    """``Service db:5432 was removed, and 3 connections … of it go on: 2 here, 1 at far.``

    ``silent``: requests in flight at workers that do not answer, by index. ``away``: the site that
    declared it, if that is out of reach: it has withdrawn nothing.
    """
    waits_for = "".join(
        f" Worker {index} does not answer: it had {count} under way by its last report."
        for index, count in sorted(silent.items())
    )
    total = sum(open_now.values())
    what = (
        "1 connection or request of it goes"
        if total == 1
        else (f"{total} connections or requests of it go")
    )
    order = sorted(open_now, key=lambda site: (site != own, -open_now[site], name_of(site)))
    shown = [
        f"{open_now[site]} {'here' if site == own else f'at {name_of(site)}'}"
        for site in order[:SITES_NAMED]
    ]
    rest = len(order) - SITES_NAMED
    more = f" and more at {counted(rest, 'other site')}" if rest > 0 else ""
    why = f"is not known here any more, as {away} is not reached" if away else "was removed"
    return f"Service {key} {why}, and {what} on: {', '.join(shown)}{more}.{waits_for}"
