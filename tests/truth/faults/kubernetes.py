"""The namespace of a site takes rights from its router. `near` is that site."""

from router.model import limits
from tests.scenario.waiting import WAIT_S
from tests.truth import fault
from tests.truth.fault import Fault, silent
from tests.truth.faults.host import SERVED
from tests.truth.faults.names import named
from tests.truth.faults.targets import LINKS_ARE_UP, SERVES

_PODS = "Role/spillway-router: Pod objects cannot be read: pods is forbidden"
_NONE = (
    "Role/spillway-router: this router has no right in its namespace, so no Service, Event or "
    "status is written"
)
_EXITS = {fault.STATUS: 3, fault.STATUS_JSON: 3, fault.CHECK: 1}
_ELSEWHERE = LINKS_ARE_UP | SERVES | SERVED | silent("no site or link is concerned", fault.TOPOLOGY)

RIGHT_REVOKED = Fault(
    name="a right of the router is revoked",
    clients="are served as before, by the targets that were known",
    shown={
        **named("SW0432"),
        fault.STATUS: f"degraded…SW0432 {_PODS}…Add to it "
        '{apiGroups: [""], resources: ["pods"], verbs: ["get", "list", "watch"]}',
        fault.STATUS_JSON: "ready: true, problems: SW0432, notes: none",
        fault.CHECK: "ERROR    SW0467  Role/spillway-router does not let the router get, list, "
        f"watch pods…WARNING  SW0432  {_PODS}",
        fault.TOP: f"near: ready, 1 problem…SW0432 {_PODS}",
        fault.EVENTS: f"SW0432                {_PODS}",
        fault.OVERVIEW: f"SW0432 {_PODS}",
        fault.OBJECT_STATUS: f"NoProblems: False (1 problem)…SW0432 {_PODS}",
        fault.OBJECT_EVENTS: "Warning  SW0432  Role/spillway-router  Pod objects cannot be read",
    },
    silent=_ELSEWHERE,
    exits=_EXITS,
    false=("No problems.",),
)
_EVENTS = (
    "Role/spillway-router: Events cannot be written: kubectl describe and kubectl get events show "
    "nothing new of this site"
)
EVENTS_REVOKED = Fault(
    name="the router may not write Events",
    clients="are served as before",
    shown={
        fault.STATUS: f"State:    ready\n…Note:     SW0443 {_EVENTS}",
        fault.STATUS_JSON: "ready: true, problems: none, notes: SW0443",
        fault.CHECK: "ERROR    SW0467  Role/spillway-router does not let the router create, "
        f"patch events…WARNING  SW0443  {_EVENTS}",
        fault.EVENTS: f"SW0443                {_EVENTS}",
        fault.OVERVIEW: "1 note",
        fault.OBJECT_STATUS: f"Note: SW0443 {_EVENTS}",
    },
    silent=_ELSEWHERE
    | silent(
        "the site serves and writes its state, so it is a note and no problem: only who reads "
        "Events misses something",
        *(fault.TOP, fault.METRICS, fault.ALERTS),
    )
    | silent("the router may not write them", fault.OBJECT_EVENTS),
    exits={fault.CHECK: 1},
    false=("degraded",),
)
RIGHTS_REVOKED = Fault(
    within_s=limits.LEASE_ALONE_RENEW_S + WAIT_S,  # Until then the Lease is held.
    name="all rights of the router are revoked",
    clients="are served as before, by the targets that were known",
    shown={
        fault.STATUS: f"degraded…SW0432 {_NONE}",
        fault.STATUS_JSON: "ready: true, problems: SW0432, SW0443, notes: none",
        fault.CHECK: "ERROR    SW0467  Role/spillway-router does not let the router get, list, "
        f"watch pods…WARNING  SW0432  {_NONE}",
        fault.TOP: f"near: ready, … problems…SW0432 {_NONE}",
        fault.EVENTS: f"SW0432                {_NONE}",
        fault.METRICS: 'spillway_problems{code="SW0432"}',
        fault.ALERTS: "SpillwayProblem",
        fault.OVERVIEW: f"SW0432 {_NONE}",
    },
    silent=_ELSEWHERE
    | silent(
        "the router can write neither, so both stay as they were: ask it by `sitectl status`",
        *fault.OBJECTS,
    ),
    exits=_EXITS,
    false=("No problems.",),
)
FAULTS = (RIGHT_REVOKED, EVENTS_REVOKED, RIGHTS_REVOKED)
