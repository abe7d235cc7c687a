"""The lines of `link status`: links as shown to operators. Pure."""

from collections.abc import Collection, Mapping, Sequence

import msgspec

from router.link.neighbour import Neighbour
from router.link.ports import Direction
from router.link.sessions.handshake import fingerprint
from router.link.sessions.lost_races import LinkErrorCode, LinkState
from router.link.sessions.outgoing import OutgoingLink
from router.link.sessions.session import LinkSession
from router.model.rights.sharing import FREE, Terms


class LinkStatus(msgspec.Struct, frozen=True, kw_only=True):
    """One line of `link status`. ``since`` is monotonic seconds: when it came up, or went down.

    ``lanes`` counts data lanes, ``streams`` those open now, in both directions. The neighbor is the
    last one seen; before any was seen, it is the one that the token names, without a router.
    ``terms``: the terms on which it was let in. ``endpoint``: where a link that we dial is
    connected; ``via``: the proxy it goes through, without its password; ``certificate``: SHA-256 of
    the one it was dialed with, hex; ``held``: the terms on which that certificate lets us in.
    ``silent_s``, ``silent_since``: for a link that is up, how long it has been silent and when it
    was heard last, if that is long; else 0 and None. ``has_stopped``: for a link that we dial, its
    neighbor stopped as planned, and is not back.
    """

    name: str
    neighbour_name: str
    neighbour_site: str
    neighbour_router: str
    direction: Direction
    cost: int
    state: LinkState
    since: float
    rtt_s: float | None
    lanes: int
    streams: int
    error: str
    error_code: LinkErrorCode
    bytes_in: int
    bytes_out: int
    terms: Terms = FREE
    endpoint: str = ""
    via: str = ""
    certificate: str = ""
    held: Terms = FREE
    silent_s: float = 0.0
    silent_since: float | None = None
    has_stopped: bool = False


def in_words(name: str, direction: str, neighbour: str) -> str:
    """A link as every surface names it: ``link link1 to west``, ``link east from east``."""
    preposition = "to" if direction == "outgoing" else "from"
    return f"link {name} {preposition} {neighbour}" if neighbour else f"link {name}"


def listed(
    outgoing: Collection[OutgoingLink],
    leaving: Collection[OutgoingLink],
    incoming: Mapping[LinkSession, str],
    lost: Collection[LinkStatus],
) -> list[LinkStatus]:
    """All links to other sites, by name: configured links, ``leaving`` ones no longer configured,
    incoming ones with their names, and ``lost`` ones.

    A link whose neighbor stops drains: its successor gets a separate line only once it is up.
    """
    lines = [
        outgoing_status(link)
        for link in (*outgoing, *leaving)
        if not link.spec.is_sibling and shown_for(link, leaving) is link
    ]
    lines += lost
    lines += [
        incoming_status(name, session)
        for session, name in incoming.items()
        if session.neighbour is None or not session.neighbour.is_sibling
    ]
    return sorted(lines, key=lambda line: (line.name, line.direction, line.state == "draining"))


def joined(lines: Sequence[LinkStatus]) -> list[LinkStatus]:
    """``lines``, with one row for the connections of one incoming link: each worker of the
    neighbor's router dials it.

    Those that drain have a separate row; until they end, the row of the link counts their bytes.
    """
    rows = [line for line in lines if line.direction == "outgoing"]
    incoming: dict[tuple[str, str], list[LinkStatus]] = {}
    for line in lines:
        if line.direction == "incoming":
            incoming.setdefault((line.name, line.neighbour_site), []).append(line)
    for each in incoming.values():
        draining = [line for line in each if line.state == "draining"]
        staying = [line for line in each if line.state != "draining"]
        if staying:
            rows.append(_row_of(staying, each))
        if draining:
            rows.append(_row_of(draining, draining))
    return rows


def _row_of(lines: Sequence[LinkStatus], counted: Sequence[LinkStatus]) -> LinkStatus:
    """One row for ``lines``, with the bytes of all ``counted``."""
    first, silent = lines[0], max(lines, key=lambda line: line.silent_s)
    return msgspec.structs.replace(
        first,
        rtt_s=next((line.rtt_s for line in lines if line.rtt_s is not None), None),
        lanes=sum(line.lanes for line in lines),
        streams=sum(line.streams for line in lines),
        error=next((line.error for line in lines if line.error), ""),
        bytes_in=sum(line.bytes_in for line in counted),
        bytes_out=sum(line.bytes_out for line in counted),
        silent_s=silent.silent_s,
        silent_since=silent.silent_since,
    )


def shown_for(link: OutgoingLink, leaving: Collection[OutgoingLink]) -> OutgoingLink:
    """``link``, or the link it will replace if that still drains: the neighbor may come back."""
    before = link.predecessor
    is_awaited = before is not None and before in leaving and link.state != "up"
    return before if before is not None and is_awaited else link


def outgoing_status(link: OutgoingLink) -> LinkStatus:
    """The line of a link that we dial."""
    line = _status(link.name, link.neighbour, link.session)
    state = "draining" if link.is_ending or line.state == "draining" else link.state
    return msgspec.structs.replace(
        line,
        neighbour_name=line.neighbour_name or link.spec.expected_name,
        neighbour_site=line.neighbour_site or link.spec.expected_site or "",
        direction="outgoing",
        cost=link.spec.cost,
        state=state,
        since=link.since,
        error=link.error or line.error,
        error_code=link.error_code,
        streams=line.streams + link.older_stream_count,
        endpoint=link.endpoint,
        via="" if link.spec.via is None else str(link.spec.via),
        certificate=_fingerprint(link.session),
        held=link.spec.terms,
        bytes_in=line.bytes_in + link.bytes_in_before,
        bytes_out=line.bytes_out + link.bytes_out_before,
        silent_s=line.silent_s if state == "up" else 0.0,
        silent_since=line.silent_since if state == "up" else None,
        has_stopped=link.has_stopped,
    )


def _fingerprint(session: LinkSession | None) -> str:
    return fingerprint(session.config.certificate).hex() if session is not None else ""


def incoming_status(name: str, session: LinkSession) -> LinkStatus:
    """The line of an accepted link that is up."""
    return _status(name, session.neighbour, session)


def _silence(silent_s: float) -> str:
    """The error of a link that is still up; if it stays silent, the link goes down with these
    words."""
    return f"nothing was heard for {silent_s:.2f} s" if silent_s else ""


def _status(name: str, neighbour: Neighbour | None, session: LinkSession | None) -> LinkStatus:
    drains = session is not None and session.link_drain.is_draining
    return LinkStatus(
        name=name,
        neighbour_name=neighbour.name if neighbour else "",
        neighbour_site=neighbour.site if neighbour else "",
        neighbour_router=neighbour.router if neighbour else "",
        direction="incoming",
        cost=session.cost if session else 0,
        state="draining" if drains else "up",
        since=session.up_at or 0.0 if session else 0.0,
        rtt_s=session.lanes.rtt_s if session else None,
        lanes=1 if session is not None and session.lanes.data.current is not None else 0,
        streams=session.lanes.stream_count if session else 0,
        error=_silence(session.silent_s) if session else "",
        error_code="",
        bytes_in=session.lanes.bytes_in if session else 0,
        bytes_out=session.lanes.bytes_out if session else 0,
        terms=neighbour.terms if neighbour else FREE,
        silent_s=session.silent_s if session and not drains else 0.0,
        silent_since=session.silent_since if session and not drains else None,
    )
