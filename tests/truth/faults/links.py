"""Links and sites that go away. `near` has clients, `far` (cost 5) and `hub` (cost 9) a target."""

from tests.truth import fault
from tests.truth.fault import Fault, silent
from tests.truth.faults.targets import LINKS_ARE_UP, SERVES

_REACHED = "2 of 3 sites reachable"
_DOWN = "SW0675 Link far to far is down: …"

NEIGHBOR_GONE = Fault(
    name="the neighbor of a link is gone",
    clients="are served by another site",
    shown={
        fault.STATUS: f"degraded…{_REACHED}, 1 of 2 links up…{_DOWN}refused the connection",
        fault.STATUS_JSON: "ready: true, problems: SW0675, notes: none",
        fault.CHECK: f"WARNING  SW0675  {_DOWN[7:]}refused the connection",
        fault.TOP: f"1 problem  {_REACHED}  1 of 2 links up…LINK…far   far   down…refused the "
        "connection…far   -     no",
        fault.SERVICE: "1 at 1 site…far: unreachable, link far to far is down since … UTC",
        fault.WHY: "goes to hub…far…unreachable…link far to far is down since … UTC",
        fault.WHY_PAST: "ok 2xx   hub   …cheapest site with room",
        fault.LINKS: "far   far   outgoing   5     down…refused the connection",
        fault.NETWORK: "far…no …shop (as of … UTC)",
        fault.EVENTS: "link-down…The last link to far went down",
        fault.METRICS: 'spillway_link_up{direction="outgoing",link="far",neighbour="far"} 0.0…'
        "spillway_sites 2.0",
        fault.ALERTS: "SpillwayLinkDown, SpillwaySiteUnreachable",
        fault.OVERVIEW: f"shop spills to hub…{_DOWN}refused the connection",
        fault.TOPOLOGY: f"{_REACHED}…Not reachable: far…far…none…shop…as of …not reachable",
        fault.SERVICE_PAGE: "near has no target of its own: …/s go to hub (cost 9)…"
        "far…–…unreachable…link far to far is down since … UTC",
        fault.OBJECT_STATUS: "LinksUp: False (1 of 2 links up), NoProblems: False (1 problem)…"
        "SW0675 Link far to far is down: …Link far: down",
        fault.OBJECT_EVENTS: "Warning  LinkDown…The last link to far went down",
    },
    silent=SERVES,
    exits={fault.STATUS: 3, fault.STATUS_JSON: 3, fault.CHECK: 3},
    false=("all reachable", "No problems.", "2 links\n", "nobody else had room"),
)
INCOMING_GONE = Fault(
    name="a neighbor that links here is gone",
    clients="are served by another site",
    shown={
        **NEIGHBOR_GONE.shown,
        fault.STATUS: f"State:    ready\n…{_REACHED}, 1 of 2 links up…Note:     SW0676 Link far "
        "from far is down since … UTC: ",
        fault.STATUS_JSON: "ready: true, problems: none, notes: SW0676",
        fault.CHECK: "info     SW0676  Link far from far is down since … UTC: ",
        fault.TOP: f"near: ready  {_REACHED}  1 of 2 links up…LINK…far   far   down…far   -     no",
        fault.SERVICE: "1 at 1 site…far: unreachable, link far from far is down since … UTC",
        fault.WHY: "goes to hub…far…unreachable…link far from far is down since … UTC",
        fault.LINKS: "far   far   incoming   5     down…connection",
        fault.METRICS: 'spillway_link_up{direction="incoming",link="far",neighbour="far"} 0.0…'
        "spillway_sites 2.0",
        fault.ALERTS: "SpillwaySiteUnreachable",
        fault.OVERVIEW: "shop spills to hub…1 note",
        fault.SERVICE_PAGE: "near has no target of its own: …/s go to hub (cost 9)…"
        "far…–…unreachable…link far from far is down since … UTC",
        fault.OBJECT_STATUS: "LinksUp: True (1 of 2 links up; other sites dial the rest), "
        "NoProblems: True…Note: SW0676 Link far from far is down since … UTC…Link far: down",
    },
    silent=SERVES,
    false=("all reachable", "2 links\n", "nobody else had room"),
)
SITE_DELETED = Fault(
    name="a site behind another one was deleted",
    clients="are served by another site",
    shown={
        fault.TOP: "near: ready  3 sites  2 links…/s to hub",
        fault.SERVICE: "1 at 1 site",
        fault.WHY: "goes to hub",
        fault.WHY_PAST: "ok 2xx   hub   …cheapest site with room",
        fault.STATUS: "State:    ready\n…3 sites, 2 links, ",
        fault.STATUS_JSON: "ready: true, problems: none, notes: none",
        fault.EVENTS: "site-deleted…Site far was deleted.",
        fault.METRICS: "spillway_sites 3.0",
        fault.OVERVIEW: "shop spills to hub",
        fault.TOPOLOGY: "3 sites: all reachable…hub",
        fault.SERVICE_PAGE: "hub (cost 9)",
        fault.OBJECT_STATUS: "LinksUp: True (2 links up), NoProblems: True",
        fault.OBJECT_EVENTS: "Normal  SiteDeleted…Site far was deleted.",
    },
    silent=LINKS_ARE_UP | SERVES | silent("nothing is wrong", fault.CHECK, fault.ALERTS),
    exits={},
    false=("not reached", "not reachable", "sites reachable", "no path has led", "gone since"),
)
LINK_CUT = Fault(
    name="a link is cut, and its site is reached another way",
    clients="are served by the site that is the cheapest now, here `hub`",
    shown={
        fault.STATUS: f"degraded…3 sites, 1 of 2 links up…{_DOWN}",
        fault.STATUS_JSON: NEIGHBOR_GONE.shown[fault.STATUS_JSON],
        fault.CHECK: f"WARNING  SW0675  {_DOWN[7:]}",
        fault.TOP: "1 problem…1 of 2 links up…LINK…far   far   down…far   10    yes…hub",
        fault.WHY: "goes to hub (cheapest site with room)…far   hub > far  10",
        fault.WHY_PAST: "ok 2xx   hub   …cheapest site with room",
        fault.LINKS: "far   far   outgoing   5     down",
        fault.NETWORK: "far…yes…10…hub",
        fault.EVENTS: "link-down…The last link to far went down",
        fault.METRICS: 'spillway_link_up{direction="outgoing",link="far",neighbour="far"} 0.0…'
        "spillway_sites 3.0",
        fault.ALERTS: "SpillwayLinkDown",
        fault.OVERVIEW: f"shop spills to hub…{_DOWN}",
        fault.TOPOLOGY: "all reachable…far…hub → far…10",
        fault.SERVICE_PAGE: "near has no target of its own: …/s go to hub (cost 9)…hub > far",
        fault.OBJECT_STATUS: "LinksUp: False (1 of 2 links up), NoProblems: False (1 problem)…"
        "SW0675 Link far to far is down: …Link far: down",
        fault.OBJECT_EVENTS: "Warning  LinkDown…The last link to far went down",
    },
    silent=SERVES | silent("every site is reached", fault.SERVICE),
    exits=NEIGHBOR_GONE.exits,
    false=("No problems.", "2 links\n", "not reachable"),
)
SITE_EJECTED = Fault(
    name="another site takes requests and fails them",
    clients="lose single requests that may not be sent again; the rest another site serves",
    shown={
        fault.STATUS: "Note:     SW0334 rogue gets no requests for shop:…: ejected for …: a "
        "request was reset again.",
        fault.STATUS_JSON: "ready: true, problems: …, notes: SW0334",
        fault.CHECK: "WARNING  SW0334  rogue gets no requests for shop:…: ejected for",
        fault.TOP: "/s to far (no-target)",
        fault.SERVICE: "3 at 3 sites, rogue ejected",
        fault.WHY: "goes to far…rogue…ejected  ejected for …s left)…far…chosen",
        fault.WHY_PAST: "far   …passed over: rogue (ejected)",
        fault.EVENTS: "site-ejected          rogue gets no requests for shop:…: ejected for 2 s: 5 "
        "requests in a row were reset.",
        fault.METRICS: 'spillway_ejected{…site="rogue"} 1.0',
        fault.OVERVIEW: "shop…1 note",
        fault.TOPOLOGY: "far…/s…rogue…0/s",
        fault.SERVICE_PAGE: "near has no target of its own: …/s go to far (cost 5)…rogue ejected",
        fault.OBJECT_STATUS: "LinksUp: True (3 links up)…Note: SW0334 rogue gets no requests for "
        "shop:…: ejected for …: a request was reset again.",
        fault.OBJECT_EVENTS: "Warning  SiteEjected…rogue gets no requests for shop:…: ejected for",
    },
    silent=LINKS_ARE_UP
    | SERVES
    | silent("the share that fails is below that of `SpillwayFailing`", fault.ALERTS),
    exits={fault.CHECK: 3},
    false=("Every request is served",),
)
STOPS = Fault(
    name="this site stops, and requests under way end first",
    clients="under way are served; new connections are refused",
    shown={
        fault.STATUS: "State:    draining: it stops once requests have ended",
        fault.STATUS_JSON: "ready: false, problems: none, notes: none",
        fault.CHECK: "ERROR    SW0513  router draining: it stops once requests have ended",
        fault.TOP: "near: draining…far…draining",
        fault.SERVICE: "3 at 2 sites  2 ",
        fault.WHY: "goes nowhere (this router stops and takes nothing new)…draining…excluded",
        fault.WHY_PAST: "under-way  near  …local site has room",
        fault.LINKS: "far   far   outgoing   5     draining",
        fault.NETWORK: "near…yes: draining  0…far…yes  ",
        fault.TOPOLOGY: "near…this site",
        fault.EVENTS: "router-draining…The router was asked to stop, and drains.",
        fault.HEALTH: "not ready",
        fault.METRICS: 'spillway_in_flight{…site="near"} 2.0…spillway_link_up{…link="far"…} 0.0',
        fault.OVERVIEW: "near is stopping.",
        fault.SERVICE_PAGE: "This router stops and takes nothing new.…Nowhere: this router "
        "stops and takes nothing new.",
        fault.OBJECT_STATUS: "Ready: False (it stops once requests have ended)",
        fault.OBJECT_EVENTS: "Normal  RouterDraining…The router was asked to stop, and drains.",
    },
    silent=silent("it is over after `drainGrace`, sooner than an alert waits", fault.ALERTS),
    exits={fault.STATUS: 3, fault.STATUS_JSON: 3, fault.CHECK: 1, fault.HEALTH: 1},
    false=("State:    ready", "No requests at the moment", "goes to near"),
)
OTHER_STOPS = Fault(
    name="another site stops, and requests under way end first",
    clients="are served by the sites that stay",
    shown={
        fault.TOP: "near: ready  3 sites  1 of 2 links up…/s to hub…far   far   draining",
        fault.CHECK: "WARNING  SW0515  link far is draining",
        fault.WHY: "goes to hub…far…draining  it is draining and takes nothing new",
        fault.WHY_PAST: "hub   …passed over: far (draining)",
        fault.LINKS: "far   far   outgoing   5     draining",
        fault.NETWORK: "far   …yes: draining",
        fault.TOPOLOGY: "far…draining",
        fault.STATUS: "State:    ready\n…1 of 2 links up",
        fault.STATUS_JSON: "ready: true, problems: none, notes: none",
        fault.EVENTS: "link-draining…The last link to far drains.",
        fault.METRICS: 'spillway_link_up{…link="far"…} 0.0',
        fault.OVERVIEW: "shop spills to hub.…far…draining",
        fault.SERVICE_PAGE: "hub (cost 9)…far draining",
        fault.OBJECT_STATUS: "Ready: True, LinksUp: False (1 of 2 links up), NoProblems: True…"
        "Link far: draining",
        fault.OBJECT_EVENTS: "Normal  LinkDraining…The last link to far drains.",
    },
    silent=SERVES
    | silent("its targets are ready until it has stopped", fault.SERVICE)
    | silent("it is over after `drainGrace`, sooner than an alert waits", fault.ALERTS),
    exits={fault.CHECK: 3},
    false=("2 links\n", "Every request is served"),
)
FAULTS = (NEIGHBOR_GONE, INCOMING_GONE, SITE_DELETED, LINK_CUT, SITE_EJECTED, STOPS, OTHER_STOPS)
