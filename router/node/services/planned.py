"""A planned service port of this site, and its planned targets."""

from typing import Literal

import msgspec

from router.model.capacity import LendingTerms, Rate, SiteCap
from router.model.ids import ServiceKey
from router.model.messages.adverts import Declaration
from router.model.settings import Health
from router.model.specs import ListenerSpec


class PlannedTarget(msgspec.Struct, frozen=True, kw_only=True):
    """One target and how its connector wants it handled.

    ``capacity``, ``rate``, ``auto``, ``before`` as in `model.capacity.TargetTerms`. ``name``: a
    pod's name, empty if the target has none. ``unusable`` and ``last_resort`` as in `TargetSpec`.
    """

    connector: str
    name: str = ""
    unusable: str = ""
    last_resort: str = ""
    capacity: int | None = None
    rate: Rate | None = None
    auto: bool = False
    before: int = 0
    health: Health = Health()
    tls_trust: str = ""
    tls_server_name: str = ""
    tls_check_name: bool = True
    tls_show_cert: bool = True
    proxy_protocol: bool = False
    allow_link_local: bool = False


Taker = Literal["this site", "this router"]


class PlannedService(msgspec.Struct, frozen=True, kw_only=True):
    """One service port at this site. ``listen`` None: no listener here, ``why_not`` says why;
    ``lacks_listener``: and no document of this site asks for that.

    ``cap``: the most that this site takes of it; None: as much as its targets do. ``takes``: the
    share of its capacity that the site takes, which ``targets`` and ``cap`` already include;
    ``way_back``: the commands that make it take all again; ``taker``: the whole site, or this
    router of several with separate documents. ``lending``: how much of its slots clients of other
    sites get. ``tls_cert``: the credential that its listener shows; empty: it speaks no TLS.
    ``tls_client_trust``: the credential whose CA certifies its clients; empty: any client may
    connect. ``shared``: the Listener document that lets other services share this listener.
    """

    key: ServiceKey
    declaration: Declaration
    targets: dict[str, PlannedTarget]
    has_connector: bool
    listen: tuple[str, int] | None
    why_not: str = ""
    lacks_listener: bool = False
    cap: SiteCap | None = None
    takes: float = 1.0
    way_back: str = ""
    taker: Taker = "this site"
    lending: LendingTerms = LendingTerms()
    tls_cert: str = ""
    tls_client_trust: str = ""
    shared: ListenerSpec | None = None
