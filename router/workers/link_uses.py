"""Links of several workers as those of one router: their states and their traffic. Pure."""

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from router.admin.views.links import LinkAtWorker, LinkView, SiteName
from router.link.sessions.link_status import LinkStatus

LinkKey = tuple[str, str, str]
"""Direction, name and neighbor's site: links of all workers with the same key are one of the
router.
"""


class LinkUse(msgspec.Struct, frozen=True, kw_only=True):
    """The use of one link of a worker: present lanes and streams, bytes since the worker
    started."""

    key: LinkKey
    lanes: int = 0
    streams: int = 0
    bytes_in: int = 0
    bytes_out: int = 0


class WorkerLink(msgspec.Struct, frozen=True, kw_only=True):
    """The state of one link of a worker. Fields as in `LinkView`."""

    key: LinkKey
    neighbour_name: str
    cost: int
    state: str
    since: str
    rtt_ms: float | None
    error: str


def state_of(view: LinkView) -> WorkerLink:
    """The state in ``view`` of this worker."""
    return WorkerLink(
        key=_key_of(view),
        neighbour_name=view.neighbour.name,
        cost=view.cost,
        state=view.state,
        since=view.since,
        rtt_ms=view.rtt_ms,
        error=view.error,
    )


def use_of(link: LinkStatus) -> LinkUse:
    """The traffic of ``link``."""
    return LinkUse(
        key=(link.direction, link.name, link.neighbour_site),
        lanes=link.lanes,
        streams=link.streams,
        bytes_in=link.bytes_in,
        bytes_out=link.bytes_out,
    )


def uses_together(uses: Iterable[LinkUse]) -> dict[LinkKey, LinkUse]:
    """The sums by link."""
    found: dict[LinkKey, LinkUse] = {}
    for one in uses:
        before = found.get(one.key, LinkUse(key=one.key))
        found[one.key] = LinkUse(
            key=one.key,
            lanes=before.lanes + one.lanes,
            streams=before.streams + one.streams,
            bytes_in=before.bytes_in + one.bytes_in,
            bytes_out=before.bytes_out + one.bytes_out,
        )
    return found


def bytes_alone(one: LinkUse) -> LinkUse:
    """The part of it that outlives the worker."""
    return msgspec.structs.replace(one, lanes=0, streams=0)


def with_uses(views: Sequence[LinkView], uses: Iterable[LinkUse]) -> list[LinkView]:
    """``views`` of one worker plus the traffic of the same links at others.

    A draining link has a separate row next to its successor's: the first row gets everything.
    """
    beside = uses_together(uses)
    return [_with_use(view, beside) for view in views]


def _with_use(view: LinkView, beside: dict[LinkKey, LinkUse]) -> LinkView:
    use = beside.pop(_key_of(view), None)
    if use is None:
        return view
    return msgspec.structs.replace(
        view,
        lanes=view.lanes + use.lanes,
        streams=view.streams + use.streams,
        bytes_in_total=view.bytes_in_total + use.bytes_in,
        bytes_out_total=view.bytes_out_total + use.bytes_out,
    )


def with_states(
    views: Sequence[LinkView], each: Mapping[int, Iterable[WorkerLink]]
) -> list[LinkView]:
    """``views`` of worker 0 as the links of all: ``each`` has those of the others, by index.

    A link is up while any worker is connected. Each worker dials each link of this site; incoming
    links arrive at any worker, so for these the first one that is up counts.
    """
    beside: dict[LinkKey, dict[int, WorkerLink]] = {}
    for index, states in each.items():
        for state in states:
            known = beside.setdefault(state.key, {})
            if state.state == "up" or index not in known:  # Its predecessor may still drain.
                known[index] = state
    whole = [_with_states(view, beside.pop(_key_of(view), {})) for view in views]
    only_beside = [
        min(states.values(), key=lambda one: one.state != "up")
        for (direction, _, _), states in beside.items()
        if direction == "incoming"
    ]
    return whole + [_view_of(state) for state in only_beside]


def _with_states(own: LinkView, beside: Mapping[int, WorkerLink]) -> LinkView:
    each = {0: state_of(own)} | {
        index: one for index, one in beside.items() if one.state != "draining"
    }
    up = [one for one in each.values() if one.state == "up"]
    if own.state == "draining" or len(each) == 1:
        return own
    is_dialed = own.direction == "outgoing"
    if not up:
        return msgspec.structs.replace(own, workers=len(each)) if is_dialed else own
    down = tuple(
        LinkAtWorker(worker=index, state=one.state, since=one.since, error=one.error)
        for index, one in each.items()
        if one.state != "up" and is_dialed
    )
    shown = own if own.state == "up" else up[0]
    return msgspec.structs.replace(
        own,
        state="up",
        since=shown.since,
        rtt_ms=shown.rtt_ms,
        error=shown.error or errors_of(down),
        error_code=own.error_code if own.state == "up" else "",
        workers=len(each) if is_dialed else 0,
        workers_down=down,
    )


def errors_of(down: Sequence[LinkAtWorker]) -> str:
    """The first error, and the workers that have one; empty: none has."""
    failing = [one for one in down if one.error]
    if not failing:
        return ""
    who = ", ".join(str(one.worker) for one in failing)
    return f"worker{'s' if failing[1:] else ''} {who}: {failing[0].error}"


def _view_of(state: WorkerLink) -> LinkView:
    direction, name, site = state.key
    return LinkView(
        name=name,
        neighbour=SiteName(state.neighbour_name, site),
        direction=direction,
        cost=state.cost,
        state=state.state,
        since=state.since,
        rtt_ms=state.rtt_ms,
        lanes=0,
        streams=0,
        error=state.error,
        certificate_expires=None,
    )


def _key_of(view: LinkView) -> LinkKey:
    return view.direction, view.name, view.neighbour.id
