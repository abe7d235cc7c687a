"""What a migration sees of one address, and what it does next: the values of this room."""

from typing import Literal

import msgspec

from router.kubernetes.migration.record import Release
from router.kubernetes.objects.changes import Change
from router.kubernetes.objects.objects import Object
from router.kubernetes.services import adoption, owned_services

Waiting = Literal["", "targets", "given-back", "led", "let-go", "taken-back", "proxies"]


class AddressView(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of one address. None: there is no such object.

    ``wanted``: the ConfigMaps of documents that it shall have; ``maps``: those that there are.
    ``router_runs``: ours. ``is_serving``: requests to the address would find a target through our
    router, by all of ``services``; ``needs_targets``: groups of them, of each one needs a target.
    ``patience``: waits that had their time. ``is_led``: a Service
    leads to our routers in the end. ``only_declare``: stop before anything of Skupper's is touched.

    Of v1: ``annotated`` objects carry, or carried, Skupper's annotations for the address;
    ``controller_runs``: Skupper's. Of v2: ``control`` is ConfigMap ``skupper``, ``site`` the Site.
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
    """``text``: what is done, for people. Either ``changes``, or a wait for what others do.

    ``limit_s``: the wait ends then, and the next step goes on without; 0: it must come true.
    ``hint``: nothing can be done, ``text`` says why; this is what a person does first.
    """

    text: str
    changes: tuple[Change, ...] = ()
    waits_for: Waiting = ""
    limit_s: float = 0.0
    hint: str = ""


def is_ours(service: Object | None) -> bool:
    """Whether our routers keep the Service, made or adopted."""
    return service is not None and (adoption.is_adopted(service) or owned_services.is_made(service))
