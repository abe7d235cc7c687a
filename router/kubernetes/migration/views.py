"""Values of a migration: its view of one address, and its next step."""

from typing import Literal

import msgspec

from router.kubernetes.migration.record import Release
from router.kubernetes.objects.changes import Change
from router.kubernetes.objects.objects import Object
from router.kubernetes.services import adoption, owned_services

Waiting = Literal["", "targets", "given-back", "led", "let-go", "taken-back", "proxies"]


class AddressView(msgspec.Struct, frozen=True, kw_only=True):
    """The state of one address. None: there is no such object.

    ``wanted``: the ConfigMaps of documents that it should have; ``maps``: those that exist.
    ``router_runs``: our router runs.
    ``is_serving``: requests to the address would find a target through our router, by all of
    ``services``; ``needs_targets``: groups of them that each need one target.
    ``patience``: waits that ran out of time.
    ``is_led``: a Service leads to our routers in the end.
    ``only_declare``: stop before any object of Skupper is touched.

    Of v1: ``annotated`` objects carry, or carried, Skupper's annotations for the address;
    ``controller_runs``: Skupper's controller runs. Of v2: ``control`` is ConfigMap ``skupper``,
    ``site`` the Site.
    """

    address: str
    release: Release = "v1"
    wanted: tuple[Object, ...] = ()
    maps: dict[str, Object] = {}
    records: Object | None = None
    service: Object | None = None
    services: tuple[str, ...] = ()
    needs_targets: tuple[tuple[str, ...], ...] = ()
    router_runs: bool = True
    is_serving: bool = False
    patience: frozenset[Waiting] = frozenset()
    is_led: bool = True
    only_declare: bool = False
    annotated: tuple[Object, ...] = ()
    entries: Object | None = None
    controller_runs: bool = False
    control: Object | None = None
    site: Object | None = None


class MigrationStep(msgspec.Struct, frozen=True, kw_only=True):
    """``text``: a human-readable description. Either ``changes``, or a wait for others' actions.

    ``limit_s``: seconds until the next step continues without the wait; 0: it must come true.
    ``hint``: the step is impossible, as ``text`` explains; the user must do this first.
    """

    text: str
    changes: tuple[Change, ...] = ()
    waits_for: Waiting = ""
    limit_s: float = 0.0
    hint: str = ""


def is_ours(service: Object | None) -> bool:
    """Whether our routers maintain the Service, made or adopted."""
    return service is not None and (adoption.is_adopted(service) or owned_services.is_made(service))
