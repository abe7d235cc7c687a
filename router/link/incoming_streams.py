"""Streams that neighbors open here: each ends here, goes on to the next link, or is refused."""

from collections.abc import Mapping

from router.link import control
from router.link.adjacency import LinkAdjacency
from router.link.neighbour import Neighbour
from router.link.ports import LinkOwner, OfferedStream, OpenRequest, Refusal, StreamOpener
from router.link.sessions.session import LinkSession
from router.link.transit import brought, fill_path, judge_path, relay
from router.model.ids import RouterId, SiteId, is_site_id
from router.model.rights.sharing import FREE


class OfferedStreams:
    """Judges each OPEN, until `stop`."""

    __slots__ = (
        "_alone",
        "_fills_paths",
        "_here",
        "_known",
        "_opener",
        "_owner",
        "_site",
        "_stopped",
    )

    def __init__(
        self,
        here: RouterId,
        site: SiteId,
        owner: LinkOwner,
        known: Mapping[RouterId, LinkAdjacency],
        opener: StreamOpener,
        *,
        fills_paths: bool,
    ) -> None:
        """``here``, ``site``: our own ids; ``known``: adjacent routers now; ``opener``: opens a
        stream on the next link. ``fills_paths``: complete the paths that edges leave open; an edge
        does not, since nothing passes through it."""
        self._stopped = False
        self._here, self._site = here, site
        self._alone = (here,)  # The path of a stream that ends here.
        self._owner = owner
        self._known = known
        self._opener = opener
        self._fills_paths = fills_paths

    def stop(self) -> None:
        """This site stops: refuse all streams from now on."""
        self._stopped = True

    def take(self, session: LinkSession, stream: OfferedStream, body: bytes) -> None:
        """Refuse ``stream``, which came over ``session`` by an OPEN of ``body``, or set where it
        leads.

        Raises RemoteProtocolError.
        """
        came_from = session.neighbour
        assert came_from is not None, "streams come over links that are up"
        is_plain = (
            came_from.terms is FREE
            and not came_from.is_edge
            and not self._stopped
            and self._here != came_from.router
        )
        if is_plain:
            offers = self._owner.known_offers
            if body in offers and offers[body].take(stream):
                return
        decode = control.decode_brought if came_from.is_sibling else control.decode_open
        request = decode(body)
        ingress = request.ingress  # Used for display, counters and queueing, so it must be valid.
        if ingress != came_from.site and not is_site_id(ingress):
            stream.refuse("not-allowed", -1)
            return
        if ingress == self._site and not (self._stopped or self._may_be_ours(came_from, request)):
            # A router of ours that has just started then waits for its route.
            stream.refuse("no-route", -1)
            return
        if is_plain and request.path == self._alone:  # The checks below would find the same.
            self._owner.stream_offered(stream, request, body)
            return
        if not judge_path(request.path, self._here, stream.neighbour):
            stream.refuse("not-allowed", -1)
            return
        if self._stopped:  # It crossed our DRAIN: no byte of it reached a target.
            stream.refuse("draining" if len(request.path) == 1 else "no-route", -1)
            return
        onward = self._whole(stream.neighbour, request)
        if not isinstance(onward, OpenRequest):
            stream.refuse(onward, -1)
            return
        if not self._may_pass(session, onward):
            stream.refuse("not-allowed", -1)
            return
        if len(onward.path) == 1:
            self._owner.stream_offered(stream, onward)
        else:
            relay(stream, self._for_next(came_from, onward), self._opener)

    def _for_next(self, came_from: Neighbour, request: OpenRequest) -> OpenRequest:
        """``request``, with the site it came from if the next router is one of our own site: that
        router counts what it serves by neighbor."""
        following = self._known.get(request.path[1])
        if came_from.is_sibling or following is None or not following.neighbour.is_sibling:
            return request
        return brought(request, came_from.site)

    def _may_be_ours(self, came_from: Neighbour, request: OpenRequest) -> bool:
        """Whether a request may carry our own site id, which would pass our rules and join the line
        of our own routers."""
        return came_from.is_sibling or self._owner.may_bring_ours(came_from, request)

    def _may_pass(self, session: LinkSession, request: OpenRequest) -> bool:
        """Ask the owner if a link on the way leads to an edge or has terms."""
        came_from = session.neighbour
        assert came_from is not None, "streams come over links that are up"
        following = self._known.get(request.path[1]) if len(request.path) > 1 else None
        to = following.whole_neighbour if following is not None else None
        if all(one is None or one.is_plain for one in (came_from, to)):
            return True
        return self._owner.may_pass(came_from, to, request)

    def _whole(self, neighbour: RouterId, request: OpenRequest) -> OpenRequest | Refusal:
        """``request``, with its whole path if an edge has left that to us."""
        if len(request.path) == 1:
            return request
        if not self._fills_paths:
            return "not-allowed"
        adjacency = self._known.get(neighbour)
        if adjacency is None or not adjacency.neighbour.is_edge:
            return request
        return fill_path(request, neighbour, self._owner.path_for_edge)
