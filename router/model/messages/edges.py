"""Messages between an edge router and its neighbor: wishes and table rows.

All arrays may grow at their end in later versions. Only types and sizes are checked here; the
receiver judges the rows (`routing`).
"""

from typing import Annotated

import msgspec

from router.model.ids import RouterId, ShownSiteName, SiteId
from router.model.limits import (
    COUNTER_MAX,
    EDGE_CONFLICTS_MAX,
    EDGE_DELETED_MAX,
    EDGE_OWNERS_MAX,
    EDGE_ROWS_MAX,
    EDGE_UNUSED_SITES_MAX,
    EDGE_WISHES_MAX,
    GRANTS_PER_SERVICE_MAX,
    ID_CHARS_MAX,
    LSA_PART_BYTES_MAX,
    NAME_CHARS_MAX,
    PROTOCOL_CHARS_MAX,
)
from router.model.rights.grants import ServiceGrant

_Count = Annotated[int, msgspec.Meta(ge=0, le=COUNTER_MAX)]
_Router = Annotated[RouterId, msgspec.Meta(min_length=1, max_length=ID_CHARS_MAX)]
_Site = Annotated[SiteId, msgspec.Meta(min_length=1, max_length=ID_CHARS_MAX)]
_Service = Annotated[str, msgspec.Meta(min_length=1, max_length=NAME_CHARS_MAX)]
_Port = Annotated[int, msgspec.Meta(ge=1, le=65_535)]
_Text = Annotated[str, msgspec.Meta(max_length=2 * NAME_CHARS_MAX)]

CandidateId = tuple[_Service, _Port, _Router]
"""Identifies a candidate row."""


class SiteRow(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A router in the table. ``path_cost`` and ``epoch`` as its sender knows them.

    ``draining``: all routers of its site stop. Older versions neither send nor read it.
    """

    router: _Router
    site: _Site
    name: ShownSiteName
    version: _Text
    path_cost: _Count
    epoch: _Count
    draining: bool = False


class ServiceRow(msgspec.Struct, frozen=True, array_like=True):
    """A declaration in force, as in `routing.table.Declared`.

    ``declaration`` is an encoded `Declaration`: if a newer version encodes it differently, only
    that service is lost. ``owners`` of the name and their ``grants``, as in
    `model.rights.owners.Owner`; None: an older version sends none.
    """

    name: _Service
    declaration: Annotated[bytes, msgspec.Meta(max_length=LSA_PART_BYTES_MAX)]
    site: _Site
    reachable: bool
    conflicts: Annotated[tuple[_Site, ...], msgspec.Meta(max_length=EDGE_CONFLICTS_MAX)] = ()
    owners: Annotated[tuple[_Site, ...], msgspec.Meta(max_length=EDGE_OWNERS_MAX)] | None = None
    grants: Annotated[
        tuple[ServiceGrant, ...], msgspec.Meta(max_length=GRANTS_PER_SERVICE_MAX)
    ] = ()


class CandidateRow(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Targets of a service port at ``router``, which has a `SiteRow`. ``serves`` as in
    `RemoteCandidate`; older versions neither send nor read it."""

    service: _Service
    port: _Port
    router: _Router
    targets_ready: _Count
    capacity: _Count | None
    draining: bool
    rate_per_s: float | None = None
    shares_targets: bool = False
    reserved: _Count = 0
    most_for_one: _Count | None = None
    serves: Annotated[str, msgspec.Meta(max_length=PROTOCOL_CHARS_MAX)] = ""

    @property
    def id(self) -> CandidateId:
        """The key of this row."""
        return self.service, self.port, self.router


class WishMessage(msgspec.Struct, frozen=True, array_like=True, tag="wish"):
    """The services that an edge wants to hear about; None: all.

    ``number`` grows with each wish. ``since`` is the number of the first wish of this attachment: a
    new value means that the edge holds no row. ``met``: sites that it knows, the most recent ones.
    Older versions neither send nor receive ``met``.
    """

    since: _Count
    number: _Count
    services: Annotated[tuple[_Service, ...], msgspec.Meta(max_length=EDGE_WISHES_MAX)] | None
    met: Annotated[tuple[_Site, ...], msgspec.Meta(max_length=EDGE_UNUSED_SITES_MAX)] = ()


class TableMessage(msgspec.Struct, frozen=True, array_like=True, tag="table", kw_only=True):
    """Changes of an edge's table from version ``base`` to ``version``.

    A greater ``series`` restarts with base 0. With ``is_last`` the table is complete, and fulfills
    the wish of number ``wish``. ``left_out``: how many services found no room. ``draining``: the
    sender stops, and no path leads across it any more. ``deleted``: deleted sites among those sent
    before or, in the first message, all deleted sites. ``withheld``: targets of a wanted service
    that are offered to other sites only; they are in ``gone_candidates`` once they are gone. Older
    versions neither send nor receive the last two fields.
    """

    series: _Count
    base: _Count
    version: _Count
    wish: _Count
    is_last: bool
    left_out: _Count
    draining: bool
    sites: Annotated[tuple[SiteRow, ...], msgspec.Meta(max_length=EDGE_ROWS_MAX)] = ()
    services: Annotated[tuple[ServiceRow, ...], msgspec.Meta(max_length=EDGE_ROWS_MAX)] = ()
    candidates: Annotated[tuple[CandidateRow, ...], msgspec.Meta(max_length=EDGE_ROWS_MAX)] = ()
    gone_sites: Annotated[tuple[_Router, ...], msgspec.Meta(max_length=EDGE_ROWS_MAX)] = ()
    gone_services: Annotated[tuple[_Service, ...], msgspec.Meta(max_length=EDGE_ROWS_MAX)] = ()
    gone_candidates: Annotated[tuple[CandidateId, ...], msgspec.Meta(max_length=EDGE_ROWS_MAX)] = ()
    deleted: Annotated[tuple[_Site, ...], msgspec.Meta(max_length=EDGE_DELETED_MAX)] = ()
    withheld: Annotated[tuple[CandidateId, ...], msgspec.Meta(max_length=EDGE_ROWS_MAX)] = ()


class HaveMessage(msgspec.Struct, frozen=True, array_like=True, tag="have"):
    """An edge confirms that it holds this version of its table."""

    series: _Count
    version: _Count


EdgeMessage = WishMessage | TableMessage | HaveMessage
