"""The files of a link at its dialer, and revoking access to a site."""

from typing import TYPE_CHECKING, Any

from router.model.specs import Document, LinkSpec
from router.model.wording.network_words import other_proxy
from sitectl.base import output
from sitectl.base.failure import Exit, Failure, conflict, not_found, timed_out
from sitectl.flags.sites.proxy import ProxyWish, keep_link_login
from sitectl.runtimes import presence
from sitectl.site.ports import LinkTokens
from sitectl.site.site import Site

if TYPE_CHECKING:
    from certs.token_files.tokens import Token


def keep_link(
    site: Site, token: "Token", name: str | None, cost: int | None, proxy: ProxyWish | None = None
) -> tuple[str, str]:
    """The link's name and what became of it: token and document are written, or neither."""
    from sitectl.flags.services.names import require_name

    links = site.links
    chosen = name or _holder_of(links, token) or _free_name(site, links)
    require_name(chosen, "link")
    existing = site.find("Link", chosen)
    # An existing link keeps the settings that no flag names.
    known = existing.spec if existing is not None else LinkSpec()
    assert isinstance(known, LinkSpec)
    spec = LinkSpec(
        cost=known.cost if cost is None else cost,
        disabled=known.disabled if cost is None and proxy is None else False,
        proxy=known.proxy if proxy is None else proxy.said,
    )
    if links.exists(chosen) and not links.holds(chosen, token):
        raise conflict(
            f"link {chosen!r} exists with another token",
            f"sitectl link delete {chosen}, or choose another --name",
        )
    # Before the document: the router dials as soon as it sees it.
    added = links.add(chosen, token, spec.proxy)
    try:
        if proxy is not None:
            site.judge_all([Document("Link", chosen, spec)], replace=False)
            keep_link_login(site, chosen, proxy)
        change = site.put(Document("Link", chosen, spec), replace=False)
    except Failure:
        if added:
            links.remove(chosen)
        raise
    if added and change == "unchanged":
        change = "created"
        site.reload()
    return chosen, change


def _holder_of(links: LinkTokens, token: "Token") -> str | None:
    """The link that this very token made already."""
    return next((name for name in links.names() if links.holds(name, token)), None)


def _free_name(site: Site, links: LinkTokens) -> str:
    taken = {d.name for d in site.documents() if d.kind == "Link"} | set(links.names())
    number = 1
    while f"link{number}" in taken:
        number += 1
    return f"link{number}"


def wait_until_up(site: Site, name: str | None, wait_s: float, *, silent_too: bool = False) -> None:
    """Return when the link, or every link, is up. Failure: refused (1), out of time (6).

    Does not wait for a draining predecessor of a link that is up again: that may last for days. In
    a namespace, and elsewhere if ``silent_too``, waits for a router that does not answer yet.
    """
    last: list[dict[str, Any]] = []
    others: list[str] = []
    silence: list[Failure] = []

    def settled() -> bool:
        silence.clear()
        try:
            items = site.admin.get("/api/v1/links")
        except Failure as failure:
            is_waited_for = silent_too or site.has_workloads  # Its pod may be starting.
            if failure.exit_code is not Exit.UNREACHABLE or not is_waited_for:
                raise
            silence.append(failure)
            return False
        others[:] = [item["name"] for item in items]
        last[:] = [
            item for item in items if name in (None, item["name"]) and not item.get("succeeded")
        ]
        for item in last:
            if item["state"] == "refused":
                raise _refused(item)
        return bool(last) and all(item["state"] == "up" for item in last)

    if not presence.wait_until(settled, wait_s, site.poll_s):
        if silence:
            silence[0].exit_code = Exit.TIMED_OUT
            raise silence[0]
        waiting = [item for item in last if item["state"] != "up"]
        what = ", ".join(f"link {item['name']} is {item['state']}" for item in waiting)
        errors = "; ".join(str(item["error"]) for item in waiting if item.get("error"))
        if not last:
            there = f"; there is: {', '.join(others)}" if others else ""
            what = f"no link {name!r} yet{there}," if name else "no link yet"
        raise timed_out(
            f"{what} after {wait_s:g} s" + (f": {errors}" if errors else ""),
            f"sitectl link status{f' {name}' if name and last else ''}",
        )


def _refused(item: dict[str, Any]) -> Failure:
    hint = f"sitectl link delete {item['name']}, then link with a new token"
    if item.get("error_code") == "clock":
        hint = "Set the clock right; the link then comes up by itself"
    elif item.get("error_code") == "copy":
        hint = "Stop one of the two; the other is let in then, or when it is started again"
    elif item.get("error_code") == "expired":
        hint = f"When the clocks agree: sitectl link renew {item['name']}"
    elif item.get("error_code") == "proxy":
        hint = other_proxy(item["name"])
    elif item.get("error_code") == "token":
        hint = ""  # The error ends with it.
    return Failure(
        Exit.FAILED,
        "link-refused",
        f"link {item['name']} was refused: {item.get('error') or 'no reason given'}",
        hint,
    )


def incoming_link(site: Site, name: str) -> dict[str, Any] | None:
    """The incoming link of that name, from the router; None: no such link, or no router runs."""
    items = site.told("/api/v1/links") or []
    incoming = (item for item in items if item.get("direction") == "incoming")
    return next((item for item in incoming if item["name"] == name), None)


def link_to(site: Site, neighbor: str) -> str | None:
    """The one link dialed here that leads to the site ``neighbor``; None: none does, or more."""
    links = site.links
    leading = [one for one in links.names() if links.token(one).site_name == neighbor]
    return leading[0] if len(leading) == 1 else None


def no_link(site: Site, name: str, leading: str | None, words: str, routers: int = 0) -> Failure:
    """Nothing here is called ``name``. ``leading``: the link to the site of that name, if there is
    one, which ``words``, ``link set {} --cost 2``, are meant for. ``routers``: of the site, if
    several and only one of them was asked."""
    if leading is None and routers:
        return not_found(
            f"no link {name!r} at this router of {site.name}, one of {routers}",
            "Each shows its own links: sitectl link status in its pod, or on its host",
        )
    if leading is None:
        return not_found(f"no link {name!r} at {site.name}", "sitectl link status")
    return not_found(
        f"no link {name!r} at {site.name}, the one to site {name} is {leading!r}",
        f"sitectl {words.format(leading)}",
    )


def revoke_site(site: Site, site_id: str) -> None:
    """Add a site and the certificates issued to it to the revocation list; end its sessions.

    Claims that it redeemed and could redeem again are refused from now on.
    """
    granted = site.trust.granted()
    held = [grant for grant in granted if any(use.site_id == site_id for use in grant.redeemed)]
    serials = [use.serial for grant in held for use in grant.redeemed if use.site_id == site_id]
    reusable = [grant.name for grant in held if grant.uses_left and not grant.revoked]
    # A claim that this site alone used up is over too: its name no longer admits any site.
    ended = [
        grant.name
        for grant in held
        if grant.name not in reusable and all(use.site_id == site_id for use in grant.redeemed)
    ]
    known = [one for one in site.trust.admitted() if one.site_id == site_id]
    serials += [serial for one in known for serial in one.serials]
    site.trust.revoke([*reusable, *ended], serials, [site_id])
    for name in reusable:
        output.note(f"token {name} could be used again: it is revoked too")
    site.end_sessions(site_id)
