"""HTTP clients: one session per connection, as its connection and its owner see it."""

from collections.abc import Callable

from router.exchange.clients.http1.client import HttpClient
from router.exchange.clients.http1.client_states import ClientEvent, ClientState
from router.exchange.clients.http1.client_table import TABLE
from router.model.requests import Request
from router.net.ports import Connection, Loss, is_ours
from router.service.http_frontend import HttpFrontend
from router.service.ports import ClientLeg, LegHandler
from router.service.targets.target_tcp import Received

_RAW = (ClientState.TUNNEL, ClientState.FRAMES, ClientState.DISMISSED, ClientState.LEFT)


def _nobody() -> None:
    pass


class HttpSession:
    """`ConnectionHandler` of one client connection; its `HttpClient` handles the messages.

    ``open_leg`` is called once per request. ``refused`` gets the status of each request that was
    answered before a leg was opened. Its `ClientDeadlines` limits how long the client may take. A
    client that finishes before its answer counts as gone, with all requests that it pipelined,
    unless ``frontend`` says otherwise: nginx and Envoy do the same, since a client that closes its
    socket after a time-out looks just the same. A tunnel is like tcp. ``over`` is called when a
    tunnel has ended that lasted beyond `lost`.
    """

    __slots__ = ("_client", "ended", "received", "writable")

    def __init__(
        self,
        connection: Connection,
        frontend: HttpFrontend,
        *,
        open_leg: Callable[[Request, LegHandler], ClientLeg],
        refused: Callable[[int], None],
        over: Callable[[], None] = _nobody,
    ) -> None:
        self._client = client = HttpClient(
            connection, TABLE, frontend, open_leg=open_leg, refused=refused, over=over
        )
        # Hot: no call of ours in between.
        self.received: Received = client.client_received
        self.ended: Callable[[], None] = client.client_ended
        self.writable: Callable[[], None] = client.client_writable

    def lost(self, cause: Loss | None) -> None:
        event = ClientEvent.CLOSED
        if cause is not None:
            event = ClientEvent.DROPPED if is_ours(cause) else ClientEvent.LOST
        self._client.client_lost(event)

    def tell_answers(self, answered: Callable[[int], None]) -> None:
        """``answered`` gets the status of each request that had a leg, at its end; 499: the client
        was gone.
        """
        self._client.tell_answers(answered)

    def drain(self) -> None:
        """Close after the next response, which carries ``Connection: close``.

        An idle client may be sending just now, and could not know whether a request that meets our
        FIN was executed: it has `limits.DRAIN_IDLE_S` to ask again. Tunnels stay until they end or
        the connection is aborted.
        """
        self._client.drain()

    @property
    def is_raw(self) -> bool:
        """As in `TcpSession`: a tunnel."""
        return self._client.state in _RAW

    @property
    def leaves_gently(self) -> bool:
        """As in `TcpSession`: by the next answer, or a Close of WebSocket."""
        state = self._client.state
        return state is ClientState.FRAMES or state not in _RAW

    @property
    def activity(self) -> object:
        """Changes whenever bytes of a tunnel have moved."""
        return self._client.deadlines.deadline

    def leave(self, *, quiet: bool) -> None:
        """Close after the next answer, which announces it; an idle connection may stay.

        A WebSocket gets a Close as soon as a frame ends, if its frames are followed; any other
        tunnel ends both ways if ``quiet``, as tcp does. Call it repeatedly while the client is
        there.
        """
        self._client.leave(quiet=quiet)

    def shed_idle(self) -> bool:
        """Close if no request is under way, to save memory; False: one is."""
        is_idle = self._client.is_idle
        if is_idle:
            self._client.close_idle()
        return is_idle

    def abort(self) -> None:
        """End at once, as after the grace of a drain."""
        self._client.abort()

    @property
    def outlives_client(self) -> bool:
        """The client's connection is lost, and bytes of its tunnel are still on their way."""
        return self._client.state is ClientState.OUTLIVING

    @property
    def legs(self) -> list[ClientLeg]:
        """The leg under way, if there is one."""
        leg = self._client.leg
        return [leg] if leg is not None else []
