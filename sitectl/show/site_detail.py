"""The output of `network status SITE`: one whole site, from its own report."""

import time
import urllib.parse
from typing import Any

from router.model.wording.network_words import state_word
from sitectl.base import output
from sitectl.base.failure import Exit, Failure, not_found
from sitectl.show import ages
from sitectl.show.service_status import capacity_text
from sitectl.site.site import Site


def site_detail(site: Site, name: str) -> dict[str, Any]:
    """The site of that name or id, asked now. Failure: there is none."""
    try:
        found: dict[str, Any] = site.admin.get(f"/api/v1/sites/{urllib.parse.quote(name, safe='')}")
    except Failure as failure:
        if failure.exit_code is Exit.NOT_FOUND:
            raise site_not_answered(site, name, failure) from None
        raise
    return found


def site_not_answered(site: Site, name: str, refusal: Failure) -> Failure:
    """Why the router finds nothing for a question about a site.

    ``refusal`` where it knows the site: a router of another release does not know the question.
    """
    sites: list[dict[str, Any]] = site.admin.get("/api/v1/network")
    is_known = any(name in (one["name"], one["id"]) for one in sites)
    return refusal if is_known else no_site(name, sites)


def no_site(name: str, sites: list[dict[str, Any]]) -> Failure:
    """None of ``sites``, which the router knows, is meant by ``name``; or several are."""
    same = sorted(str(one["name"]) for one in sites if str(one["name"]).startswith(f"{name}@"))
    if len(same) < 2:
        return not_found(f"no site {name!r} in the network", "sitectl network status")
    return not_found(
        f"{len(same)} sites are named {name!r}: {', '.join(same)}",
        f"Say which one: {same[0]}, or its whole ID (sitectl network status -o json)",
    )


def detail_text(item: dict[str, Any]) -> str:
    """Human-readable."""
    name = output.safe(item["name"])
    cost = item["path_cost"]
    place = "this site" if item["local"] else f"at cost {cost}"
    if not item["reachable"]:
        place = "out of reach"
    head = f"Site:     {name} ({output.safe(item['id'])}), {place}"
    if not item["told"]:
        return f"{head}\n{name} tells nothing: {output.safe(item['error'])}."
    state = "ready" if item["ready"] else "not ready"
    state += ", degraded" if item["problems"] else ""
    lines = [
        head,
        f"State:    {state}, up {ages.age(float(item['uptime_s'] or 0))}",
        f"Mode:     {output.safe(item['mode'])}, version {output.safe(item['version'])}",
    ]
    if (item["replicas"] or 1) > 1:
        lines.append(
            f"Routers:  {item['replicas']}; one of them answered: these are its own figures"
        )
    for problem in item["problems"]:
        said = output.safe(problem["message"]) or "about something that is not for this site"
        lines.append(f"Problem:  {output.safe(problem['code'])} {said}")
    parts = ["\n".join(lines), _links(item["links"])]
    if item["services"]:
        parts += [_services(item["name"], item["services"]), _targets(item["services"])]
    else:
        parts.append("No services that this site may know of.")
    left_out = item["services_left_out"]
    if left_out:
        parts.append(f"{output.count(left_out, 'more service')} found no room.")
    return "\n\n".join(part for part in parts if part)


def _links(links: list[dict[str, Any]]) -> str:
    if not links:
        return ""
    return output.rows(
        ("LINK TO", "DIRECTION", "COST", "STATE", "RTT", "STREAMS", "CERTIFICATE ENDS"),
        [
            (
                link["neighbour"]["name"],
                link["direction"],
                link["cost"],
                state_word(link),
                output.round_trip(link["rtt_ms"]),
                link["streams"],
                link["certificate_expires"],
            )
            for link in links
        ],
    )


def _services(name: str, services: list[dict[str, Any]]) -> str:
    """Of the site ``name``."""
    return output.rows(
        (
            *("SERVICE", "PORT", "POLICY", "IN FLIGHT", "CAPACITY", "QUEUED", "REQUESTS"),
            *("SPILLED", "SERVED BY"),
        ),
        [
            (
                service["name"],
                service["port"],
                service["policy"],
                service["in_flight"],
                _capacity(service),
                service["queued"],
                service["requests_total"],
                sum(one["requests"] for one in service["served"] if one["site"] not in ("", name)),
                [f"{one['site'] or 'nobody'} {one['requests']}" for one in service["served"]],
            )
            for service in services
        ],
    )


def _capacity(service: dict[str, Any]) -> str | None:
    if service["rate_per_s"] is not None:
        return f"{service['rate_per_s']:g}/s"
    return None if service["capacity"] is None else str(service["capacity"])


def _targets(services: list[dict[str, Any]]) -> str:
    targets = [(service, target) for service in services for target in service["targets"]]
    if not targets:
        return ""
    now = time.time()
    return output.rows(
        ("SERVICE", "TARGET", "PORT", "READY", "IN FLIGHT", "CAPACITY", "REQUESTS", "FOR", "ERROR"),
        [
            (
                service["name"],
                target["name"],
                target["port"],
                target["ready"],
                target["in_flight"],
                capacity_text(target),
                target["requests_total"],
                ages.since(target["since"], now),
                target["error"],
            )
            for service, target in targets
        ],
    )
