"""Targets of this site that fail. `near` has two and the clients, `far` at cost 5 has one."""

from tests.truth import fault
from tests.truth.fault import Fault, silent

LINKS_ARE_UP = silent("every link is up, and every site is reached", fault.LINKS, fault.NETWORK)
SERVES = silent("the router itself serves", fault.HEALTH)

NONE_READY = Fault(
    name="no target of a service is ready here, another site serves",
    clients="are served by the other site",
    shown={
        fault.STATUS: "degraded…SW0335 Service shop:…: 0 of 2 targets are ready here; …go to far",
        fault.STATUS_JSON: "ready: true, problems: SW0335, notes: none",
        fault.CHECK: "WARNING  SW0335  Service shop:…: 0 of 2 targets are ready here; …"
        "1 target ready, 0 of 2 here",
        fault.TOP: "1 problem…0 of 2 targets…/s to far (no-target)",
        fault.SERVICE: "1 at 1 site, 0 of 2 here",
        fault.WHY: "goes to far…near…no-target…far…chosen",
        fault.WHY_PAST: "far   …passed over: near (no-target)",
        fault.EVENTS: "target-down…of shop:…refused the connection",
        fault.METRICS: 'spillway_spilled_total{…reason="no-target"…to="far"}…'
        'spillway_local_targets{…state="ready"} 0.0',
        fault.ALERTS: "SpillwayLocalTargetsDown",
        fault.OVERVIEW: "shop spills to far.…leave near because it has no ready target.…"
        "SW0335 Service shop:…: 0 of 2 targets are ready here…0 of 2 targets",
        fault.TOPOLOGY: "far…/s…reachable",
        fault.SERVICE_PAGE: "no target of near is ready: …/s go to far (cost 5)…"
        "not ready…refused the connection",
        fault.OBJECT_STATUS: "NoProblems: False (1 problem)…SW0335 Service shop:…: 0 of 2 targets "
        "are ready here; …far",
        fault.OBJECT_EVENTS: "Warning  NoTargetBegun…Service shop:…: 0 of 2 targets are ready "
        "here; other sites serve its requests: …to far.",
    },
    silent=LINKS_ARE_UP | SERVES,
    exits={fault.STATUS: 3, fault.STATUS_JSON: 3, fault.CHECK: 3},
    false=("Every request is served", "No problems.", "nobody else had room"),
)
ONE_NOT_READY = Fault(
    name="one of two targets here is not ready",
    clients="are served by the other target",
    shown={
        fault.STATUS: "Note:…SW0336 Service shop:…: 1 of 2 targets are ready here.",
        fault.STATUS_JSON: "ready: true, problems: none, notes: SW0336",
        fault.CHECK: "WARNING  SW0336  Service shop:…: 1 of 2 targets are ready here.…"
        "2 targets ready, 1 of 2 here",
        fault.TOP: "near: ready  …of 50",
        fault.SERVICE: "2 at 2 sites, 1 of 2 here",
        fault.WHY: "goes to near…near  -     0     1",
        fault.WHY_PAST: "ok 2xx   near  …local site has room",
        fault.EVENTS: "target-down…of shop:…refused the connection",
        fault.METRICS: 'spillway_local_targets{…state="not-ready"} 1.0',
        fault.OVERVIEW: "Every request is served here.…1 note",
        fault.SERVICE_PAGE: "Every request is served where it comes in.…"
        "not ready…refused the connection",
        fault.OBJECT_STATUS: "Ready: True, LinksUp: True (1 link up), NoProblems: True…Note: "
        "SW0336 Service shop:…: 1 of 2 targets are ready here.",
    },
    silent=LINKS_ARE_UP
    | SERVES
    | silent("the other target serves; half of the capacity is gone", fault.ALERTS)
    | silent("the cluster itself tells of its pods", fault.OBJECT_EVENTS)
    | silent("no request goes to another site", fault.TOPOLOGY),
    exits={fault.CHECK: 3},
    false=("0 of 100", "2 of 2 targets"),
)
NOWHERE = Fault(
    name="no target of a service is ready at any site",
    clients="get 503 (`no-route`)",
    shown={
        fault.STATUS: "degraded…SW0309 Service shop:… has no ready target, here or at any site "
        "that is reached and may serve it: …refused the connection",
        fault.STATUS_JSON: "ready: true, problems: SW0309, notes: none",
        fault.CHECK: "WARNING  SW0309  Service shop:… has no ready target, here or at any site",
        fault.TOP: "1 problem…0 of 2 targets…/s fail",
        fault.SERVICE: "0 at 2 sites, 0 of 2 here",
        fault.WHY: "goes nowhere (no-route)…near…no-target…far…no-target",
        fault.WHY_PAST: "no-route  …no site that is reached and may serve it has a ready target",
        fault.EVENTS: "target-down…of shop:…refused the connection…refusing-begun…Service shop:… "
        "refuses requests: …found no ready target at any site that is reached and may serve them",
        fault.METRICS: 'spillway_requests_total{code_class="5xx"…site=""}…'
        'spillway_decisions_total{…verdict="no-route"}',
        fault.ALERTS: "SpillwayFailing, SpillwayLocalTargetsDown, SpillwayNoTarget, "
        "SpillwayRefusing",
        fault.OVERVIEW: "Requests fail at shop.…fail. shop: no ready target at any site.…SW0309",
        fault.SERVICE_PAGE: "no site that is reached and may serve it has a ready target: …/s "
        "served nowhere…Nowhere: no site that is reached and may serve it has a "
        "ready target.",
        fault.OBJECT_STATUS: "NoProblems: False (1 problem)…SW0309 Service shop:… has no ready "
        "target, here or at any site that is reached and may serve it: …refused the connection",
        fault.OBJECT_EVENTS: "Warning  RefusingBegun…Service shop:… refuses requests: …found no "
        "ready target at any site that is reached and may serve them",
    },
    silent=LINKS_ARE_UP | SERVES | silent("no request goes to another site", fault.TOPOLOGY),
    exits={fault.STATUS: 3, fault.STATUS_JSON: 3, fault.CHECK: 3},
    false=("Every request is served", "No problems.", "nobody else had room"),
)
NOWHERE_FOR_CONSUMERS = Fault(
    name="no target is ready of a service that this site only consumes",
    clients="get 503 (`no-route`)",
    shown={
        fault.STATUS: "degraded…SW0309 Service shop:… has no ready target, here or at any site "
        "that is reached and may serve it: far has targets, none of them ready.…At far: sitectl "
        "service status shop",
        fault.STATUS_JSON: "ready: true, problems: SW0309, notes: none",
        fault.CHECK: "WARNING  SW0309  Service shop:… has no ready target, here or at any site",
        fault.TOP: "1 problem…no target…/s fail",
        fault.SERVICE: "0 at 1 site",
        fault.WHY: "goes nowhere (no-route)…far…no-target",
        fault.WHY_PAST: "no-route  …no site that is reached and may serve it has a ready target",
        fault.EVENTS: "refusing-begun…Service shop:… refuses requests: …found no ready target at "
        "any site that is reached and may serve them",
        fault.METRICS: 'spillway_requests_total{code_class="5xx"…site=""}…'
        'spillway_decisions_total{…verdict="no-route"}',
        fault.ALERTS: "SpillwayFailing, SpillwayNoTarget, SpillwayRefusing",
        fault.OVERVIEW: "Requests fail at shop.…fail. shop: no ready target at any site.…SW0309",
        fault.SERVICE_PAGE: "no site that is reached and may serve it has a ready target: …/s "
        "served nowhere…Nowhere: no site that is reached and may serve it has a "
        "ready target.",
        fault.OBJECT_STATUS: "NoProblems: False (1 problem)…SW0309 Service shop:… has no ready "
        "target, here or at any site that is reached and may serve it: far has targets, none of "
        "them ready.",
        fault.OBJECT_EVENTS: "Warning  RefusingBegun…Service shop:… refuses requests: …found no "
        "ready target at any site that is reached and may serve them",
    },
    silent=LINKS_ARE_UP | SERVES | silent("no request goes to another site", fault.TOPOLOGY),
    exits={fault.STATUS: 3, fault.STATUS_JSON: 3, fault.CHECK: 3},
    false=("Every request is served", "No problems.", "See why under ERROR"),
)
LATE = Fault(
    name="targets here answer late, within their time",
    clients="are served here, late",
    shown={
        fault.TOP: "near: ready  …ms  …ms",
        fault.WHY: "goes to near…chosen   local site has room",
        fault.WHY_PAST: "near  …local site has room",
        fault.METRICS: "spillway_request_phase_seconds",
        fault.OVERVIEW: "Every request is served here.…p99 of the slowest…ms…Problems",
        fault.SERVICE_PAGE: "Every request is served where it comes in.…p50…ms…p99…ms",
    },
    silent=LINKS_ARE_UP
    | SERVES
    | silent(
        "an answer within the `response` time-out is no fault: how late is too late, only you know",
        *(fault.STATUS, fault.STATUS_JSON, fault.CHECK, fault.SERVICE, fault.EVENTS, fault.ALERTS),
        *fault.OBJECTS,
    )
    | silent("no request goes to another site", fault.TOPOLOGY),
)
GIVEN_UP = Fault(
    name="clients give up before slow targets answer",
    clients="leave without an answer, within its time",
    shown={
        fault.STATUS: "State:    ready…Note:     SW0352 Service shop:…: clients gave up …/s of …/s "
        "requests before they were answered.",
        fault.STATUS_JSON: "ready: true, problems: none, notes: SW0352",
        fault.CHECK: "WARNING  SW0352  Service shop:…: clients gave up …/s of …/s requests",
        fault.OBJECT_STATUS: "NoProblems: True…Note: SW0352 Service shop:…: clients gave up …/s",
        fault.TOP: "near: ready  …/s given up by clients",
        fault.SERVICE: "Clients gave up…requests of",
        fault.WHY: "goes to near…chosen   local site has room",
        fault.WHY_PAST: "client gave up  near  …Of these 20, the client gave up",
        fault.METRICS: 'spillway_requests_total{code_class="client-gone"…site="near"}',
        fault.OVERVIEW: "Some requests get no answer.…are given up by clients at shop.",
        fault.SERVICE_PAGE: "Clients give up…of…/s…Clients gave up…/s",
    },
    silent=LINKS_ARE_UP
    | SERVES
    | silent("a client that leaves is no change of state", fault.EVENTS, fault.OBJECT_EVENTS)
    | silent("how long clients wait is theirs to choose", fault.ALERTS)
    | silent("no request goes to another site", fault.TOPOLOGY),
    exits={fault.CHECK: 3},
    false=("Every request is served", "/s fail"),
)
REJECTED = Fault(
    name="some clients send requests that are too large",
    clients="who send them get 414, the others are served here",
    shown={
        fault.TOP: "near: ready  …/s refused with 4xx",
        fault.WHY: "goes to near…chosen   local site has room",
        fault.WHY_PAST: "near  …local site has room",
        fault.METRICS: 'spillway_requests_total{code_class="4xx"…site=""}',
        fault.OVERVIEW: "Every valid request is served here.…/s are refused here with 4xx at shop.",
        fault.SERVICE_PAGE: "/s are refused here with 4xx because they are malformed, too large or "
        "too slow; the rest is served where it comes in.",
    },
    silent=LINKS_ARE_UP
    | SERVES
    | silent(
        "what a client does wrong is no fault of a site or a service",
        *(fault.STATUS, fault.STATUS_JSON, fault.CHECK, fault.SERVICE, fault.EVENTS, fault.ALERTS),
        *fault.OBJECTS,
    )
    | silent("no request goes to another site", fault.TOPOLOGY),
    false=("Every request is served", "/s fail", "given up"),
)
TIMES_OUT = Fault(
    name="targets here do not answer in time",
    clients="get 504 until the targets are ejected, then the other site serves",
    shown={
        fault.STATUS: "degraded…SW0335 Service shop:…: 0 of 2 targets are ready here (2 ejected)…"
        "got no answer in time",
        fault.STATUS_JSON: "ready: true, problems: SW0335…, notes: none",
        fault.CHECK: "WARNING  SW0335  Service shop:…: 0 of 2 targets are ready here (2 ejected)…"
        "got no answer in time",
        fault.TOP: "problem…0 of 2 targets…/s to far (ejected)",
        fault.SERVICE: "1 at 1 site, 0 of 2 here",
        fault.WHY: "goes to far…near…ejected…no target is ready here: 2 ejected…far…chosen",
        fault.WHY_PAST: "far   …passed over: near (ejected)",
        fault.EVENTS: "target-down…ejected for …: 5 requests in a row got no answer in time",
        fault.METRICS: 'spillway_requests_total{code_class="5xx"…site="near"}…'
        'spillway_spilled_total{…reason="ejected"…to="far"}',
        fault.ALERTS: "SpillwayLocalTargetsDown",
        fault.OVERVIEW: "SW0335 Service shop:…: 0 of 2 targets are ready here (2 ejected)…"
        "0 of 2 targets",
        fault.TOPOLOGY: "far…/s…reachable",
        fault.SERVICE_PAGE: "no target of near is ready: …/s go to far (cost 5)…not ready ejected",
        fault.OBJECT_STATUS: "NoProblems: False…SW0335 Service shop:…: 0 of 2 targets are ready "
        "here (2 ejected)…got no answer in time",
        fault.OBJECT_EVENTS: "Warning  NoTargetBegun…Service shop:…: 0 of 2 targets are ready "
        "here (2 ejected); other sites serve its requests: …to far.",
    },
    silent=LINKS_ARE_UP | SERVES,
    exits={fault.STATUS: 3, fault.STATUS_JSON: 3, fault.CHECK: 3},
    false=("Every request is served", "No problems.", "nobody else had room"),
)
STUCK = Fault(
    name="targets here hang with all of their slots taken, within their time",
    clients="of the slots wait; the others are served by the other site",
    shown={
        fault.STATUS: "State:    ready\n…Note:     SW0349 Target …of shop:… has completed no "
        "request for … s, and all of its slots are taken: it may hang.",
        fault.STATUS_JSON: "ready: true, problems: none, notes: SW0349",
        fault.CHECK: "WARNING  SW0349  Target …of shop:… has completed no request for",
        fault.SERVICE: "yes…all of its slots are taken, and it completes no request",
        fault.TOP: "near: ready…SW0349 Target …has completed no request for…/s to far (full)",
        fault.WHY: "goes to far…near…full…far…chosen",
        fault.WHY_PAST: "far   …passed over: near (full)",
        fault.EVENTS: "overflow-begun…target-stuck…Target …of shop:… has completed no request for",
        fault.METRICS: 'spillway_spilled_total{…reason="full"…to="far"}…'
        "spillway_silent_targets{…} 2",
        fault.ALERTS: "SpillwayOverflowSustained, SpillwayTargetSilent",
        fault.OVERVIEW: "shop spills to far.…2 of 2 targets of shop answer nothing.… notes",
        fault.TOPOLOGY: "far…/s…reachable",
        fault.SERVICE_PAGE: "4 of 4 slots of near are busy: …/s go to far (cost 5)",
        fault.OBJECT_STATUS: "NoProblems: True…Note: SW0349 Target …of shop:… has completed no "
        "request for … s, and all of its slots are taken: it may hang.",
        fault.OBJECT_EVENTS: "Warning  TargetStuck…Target …of shop:… has completed no request for",
    },
    silent=LINKS_ARE_UP | SERVES,
    exits={fault.CHECK: 3},
    false=("Every request is served",),
)
HANGS = Fault(
    name="targets here hang with free slots, within their time",
    clients="wait: the targets have room for more",
    shown={
        fault.STATUS: "State:    ready\n…Note:     SW0349 Target …of shop:… has completed no "
        "request for … s, and … await an answer: it may hang.",
        fault.STATUS_JSON: "ready: true, problems: none, notes: SW0349",
        fault.CHECK: "WARNING  SW0349  Target …of shop:… has completed no request for",
        fault.SERVICE: "yes…requests await an answer, and it completes none",
        fault.TOP: "near: ready…SW0349 Target …has completed no request for",
        fault.WHY: "goes to near…chosen   local site has room…; requests await an answer of …, and "
        "it completes none",
        fault.WHY_PAST: "under-way  near  …local site has room",
        fault.EVENTS: "target-stuck…Target …of shop:… has completed no request for",
        fault.METRICS: "spillway_silent_targets{…} 2",
        fault.ALERTS: "SpillwayTargetSilent",
        fault.OVERVIEW: "2 of 2 targets of shop answer nothing.… notes",
        fault.SERVICE_PAGE: "requests await an answer, and it completes none",
        fault.OBJECT_STATUS: "NoProblems: True…Note: SW0349 Target …of shop:… has completed no "
        "request for … s, and … await an answer: it may hang.",
        fault.OBJECT_EVENTS: "Warning  TargetStuck…Target …of shop:… has completed no request for",
    },
    silent=LINKS_ARE_UP | SERVES | silent("no request goes to another site", fault.TOPOLOGY),
    exits={fault.CHECK: 3},
    false=("Every request is served",),
)
HANGS_THERE = Fault(
    name="targets of the other site hang, within their time",
    clients="wait: the other site takes their requests",
    shown={
        fault.STATUS: "State:    ready\n…Note:     SW0361 Site far has answered no request of "
        "shop:… for at least … s, and … await an answer: targets there may hang.",
        fault.STATUS_JSON: "ready: true, problems: none, notes: SW0361",
        fault.CHECK: "WARNING  SW0361  Site far has answered no request of shop",
        fault.SERVICE: "requests await an answer, and it completes none",
        fault.TOP: "near: ready…SW0361 Site far has answered no request",
        fault.WHY: "goes to far…chosen   …; requests await an answer, and it completes none",
        fault.WHY_PAST: "under-way  far  …",
        fault.EVENTS: "site-stuck…Site far has answered no request of shop:…",
        fault.METRICS: 'spillway_silent_site{…site="far"…} 1',
        fault.ALERTS: "SpillwaySiteSilent",
        fault.OVERVIEW: "far: requests await an answer, and it completes none.… note",
        fault.TOPOLOGY: "far…reachable",
        fault.SERVICE_PAGE: "requests await an answer, and it completes none",
        fault.OBJECT_STATUS: "NoProblems: True…Note: SW0361 Site far has answered no request",
        fault.OBJECT_EVENTS: "Warning  SiteStuck…Site far has answered no request of shop:…",
    },
    silent=LINKS_ARE_UP | SERVES,
    exits={fault.CHECK: 3},
    false=("Every request is served",),
)
ANSWERS_503 = Fault(
    name="targets here answer 503",
    clients="get 503 until the targets are ejected, then the other site serves",
    shown={
        **TIMES_OUT.shown,
        fault.STATUS: "degraded…SW0335 Service shop:…: 0 of 2 targets are ready here (2 ejected)…"
        "answered 503",
        fault.CHECK: "WARNING  SW0335  Service shop:…: 0 of 2 targets are ready here (2 ejected)…"
        "answered 503",
        fault.EVENTS: "target-down…ejected for …: 5 requests in a row were answered 503",
        fault.OBJECT_STATUS: "NoProblems: False…SW0335 Service shop:…: 0 of 2 targets are ready "
        "here (2 ejected)…answered 503",
    },
    silent=TIMES_OUT.silent,
    exits=TIMES_OUT.exits,
    false=TIMES_OUT.false,
)
_ERRORS = "answered 5xx to …requests in the last …s"
ANSWERS_500 = Fault(
    name="targets here answer 500",
    clients="get 500: a 500 may be the client's doing, so the targets stay in use",
    shown={
        fault.STATUS: "degraded…SW0338 Service shop:…/s requests fail: they were answered 5xx by "
        f"a target.…SW0358 Target …of shop:…{_ERRORS}",
        fault.STATUS_JSON: "ready: true, problems: SW0338, notes: SW0358",
        fault.CHECK: "WARNING  SW0338  Service shop:…/s requests fail: they were answered 5xx by "
        f"a target.…WARNING  SW0358  Target …of shop:…{_ERRORS}",
        fault.TOP: f"1 problem…SW0358 Target …of shop:…{_ERRORS}…/s fail",
        fault.SERVICE: f"yes…{_ERRORS}…yes…{_ERRORS}",
        fault.WHY: f"goes to near…chosen   local site has room…; …{_ERRORS}…; …{_ERRORS}",
        fault.WHY_PAST: "answered 5xx  near  …local site has room",
        fault.METRICS: 'spillway_requests_total{code_class="5xx"…site="near"}',
        fault.ALERTS: "SpillwayFailing",
        fault.OVERVIEW: "Requests fail at shop.…/s fail.…2 of 2 targets of shop answered 5xx in "
        "the last minute.…SW0338 Service shop:",
        fault.SERVICE_PAGE: f"/s fail.…{_ERRORS}.…{_ERRORS}.…Failed…/s",
        fault.OBJECT_STATUS: "NoProblems: False (1 problem)…SW0338 Service shop:…/s requests "
        f"fail: they were answered 5xx by a target.…SW0358 Target …{_ERRORS}",
    },
    silent=LINKS_ARE_UP
    | SERVES
    | silent("no state changes", fault.EVENTS, fault.OBJECT_EVENTS)
    | silent("no request goes to another site", fault.TOPOLOGY),
    exits={fault.STATUS: 3, fault.STATUS_JSON: 3, fault.CHECK: 3},
    false=("Every request is served", "No problems.", "no answer"),
)
ONE_ANSWERS_500 = Fault(
    name="one of two targets here answers 500",
    clients="get 500 of that target, and answers of the other one",
    shown={
        **ANSWERS_500.shown,
        fault.SERVICE: f"yes…{_ERRORS}",
        fault.WHY: f"goes to near…chosen   local site has room…; …{_ERRORS}",
        fault.OVERVIEW: "Requests fail at shop.…/s fail.…A target of shop answered 5xx in the last "
        "minute.…SW0338 Service shop:",
        fault.SERVICE_PAGE: f"/s fail.…{_ERRORS}.…Failed…/s",
    },
    silent=ANSWERS_500.silent,
    exits=ANSWERS_500.exits,
    false=ANSWERS_500.false,
)
ANSWERS_NOTHING = Fault(
    name="a tcp target here accepts connections and answers nothing",
    clients="of that target wait until they give up: it stays in use",
    shown={
        fault.STATUS: "State:    ready\n…Note:     SW0348 Service shop:…: …connections in a row "
        "got no byte of an answer from",
        fault.STATUS_JSON: "ready: true, problems: none, notes: SW0348",
        fault.CHECK: "WARNING  SW0348  Service shop:…connections in a row got no byte",
        fault.TOP: "near: ready  …SW0348 Service shop:…connections in a row got no byte",
        fault.SERVICE: "yes…connections in a row got no byte of an answer",
        fault.WHY: "goes to near…connections in a row got no byte of an answer from",
        fault.EVENTS: "target-silent…connections in a row got no byte of an answer from…of shop:",
        fault.METRICS: "spillway_silent_targets{…} 1.0",
        fault.ALERTS: "SpillwayTargetSilent",
        fault.OVERVIEW: "Every connection that succeeds is served here.…A target of shop answers "
        "nothing.…1 note",
        fault.SERVICE_PAGE: "A target here answers nothing: …connections in a row got no byte…"
        "ready…connections in a row got no byte",
        fault.OBJECT_STATUS: "NoProblems: True…Note: SW0348 Service shop:…connections in a row got "
        "no byte of an answer from",
        fault.OBJECT_EVENTS: "Warning  TargetSilent…connections in a row got no byte",
    },
    silent=LINKS_ARE_UP
    | SERVES
    | silent("no request goes to another site", fault.TOPOLOGY)
    | silent("each connection went to a site, and how it ended is its client's", fault.WHY_PAST),
    exits={fault.CHECK: 3},
    false=("Every request is served",),
)
FAULTS = (
    NONE_READY,
    ONE_NOT_READY,
    NOWHERE,
    NOWHERE_FOR_CONSUMERS,
    LATE,
    GIVEN_UP,
    REJECTED,
    TIMES_OUT,
    STUCK,
    HANGS,
    HANGS_THERE,
    ANSWERS_503,
    ANSWERS_500,
    ONE_ANSWERS_500,
    ANSWERS_NOTHING,
)
