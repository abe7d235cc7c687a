"""What the links of several workers carry, as those of one router. Pure."""

from collections.abc import Iterable, Sequence

import msgspec

from router.admin.views.links import LinkView
from router.link.sessions.link_status import LinkStatus

LinkKey = tuple[str, str, str]
"""Direction, name and neighbour's site: links of this key of all workers are one of the router."""


class LinkUse(msgspec.Struct, frozen=True, kw_only=True):
    """Of one link of a worker: lanes and streams of now, bytes since the worker started."""

    key: LinkKey
    lanes: int = 0
    streams: int = 0
    bytes_in: int = 0
    bytes_out: int = 0


def use_of(link: LinkStatus) -> LinkUse:
    """What ``link`` carries."""
    return LinkUse(
        key=(link.direction, link.name, link.neighbour_site),
        lanes=link.lanes,
        streams=link.streams,
        bytes_in=link.bytes_in,
        bytes_out=link.bytes_out,
    )


def uses_together(uses: Iterable[LinkUse]) -> dict[LinkKey, LinkUse]:
    """The sums."""
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
    """What of it outlives the worker."""
    return msgspec.structs.replace(one, lanes=0, streams=0)


def with_uses(views: Sequence[LinkView], uses: Iterable[LinkUse]) -> list[LinkView]:
    """``views`` of one worker with what the same links of others carry.

    A link that drains beside its successor has a row of its own: the first row gets it all.
    """
    beside = uses_together(uses)
    return [_with_use(view, beside) for view in views]


def _with_use(view: LinkView, beside: dict[LinkKey, LinkUse]) -> LinkView:
    use = beside.pop((view.direction, view.name, view.neighbour.id), None)
    if use is None:
        return view
    return msgspec.structs.replace(
        view,
        lanes=view.lanes + use.lanes,
        streams=view.streams + use.streams,
        bytes_in_total=view.bytes_in_total + use.bytes_in,
        bytes_out_total=view.bytes_out_total + use.bytes_out,
    )
