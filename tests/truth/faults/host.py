"""The host of a site fails it: its clock, its disk, its certificates. `near` is looked at."""

from tests.truth import fault
from tests.truth.fault import Fault, silent
from tests.truth.faults.names import EXITS, NO_EVENT, named
from tests.truth.faults.targets import LINKS_ARE_UP, SERVES

SERVED = silent(
    "clients are served as before", fault.SERVICE, fault.WHY, fault.WHY_PAST, fault.SERVICE_PAGE
)

CLOCK = Fault(
    name="the clock of a host is wrong",
    clients="are served as before; a new link does not come up",
    shown={
        fault.STATUS: "degraded…0 of 1 link up…SW0660 Link far waits for a clock to be set right: "
        "…the clocks differ by",
        fault.STATUS_JSON: "ready: true, problems: SW0660, notes: none",
        fault.CHECK: "WARNING  SW0660  Link far waits for a clock to be set right: …the clocks "
        "differ by",
        fault.TOP: "near: ready, 1 problem  1 site  0 of 1 link up…far   far   refused",
        fault.LINKS: "far   far   outgoing   1     refused…the clocks differ by",
        fault.NETWORK: "near",
        fault.EVENTS: "link-refused…the clocks differ by",
        fault.METRICS: 'spillway_link_up{direction="outgoing",link="far",neighbour="far"} 0.0',
        fault.ALERTS: "SpillwayLinkDown",
        fault.OVERVIEW: "SW0660 Link far waits for a clock to be set right",
        fault.TOPOLOGY: "Not in the network: far…far…none…not in the network",
        fault.OBJECT_STATUS: "LinksUp: False (0 of 1 link up), NoProblems: False (1 problem)…"
        "SW0660 Link far waits for a clock to be set right: …the clocks differ by",
        fault.OBJECT_EVENTS: "Warning  LinkRefused…the clocks differ by",
    },
    silent=SERVES | SERVED,
    exits=EXITS,
    false=("all reachable", "No problems."),
)
DISK_FULL = Fault(
    name="the disk is full",
    clients="are served as before",
    shown={
        **named("SW0662"),
        fault.STATUS: "degraded…SW0662 What this router must remember cannot be written: …No space "
        "left on device. It serves",
        fault.STATUS_JSON: "ready: true, problems: SW0662, notes: none",
        fault.CHECK: "WARNING  SW0662  What this router must remember cannot be written",
        fault.TOP: "near: ready, 1 problem",
        fault.EVENTS: "state-unsaved",
        fault.OVERVIEW: "SW0662 What this router must remember cannot be written",
        fault.OBJECT_STATUS: "NoProblems: False (1 problem)…SW0662 What this router must remember "
        "cannot be written: …No space left on device. It serves",
        fault.OBJECT_EVENTS: "Warning  StateUnsaved…What this router must remember could not be "
        "written",
    },
    silent=LINKS_ARE_UP | SERVES | SERVED | silent("no site or link is concerned", fault.TOPOLOGY),
    exits=EXITS,
    false=("No problems.",),
)
CERTIFICATE_ENDS = Fault(
    name="the certificate of a service ends soon",
    clients="are served, until it ends",
    shown={
        fault.STATUS: "degraded…SW0402 The certificate tls/shop ends at",
        fault.STATUS_JSON: "ready: true, problems: SW0402, notes: none",
        fault.CHECK: "WARNING  SW0402  The certificate tls/shop ends at",
        fault.TOP: "near: ready, 1 problem",
        fault.METRICS: 'spillway_certificate_expiry_timestamp_seconds{name="tls/shop"}',
        fault.ALERTS: "SpillwayServiceCertificateEnds",
        fault.OVERVIEW: "SW0402 The certificate tls/shop ends at",
        fault.OBJECT_STATUS: "NoProblems: False (1 problem)…SW0402 The certificate tls/shop ends "
        "at",
    },
    silent=LINKS_ARE_UP
    | SERVES
    | SERVED
    | NO_EVENT
    | silent("no site or link is concerned", fault.TOPOLOGY),
    exits=EXITS,
    false=("No problems.",),
)
CERTIFICATE_ENDED = Fault(
    name="the certificate of a service has ended",
    clients="of this site are refused by the kernel",
    shown={
        **named("SW0202"),
        fault.STATUS: "degraded…SW0202 Service shop:… has no listener here: it must speak TLS: …"
        "expired at",
        fault.STATUS_JSON: "ready: true, problems: SW0202, notes: none",
        fault.CHECK: "WARNING  SW0202  Service shop:… has no listener here: it must speak TLS: …"
        "expired at",
        fault.TOP: "near: ready, 1 problem",
        fault.SERVICE: "error (it must speak TLS: …expired at",
        fault.EVENTS: "listener-failed…Service shop:… has no listener here: it must speak TLS: …"
        "expired at",
        fault.WHY: "No client can connect here. Service shop:… has no listener here: it must speak "
        "TLS: …expired at…If one could: shop:",
        fault.OVERVIEW: "Clients cannot connect to shop.…shop has no listener here: it must speak "
        "TLS: …SW0202 Service shop:… has no listener here",
        fault.SERVICE_PAGE: "Clients cannot connect here: it must speak TLS: …expired at",
        fault.OBJECT_STATUS: "NoProblems: False (1 problem)…SW0202 Service shop:… has no listener "
        "here: it must speak TLS",
        fault.OBJECT_EVENTS: "ListenerFailed…Service shop:… has no listener here: it must speak",
    },
    silent=LINKS_ARE_UP
    | SERVES
    | silent("no request comes", fault.WHY_PAST)
    | silent("no site or link is concerned", fault.TOPOLOGY),
    exits=EXITS,
    false=("No problems.", "Every request is served"),
)
WORKER_HANGS = Fault(
    name="a worker of the router hangs",
    clients="of the other workers are served; new connections of this one wait, and are reset when "
    "the router ends it after 10 s",
    shown={
        **named("SW0691"),
        fault.STATUS: "degraded…1 of 2 ready, not: 1…SW0691 Worker 1 of 2 has not answered since "
        "…: about 1 of 2 new connections goes to it and waits",
        fault.STATUS_JSON: "ready: true, problems: SW0691, notes: none",
        fault.CHECK: "WARNING  SW0691  Worker 1 of 2 has not answered since…1 of 2 workers ready",
        fault.TOP: "near: ready, 1 problem",
        fault.EVENTS: "worker-silent…Worker 1 of 2 has not answered since",
        fault.SERVICE: "near: 50 of 100 slots work: worker 1 does not answer, with…it takes no "
        "request",
        fault.WHY: "50 of 100 slots work: worker 1 does not answer, with…it takes no request",
        fault.OVERVIEW: "SW0691 Worker 1 of 2 has not answered since",
        fault.SERVICE_PAGE: "50 of 100 slots work: worker 1 does not answer, with",
    },
    silent=LINKS_ARE_UP
    | SERVES
    | silent("no request goes to another site", fault.TOPOLOGY)
    | silent("requests that wait for the worker have not ended", fault.WHY_PAST)
    | silent("in a namespace a site has replicas, not workers", *fault.OBJECTS),
    exits=EXITS,
    false=("all ready", "No problems."),
)
FAULTS = (CLOCK, DISK_FULL, CERTIFICATE_ENDS, CERTIFICATE_ENDED, WORKER_HANGS)
