"""Links of this site and the sites of the network."""

import msgspec


class SiteName(msgspec.Struct, frozen=True):
    """A site's readable name and id."""

    name: str
    id: str


class AllowView(msgspec.Struct, frozen=True, rename={"import_": "import"}):
    """Patterns of services; None: all."""

    declare: tuple[str, ...] | None
    export: tuple[str, ...] | None
    import_: tuple[str, ...] | None


class LinkAtWorker(msgspec.Struct, frozen=True, kw_only=True):
    """One worker's connection for a link."""

    worker: int
    state: str
    since: str
    error: str


class LinkView(msgspec.Struct, frozen=True, kw_only=True):
    """`link status`. ``lanes``: data lanes that are up, ``streams``: those open now.

    ``standby``: an edge's second link, which is up and takes over when the other one goes.
    ``error_code``: ``clock``, the clocks of both ends differ; ``copy``, the neighbor is linked to
    another router with our identity, or this one left as a copy; ``proxy``, the link's proxy
    refuses; ``deleted``, the neighbor was deleted; ``expired``, the neighbor says that our
    certificate has expired; ``token``, the link's Secret has no usable token, which is a problem of
    the Secret; otherwise empty. ``endpoint``: the address of a link that is dialed
    here; ``via``: its proxy. ``certificate``: SHA-256 of such a link's own certificate, hex.
    ``allow``: the services that the neighbor may declare, export and import here; ``held``: those
    that this site may there. None: no terms. ``bytes_in_total``, ``bytes_out_total``: bytes since
    the router started, as in `spillway_link_bytes_total`. ``succeeded``: it drains while the same
    link is up by another connection: no fault, and not counted as a link. ``silent_since``: it is
    up, but nothing was heard over it since then; None: the neighbor is heard. ``workers``: how many
    workers of the router dial it, each separately; 0: there is one process. While some of them are
    connected the link is up, and ``workers_down`` are the others.
    """

    name: str
    neighbour: SiteName
    direction: str
    cost: int
    state: str
    since: str
    rtt_ms: float | None
    lanes: int
    streams: int
    error: str
    certificate_expires: str | None
    standby: bool = False
    error_code: str = ""
    allow: AllowView | None = None
    endpoint: str = ""
    certificate: str = ""
    via: str = ""
    held: AllowView | None = None
    bytes_in_total: int = 0
    bytes_out_total: int = 0
    succeeded: bool = False
    silent_since: str | None = None
    workers: int = 0
    workers_down: tuple[LinkAtWorker, ...] = ()


class NeighbourCost(msgspec.Struct, frozen=True):
    """An adjacency, as its site reports it."""

    site: str
    cost: int


class BarView(msgspec.Struct, frozen=True, kw_only=True):
    """``site`` bars another one, ``until`` then."""

    site: str
    id: str
    until: str


class SiteView(msgspec.Struct, frozen=True, kw_only=True):
    """`network status`: one known site. ``path_cost`` None: not reachable, for this ``reason``.

    ``reason`` is empty when no path is known. ``barred_by``: the sites that bar it; ``put_out``:
    its declarations and offers count for nothing at this site. ``services_at``: the site is out of
    reach, and ``services`` are its offers at that time, when last heard; empty: they are current,
    or unknown. ``neighbours_known``: ``neighbours`` are complete; an edge router knows only its own
    links. ``draining``: it stops, and takes nothing new.
    """

    name: str
    id: str
    path_cost: int | None
    next_hops: tuple[str, ...]
    neighbours: tuple[NeighbourCost, ...]
    services: tuple[str, ...]
    reachable: bool
    version: str
    reason: str = ""
    barred_by: tuple[BarView, ...] = ()
    put_out: bool = False
    services_at: str = ""
    neighbours_known: bool = True
    draining: bool = False
