"""A site, or each of them, takes no more. `near` has two targets and the clients, `far` one."""

from tests.truth import fault
from tests.truth.fault import Fault, silent
from tests.truth.faults.targets import LINKS_ARE_UP, SERVES

NO_STATE = silent("no state changes", fault.EVENTS, fault.OBJECT_EVENTS)
NOT_OF_THEM = "what it shows is of requests that are not sheddable"
SPILL_IS_WELL = "a full site spills: that is what a router is for"

FULL = Fault(
    name="this site is full, another site serves the rest",
    clients="are served, some by the other site",
    shown={
        fault.TOP: "near: ready  …of 2 …/s to far (full)",
        fault.WHY: "goes to far…near…full…far…chosen",
        fault.WHY_PAST: "far   …passed over: near (full)",
        fault.EVENTS: "overflow-begun…Service shop:… overflows: …capacity 2; …to far.",
        fault.METRICS: 'spillway_overflow_total{…reason="full"…to="far"}…'
        'spillway_spilled_total{…reason="full"…to="far"}',
        fault.ALERTS: "SpillwayOverflowSustained",
        fault.OVERVIEW: "shop spills to far.…leave near because it has no room.",
        fault.TOPOLOGY: "far…/s…reachable",
        fault.SERVICE_PAGE: "of 2 slots of near are busy…/s go to far (cost 5)",
        fault.OBJECT_EVENTS: "Normal  OverflowBegun…Service shop:… overflows: …capacity 2; …to "
        "far.",
    },
    silent=LINKS_ARE_UP
    | SERVES
    | silent(SPILL_IS_WELL, fault.STATUS, fault.STATUS_JSON, fault.CHECK, fault.SERVICE)
    | silent(SPILL_IS_WELL, fault.OBJECT_STATUS),
    false=("degraded", "Every request is served", "WARNING"),
)
FULL_ELSEWHERE = Fault(
    name="the nearest site with targets is full, and another site serves the rest",
    clients="are served, some by the other site",
    shown={
        fault.TOP: "near: ready  …no target…/s to …(no-target)",
        fault.SERVICE: "2 at 2 sites",
        fault.WHY: "goes to hub…far…full…hub…chosen",
        fault.WHY_PAST: "hub   …passed over: far (full)",
        # With its figures, if it still is when the event is made.
        fault.EVENTS: "overflow-begun…Service shop:… overflows: far …full…to hub.",
        fault.METRICS: 'spillway_overflow_total{…reason="full"…to="hub"}…'
        'spillway_spilled_total{…reason="no-target"…to="hub"}',
        fault.ALERTS: "SpillwayOverflowSustained",
        fault.OVERVIEW: "shop spills to far and hub.…leave near because it has no target of its "
        "own.",
        fault.TOPOLOGY: "hub…/s…reachable",
        fault.SERVICE_PAGE: "near has no target of its own: …/s go to far (cost 5), …/s to hub "
        "(cost 9)",
        fault.OBJECT_EVENTS: "Normal  OverflowBegun…Service shop:… overflows: far …full…to hub.",
    },
    silent=LINKS_ARE_UP
    | SERVES
    | silent(SPILL_IS_WELL, fault.STATUS, fault.STATUS_JSON, fault.CHECK, fault.OBJECT_STATUS),
    false=("degraded", "Every request is served", "WARNING", "overflows: 0 in flight here"),
)
FULL_OF_CONNECTIONS = Fault(
    name="this site is full of TCP connections, others are open at another site",
    clients="stay connected, some to the other site",
    shown={
        fault.TOP: "near: ready  …of 2 …6 open at far (full)",
        fault.WHY: "goes to far…near…full…far…chosen",
        fault.WHY_PAST: "under-way  far   …passed over: near (full)",
        fault.SERVICE: "REQUESTS  SPILLED…shop…8         6",
        fault.EVENTS: "overflow-begun…Service shop:… overflows: 2 in flight here, capacity 2; "
        "…to far.",
        fault.METRICS: 'spillway_overflow_total{…reason="full"…to="far"} 6…'
        'spillway_spilled_total{…reason="full"…to="far"} 6…'
        'spillway_clients_in_flight{…site="near"} 2…'
        'spillway_clients_in_flight{…site="far"} 6',
        fault.OVERVIEW: "shop spills to far.…6 open connections left near because it had no "
        "room.…6 open",
        fault.TOPOLOGY: "far…6 open…reachable",
        fault.SERVICE_PAGE: "2 of 2 slots of near are busy: 6 open at far (cost 5)…Spilled…6 open",
        fault.OBJECT_EVENTS: "Normal  OverflowBegun…Service shop:… overflows: 2 in flight here, "
        "capacity 2; …to far.",
    },
    silent=LINKS_ARE_UP
    | SERVES
    | silent(SPILL_IS_WELL, fault.STATUS, fault.STATUS_JSON, fault.CHECK, fault.OBJECT_STATUS)
    | silent("no more connections leave", fault.ALERTS),
    false=("degraded", "Every request is served", "No requests at the moment", "WARNING"),
)
ALL_FULL = Fault(
    name="every site is full, and requests wait",
    clients="are served late",
    shown={
        fault.STATUS: "State:    ready\n…Note:     SW0339 Service shop:…: every site that may "
        "serve it is full: … wait.",
        fault.STATUS_JSON: "ready: true, problems: none, notes: SW0339",
        fault.CHECK: "WARNING  SW0339  Service shop:…: every site that may serve it is full",
        fault.TOP: "near: ready  …of 2 …wait",
        fault.SERVICE: "QUEUED",
        fault.WHY: "the next request waits (all-full)…Every site that may serve it is full. … at "
        "most 100 may: a request is refused if the queue is full, if as many wait as can be served "
        "within 30 s, or if no slot is free for it in that time.…near…full…far…full",
        fault.WHY_PAST: "under-way  …it waits: no site that is reached and may serve it has room",
        fault.EVENTS: "overflow-begun…Service shop:… overflows",
        fault.METRICS: 'spillway_decisions_total{…verdict="all-full"}…spillway_queue_length',
        fault.ALERTS: "SpillwayCapacityExhausted, SpillwayOverflowSustained",
        fault.OVERVIEW: "shop is full at every site that may serve it.…Requests wait for "
        "room here.",
        fault.TOPOLOGY: "far…/s…reachable",
        fault.SERVICE_PAGE: "of 2 slots of near are busy…It waits, at most 30 s (the "
        "queue holds 100): every site that may serve it is full.",
        fault.OBJECT_STATUS: "Ready: True, LinksUp: True (1 link up), NoProblems: True…Note: "
        "SW0339 Service shop:…: every site that may serve it is full: … wait",
        fault.OBJECT_EVENTS: "Normal  OverflowBegun…Service shop:… overflows",
    },
    silent=LINKS_ARE_UP | SERVES,
    exits={fault.CHECK: 3},
    false=("degraded", "Every request is served"),
)
TURNED_AWAY = Fault(
    name="every site is full, and so is the queue",
    clients="get 503 with Retry-After",
    shown={
        fault.STATUS: "degraded…SW0337 Service shop:…: every site that may serve it is full: "
        "…/s requests are turned away",
        fault.STATUS_JSON: "ready: true, problems: SW0337, notes: none",
        fault.CHECK: "WARNING  SW0337  Service shop:…: every site that may serve it is full: "
        "…/s requests are turned away",
        fault.TOP: "1 problem…of 2 …/s fail",
        fault.SERVICE: "DEMAND",
        fault.WHY: "the next request is refused (all-full)…Every site that may serve it is full, "
        "and so is the queue: 1 of 1 wait.…near…full…far…full",
        fault.WHY_PAST: "all-full  …no site that is reached and may serve it has room",
        fault.EVENTS: "refusing-begun…Service shop:… refuses requests: … found room at no site "
        "that is reached and may serve them; ",
        fault.METRICS: 'spillway_requests_total{code_class="5xx"…site=""}…'
        'spillway_decisions_total{…verdict="all-full"}',
        fault.ALERTS: "SpillwayCapacityExhausted, SpillwayFailing, SpillwayOverflowSustained, "
        "SpillwayRefusing",
        fault.OVERVIEW: "shop…/s fail…SW0337 Service shop:",
        fault.TOPOLOGY: "far…/s…reachable",
        fault.SERVICE_PAGE: "/s served nowhere…Failed…/s…Refused, the queue of 1 is full: "
        "every site that may serve it is full.",
        fault.OBJECT_STATUS: "NoProblems: False (1 problem)…SW0337 Service shop:…: every site "
        "that may serve it is full: …/s requests are turned away",
        fault.OBJECT_EVENTS: "Warning  RefusingBegun…Service shop:… refuses requests: … found "
        "room at no site that is reached and may serve them; ",
    },
    silent=LINKS_ARE_UP | SERVES,
    exits={fault.STATUS: 3, fault.STATUS_JSON: 3, fault.CHECK: 3},
    false=("Every request is served", "No problems."),
)
RULED_OUT = Fault(
    name="this site is full, and a rule leaves out the other site",
    clients="get 503 with Retry-After",
    shown={
        fault.STATUS: "degraded…SW0337 Service shop:…: every site that may serve it is full: …/s "
        "requests are turned away…. importFrom of near leaves out far (50 free).…Let far in: "
        "sitectl --site near service set shop --import-from far",
        fault.STATUS_JSON: "ready: true, problems: SW0337, notes: none",
        fault.CHECK: "WARNING  SW0337  Service shop:…: every site that may serve it is full: …/s "
        "requests are turned away…. importFrom of near leaves out far (50 free).",
        fault.TOP: "1 problem…of 2 …/s fail",
        fault.SERVICE: "Taken from no other site",
        fault.WHY: "the next request is refused (all-full)…Every site that may serve it is full, "
        "and so is the queue: 1 of 1 wait.…importFrom of near leaves out far (50 free).…Let far "
        "in: sitectl --site near service set shop --import-from far…near…full…far…excluded",
        fault.WHY_PAST: "all-full  …no site that is reached and may serve it has room",
        fault.EVENTS: "refusing-begun…Service shop:… refuses requests: … found room at no site "
        "that is reached and may serve them; …. importFrom of near leaves out far (50 free).",
        fault.METRICS: 'spillway_requests_total{code_class="5xx"…site=""}…'
        'spillway_decisions_total{…verdict="all-full"}…spillway_left_out{…site="far"} 1.0',
        fault.ALERTS: "SpillwayCapacityExhausted, SpillwayFailing, SpillwayRefusing",
        fault.OVERVIEW: "shop is full at every site that may serve it.…/s fail at shop. importFrom "
        "of near leaves out far (50 free).…SW0337 Service shop:",
        fault.SERVICE_PAGE: "/s served nowhere…Failed…/s…Refused, the queue of 1 is full: "
        "every site that may serve it is full.…importFrom of near leaves out far (50 free). Let "
        "far in: sitectl --site near service set shop --import-from far",
        fault.OBJECT_STATUS: "NoProblems: False (1 problem)…SW0337 Service shop:…: every site "
        "that may serve it is full: …/s requests are turned away…. importFrom of near leaves out "
        "far (50 free).",
        fault.OBJECT_EVENTS: "Warning  RefusingBegun…Service shop:… refuses requests: … found "
        "room at no site that is reached and may serve them; …. importFrom of near "
        "leaves out far (50 free).",
    },
    silent=LINKS_ARE_UP | SERVES | silent("no request goes to the other site", fault.TOPOLOGY),
    exits={fault.STATUS: 3, fault.STATUS_JSON: 3, fault.CHECK: 3},
    false=("Every request is served", "No problems.", "very site is full", "full at every site."),
)
NO_CAPACITY = Fault(
    name="no capacity is configured",
    clients="are served by both sites, by load and distance",
    shown={
        fault.STATUS: "State:    ready\n…Note:     SW0331 Service shop has no configured capacity "
        "here, so this site is never full: requests spread over it and far "
        "by load and path cost.",
        fault.STATUS_JSON: "ready: true, problems: none, notes: SW0331",
        fault.CHECK: "info     SW0331  Service shop has no configured capacity here",
        fault.TOP: "near: ready  …in flight…/s to far (higher-level)",
        fault.WHY: "LEVEL…near…level",
        fault.WHY_PAST: "far   …passed over: near (higher-level)",
        fault.EVENTS: "overflow-begun…in flight here when looked at, no capacity configured",
        fault.METRICS: 'spillway_spilled_total{…reason="higher-level"…to="far"}',
        fault.ALERTS: "SpillwayOverflowSustained",
        fault.OVERVIEW: "shop spills to far.…leave near because it has more in flight for each "
        "target than other sites.…no limit",
        fault.TOPOLOGY: "far…/s…reachable",
        fault.SERVICE_PAGE: "near has no configured capacity and was at a higher level than other "
        "sites…/s go to far (cost 5)",
        fault.OBJECT_STATUS: "Ready: True, LinksUp: True (1 link up), NoProblems: True…Note: "
        "SW0331 Service shop has no configured capacity here",
        fault.OBJECT_EVENTS: "Normal  OverflowBegun…in flight here when looked at, no capacity "
        "configured",
    },
    silent=LINKS_ARE_UP | SERVES | silent("its figures are right as they are", fault.SERVICE),
    false=("degraded", "it has no room", 'reason="full"'),
)
OVER_RATE = Fault(
    name="the rate of this site is exceeded",
    clients="are served, the excess by the other site",
    shown={
        fault.TOP: "near: ready  …of 5/s…/s to far (rate)",
        fault.WHY: "goes to far…near…5/s, over…its rate of 5/s is used up",
        fault.WHY_PAST: "far   …passed over: near (rate)",
        fault.EVENTS: "overflow-begun…Service shop:… overflows",
        fault.METRICS: 'spillway_spilled_total{…reason="rate"…to="far"}…'
        'spillway_rate_per_second{…} 5.0…spillway_rate_exceeded{…site="near"} 1.0',
        fault.ALERTS: "SpillwayOverflowSustained",
        fault.OVERVIEW: "shop spills to far.…leave near because its rate is used up.",
        fault.TOPOLOGY: "far…/s…reachable",
        fault.SERVICE_PAGE: "the rate of near, 5/s, …used up…/s go to far (cost 5)",
        fault.OBJECT_EVENTS: "Normal  OverflowBegun…Service shop:… overflows…The rate is used up "
        "at near (5/s).",
    },
    silent=FULL.silent,
    false=FULL.false,
)
DRAINED = Fault(
    name="this site is drained by an operator",
    clients="are served by the other site",
    shown={
        fault.STATUS: "State:    ready\n…Note:     SW0353 Service shop: this site takes nothing "
        "new of it.…Next: …site drain --to 100%",
        fault.STATUS_JSON: "ready: true, problems: none, notes: SW0353",
        fault.CHECK: "info     SW0353  Service shop: this site takes nothing new of it.…"
        "1 target ready, 0 of 2 here",
        fault.TOP: "near: ready  …drained…/s to far (drained)",
        fault.SERVICE: "1 at 1 site, 0 of 2 here…Drained: takes nothing new",
        fault.WHY: "goes to far…near…draining…it is drained and takes nothing new of this service"
        "…far…chosen",
        fault.WHY_PAST: "far   …passed over: near (draining)",
        fault.EVENTS: "takes nothing new: its service is drained here",
        fault.METRICS: 'spillway_spilled_total{…reason="drained"…to="far"}…'
        'spillway_local_targets{…state="drained"} 2.0',
        fault.OVERVIEW: "shop spills to far.…leave near because it is drained.…drained",
        fault.TOPOLOGY: "far…/s…reachable",
        fault.SERVICE_PAGE: "near is drained: …/s go to far (cost 5)…drained",
        fault.OBJECT_STATUS: "Ready: True…NoProblems: True…Note: SW0353 Service shop: this site "
        "takes nothing new of it.",
    },
    silent=LINKS_ARE_UP
    | SERVES
    | silent("an operator wanted it so", fault.ALERTS, fault.OBJECT_EVENTS),
    false=("Every request is served", "SW0335", "no-target-begun", "no ready target", "not ready"),
)
EMPTY_SPLIT = Fault(
    name="a weight of `split` names a site without a target",
    clients="are served by the other sites with a weight",
    shown={
        fault.STATUS: "State:    ready\n…Note:     SW0314 Service shop gives weight to hub, which "
        "has no ready target: the other sites get its share.",
        fault.STATUS_JSON: "ready: true, problems: none, notes: SW0314",
        fault.CHECK: "WARNING  SW0314  Service shop gives weight to hub",
        fault.TOP: "near: ready  3 sites…shop",
        fault.SERVICE: "split…3 at 2 sites",
        fault.WHY: "(split): the next request goes to near (its turn by weight)",
        fault.WHY_PAST: "ok 2xx   near  …its turn by weight",
        fault.OVERVIEW: "Every request is served here.…1 note",
        fault.SERVICE_PAGE: "Every request is served where it comes in.",
        fault.OBJECT_STATUS: "NoProblems: True…Note: SW0314 Service shop gives weight to hub",
    },
    silent=LINKS_ARE_UP
    | SERVES
    | NO_STATE
    | silent("clients are served; only the shares are others than written", fault.ALERTS)
    | silent("the figures are of sites that have targets", fault.METRICS)
    | silent("no request goes to another site", fault.TOPOLOGY),
    exits={fault.CHECK: 3},
    false=("hub  ready", "No requests at the moment"),
)
SHED = Fault(
    name="sheddable requests make way for others",
    clients="who send sheddable requests get 503 with `Spillway-Error: shed`",
    shown={
        fault.STATUS_JSON: "ready: true, problems: none, notes: SW0357",
        fault.CHECK: "SW0357  Service shop:…/s requests are shed",
        fault.TOP: "near: ready  …/s shed",
        fault.WHY_PAST: "shed  …it is sheddable",
        fault.EVENTS: "refusing-begun…Service shop:… refuses requests: … shed, as sheddable "
        "requests make way for others",
        fault.METRICS: 'spillway_failed_requests_total{code="shed"…'
        'spillway_decisions_total{…verdict="shed"}',
        fault.ALERTS: "SpillwayOverflowSustained",
        fault.OVERVIEW: "shop spills to far.…/s are shed at shop.",
        fault.TOPOLOGY: "far…/s…reachable",
        fault.SERVICE_PAGE: "Shed…/s",
        fault.OBJECT_EVENTS: "RefusingBegun…Service shop:… refuses requests: … shed, as sheddable "
        "requests make way for others",
    },
    silent=LINKS_ARE_UP
    | SERVES
    | silent(NOT_OF_THEM, fault.SERVICE, fault.WHY)
    | silent("it is configured, and no fault: `check` has it", fault.STATUS, fault.OBJECT_STATUS),
    false=("degraded", "Every request is served", "/s fail", "SW0338", "Requests fail"),
)
FAULTS = (
    *(FULL, FULL_ELSEWHERE, FULL_OF_CONNECTIONS, ALL_FULL, TURNED_AWAY, SHED),
    *(RULED_OUT, NO_CAPACITY, OVER_RATE, DRAINED, EMPTY_SPLIT),
)
