"""Two claim one thing: a port, an identity, a name. `near` is the site that is looked at."""

from tests.truth import fault
from tests.truth.fault import Fault, silent
from tests.truth.faults.targets import LINKS_ARE_UP, SERVES

EXITS = {fault.STATUS: 3, fault.STATUS_JSON: 3, fault.CHECK: 3}
NO_EVENT = silent(
    "`status` names it while it lasts; no event tells of it", fault.EVENTS, fault.OBJECT_EVENTS
)
NO_REQUEST = silent("no request comes", fault.WHY_PAST)


def named(code: str) -> dict[str, str]:
    """The series of a problem that has no other, and its alert."""
    return {
        fault.METRICS: f'spillway_problems{{code="{code}"}} 1.0',
        fault.ALERTS: "SpillwayProblem",
    }


PORT_TAKEN = Fault(
    name="another process has the port of a listener",
    clients="of this site are refused, or reach that process",
    shown={
        **named("SW0202"),
        fault.STATUS: "degraded…SW0202 Service shop:… has no listener here: cannot listen on …: "
        "Address already in use",
        fault.STATUS_JSON: "ready: true, problems: SW0202, notes: none",
        fault.CHECK: "WARNING  SW0202  Service shop:… has no listener here: cannot listen on …: "
        "Address already in use",
        fault.TOP: "near: ready, 1 problem",
        fault.SERVICE: "error (cannot listen on …: Address already in use)",
        fault.EVENTS: "listener-failed…Service shop:… has no listener here: cannot listen on",
        fault.WHY: "No client can connect here. Service shop:… has no listener here: "
        "cannot listen on …: Address already in use…If one could: shop:",
        fault.OVERVIEW: "Clients cannot connect to shop.…shop has no listener here: cannot listen "
        "on …SW0202 Service shop:… has no listener here",
        fault.SERVICE_PAGE: "Clients cannot connect here: cannot listen on…No client can connect "
        "here. If one could:",
    },
    silent=LINKS_ARE_UP
    | SERVES
    | NO_REQUEST
    | silent("only the router listens in the network of its pod", *fault.OBJECTS)
    | silent("no request goes to another site", fault.TOPOLOGY),
    exits=EXITS,
    false=("No problems.", "Every request is served"),
)
COPY = Fault(
    name="this site is a copy of one that runs",
    clients="of the copy are served by its own targets alone",
    shown={
        fault.STATUS: "degraded…0 of 1 link up…SW0401 far closed: another router with the identity "
        "of near is linked here from …is its copy and is kept out.",
        fault.STATUS_JSON: "ready: true, problems: SW0401, notes: none",
        fault.CHECK: "WARNING  SW0401  far closed: another router with the identity of near",
        fault.TOP: "near: ready, 1 problem  1 site  0 of 1 link up…far   far   refused",
        fault.SERVICE: "2 at 1 site",
        fault.WHY: "goes to near",
        fault.LINKS: "far   far   outgoing   5     refused…another router with the identity of",
        fault.NETWORK: "near",
        fault.EVENTS: "link-refused…another router with the identity of near",
        fault.METRICS: 'spillway_link_up{direction="outgoing",link="far",neighbour="far"} 0.0…'
        "spillway_sites 1.0",
        fault.ALERTS: "SpillwayLinkDown",
        fault.OVERVIEW: "SW0401 far closed: another router with the identity of near",
        fault.TOPOLOGY: "Not in the network: far…far…none…not in the network",
        fault.SERVICE_PAGE: "To near: local site has room.",
        fault.OBJECT_STATUS: "LinksUp: False (0 of 1 link up), NoProblems: False (1 problem)…"
        "SW0401 far closed: another router with the identity of near is linked here from …is its "
        "copy and is kept out.",
        fault.OBJECT_EVENTS: "Warning  LinkRefused…another router with the identity of near",
    },
    silent=SERVES | NO_REQUEST,
    exits=EXITS,
    false=("all reachable", "No problems.", "SW0404"),
)
COPY_KEPT_OUT = Fault(
    name="a neighbor runs twice",
    clients="are served as before: the copy is kept out",
    shown={
        **named("SW0665"),
        fault.STATUS: "degraded…SW0665 Two routers run with the identity of near (…): one is "
        "linked here from …; the other, …is its copy and is kept out.",
        fault.STATUS_JSON: "ready: true, problems: SW0665, notes: none",
        fault.CHECK: "WARNING  SW0665  Two routers run with the identity of near",
        fault.TOP: "hub: ready, 1 problem  3 sites  1 link ",
        fault.EVENTS: "link-refused…near tried to link here: another router with the identity of "
        "near is linked here",
        fault.OVERVIEW: "SW0665 Two routers run with the identity of near",
        fault.OBJECT_STATUS: "NoProblems: False (1 problem)…SW0665 Two routers run with the "
        "identity of near",
        fault.OBJECT_EVENTS: "Warning  LinkRefused…near tried to link here: another router with "
        "the identity of near is linked here",
    },
    silent=LINKS_ARE_UP
    | SERVES
    | silent("the copy is kept out, so all is as it was", fault.SERVICE, fault.WHY, fault.WHY_PAST)
    | silent("the copy is kept out, so all is as it was", fault.TOPOLOGY, fault.SERVICE_PAGE),
    exits=EXITS,
    false=("No problems.",),
)
SITE_NAME = Fault(
    name="two sites bear one name",
    clients="are served as before",
    shown={
        fault.STATUS: "degraded…SW0403 Two sites are named far; they are shown with the begin of "
        "their ids.",
        fault.STATUS_JSON: "ready: true, problems: SW0403, notes: none",
        fault.CHECK: "WARNING  SW0403  Two sites are named far",
        fault.TOP: "1 problem…LINK…far    far@…other  far@…SITE…far@…far@",
        fault.WHY: "far@",
        fault.LINKS: "far    far@…other  far@",
        fault.NETWORK: "far@…far@",
        fault.METRICS: 'site="far@…neighbour="far@…spillway_problems{code="SW0403"} 1.0',
        fault.ALERTS: "SpillwayProblem",
        fault.OVERVIEW: "SW0403 Two sites are named far",
        fault.TOPOLOGY: "far@…far@",
        fault.SERVICE_PAGE: "far@",
        fault.OBJECT_STATUS: "NoProblems: False (1 problem)…SW0403 Two sites are named far",
    },
    silent=SERVES | NO_EVENT | NO_REQUEST | silent("it counts sites", fault.SERVICE),
    exits=EXITS,
    false=("No problems.", "far    far  ", 'neighbour="far"'),
)
DECLARED_TWICE = Fault(
    name="two sites declare one service differently",
    clients="are served by each site's own declaration",
    shown={
        **named("SW0304"),
        fault.STATUS: "degraded…SW0304 Service shop is declared differently by far; this site uses "
        "its own (http, port …, policy fill).",
        fault.STATUS_JSON: "ready: true, problems: SW0304, notes: none",
        fault.CHECK: "WARNING  SW0304  Service shop is declared differently by far",
        fault.TOP: "near: ready, 1 problem",
        fault.SERVICE: "shop     …fill",
        fault.WHY: "(fill)",
        fault.OVERVIEW: "SW0304 Service shop is declared differently by far",
        fault.SERVICE_PAGE: "http, policy fill",
        fault.OBJECT_STATUS: "NoProblems: False (1 problem)…SW0304 Service shop is declared "
        "differently by far",
    },
    silent=LINKS_ARE_UP
    | SERVES
    | NO_EVENT
    | NO_REQUEST
    | silent("no site or link is concerned", fault.TOPOLOGY),
    exits=EXITS,
    false=("No problems.", "balanced)"),
)
_RULE = (
    "Service shop has no listener here, so clients are refused: importFrom of near does not name "
    "hub, which declares shop."
)
_LET_IN = (
    "Let hub in: sitectl --site near service set shop --import-from far,hub. If no client here "
    "should reach it: sitectl --site near service set shop --import-from none"
)
CLOSED_BY_RULE = Fault(
    name="an import rule names no site that declares the service",
    clients="of this site are refused by the kernel",
    shown={
        **named("SW0343"),
        fault.STATUS: f"degraded…SW0343 {_RULE}…{_LET_IN}",
        fault.STATUS_JSON: "ready: true, problems: SW0343, notes: none",
        fault.CHECK: f"WARNING  SW0343  {_RULE}",
        fault.TOP: "near: ready, 1 problem",
        fault.SERVICE: f"{_RULE}…{_LET_IN}",
        fault.WHY: f"{_RULE}…{_LET_IN}",
        fault.WHY_PAST: f"{_RULE}…{_LET_IN}",
        fault.EVENTS: f"declaration-refused…{_RULE}",
        fault.OVERVIEW: f"No service is open here.…{_RULE}…SW0343 {_RULE}",
        fault.SERVICE_PAGE: f"No service shop is known here.…{_RULE}…Let hub in",
        fault.OBJECT_STATUS: f"NoProblems: False (1 problem)…SW0343 {_RULE}",
        fault.OBJECT_EVENTS: f"Warning  DeclarationRefused…{_RULE}",
    },
    silent=LINKS_ARE_UP | SERVES | silent("no request goes anywhere", fault.TOPOLOGY),
    exits={**EXITS, fault.WHY: 4, fault.WHY_PAST: 4},
    false=("No problems.", "sitectl service create"),
)
_UNKNOWN = "No site declares the service shop. far, which declared it last, is not reached."
_GONE = f"Connector shop-0: n{_UNKNOWN[1:]}"
_BACK = "The service is back once far is. See: sitectl --site near link status"
DECLARER_GONE = Fault(
    name="the site that declares a service is gone",
    clients="of this site are refused by the kernel, also where it has targets",
    shown={
        **named("SW0301"),
        fault.STATUS: f"degraded…0 of 1 link up…SW0301 {_GONE}…{_BACK}",
        fault.STATUS_JSON: "ready: true, problems: SW0301, SW0675, notes: none",
        fault.CHECK: f"WARNING  SW0301  {_GONE}",
        fault.TOP: f"near: ready, 2 problems…{_GONE}…No services.",
        fault.SERVICE: f"No services.…{_GONE}…{_BACK}",
        fault.WHY: f"{_UNKNOWN}…{_BACK}",
        fault.WHY_PAST: f"{_UNKNOWN}…{_BACK}",
        fault.LINKS: "far   far   outgoing",
        fault.NETWORK: "far…no",
        fault.EVENTS: "service-gone…shop",
        fault.ALERTS: "SpillwayLinkDown, SpillwayProblem, SpillwaySiteUnreachable",
        fault.OVERVIEW: f"No service is open here.…{_GONE}",
        fault.TOPOLOGY: "Not reachable: far",
        fault.SERVICE_PAGE: f"No service shop is known here.…{_GONE}…{_BACK}",
    },
    silent=silent("a router serves", fault.HEALTH)
    | silent("tried on a host, where its services may go soon", *fault.OBJECTS),
    exits={**EXITS, fault.WHY: 4, fault.WHY_PAST: 4},
    false=("No problems.", "sitectl service create"),
)
FAULTS = (PORT_TAKEN, COPY, COPY_KEPT_OUT, SITE_NAME, DECLARED_TWICE, CLOSED_BY_RULE, DECLARER_GONE)
