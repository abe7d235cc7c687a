"""A router of a namespace has ended: `spillway-status` and `sitectl status` say so."""

import json
import signal
import socket
from datetime import UTC, datetime
from typing import Any

from router.kubernetes.codecs.status import valid_until
from router.kubernetes.objects.names import ROUTER, STATUS_CONFIGMAP
from tests.kubernetes.routers import LINK_PORT, Router
from tests.scenario.waiting import until
from tests.truth.conftest import in_a_namespace
from tests.truth.namespaces import SOON, NamespaceSite
from tests.truth.scene import Shop

pytestmark = in_a_namespace


def written(site: NamespaceSite) -> dict[str, Any]:
    found = site.cluster.get("ConfigMap", STATUS_CONFIGMAP, site.namespace)
    told: dict[str, Any] = json.loads(
        (found or {"data": {"status.json": "{}"}})["data"]["status.json"]
    )
    return told


def has_written(site: NamespaceSite) -> None:
    """Wait until it says in the namespace that it serves and is linked."""
    until(lambda: site.status().startswith("Ready: True"), "it serves")
    until(lambda: "Link far: up" in site.status(), "it is linked")


def stop(site: NamespaceSite) -> None:
    """As the kubelet does."""
    site.signal(signal.SIGTERM)
    until(site.gone, "it has ended")


def test_the_last_router_stops_in_order(shop: Shop) -> None:
    near = shop.near
    assert isinstance(near, NamespaceSite)
    has_written(near)
    stop(near)
    assert near.status().startswith(
        "Ready: False (the last router of this site has stopped in order)"
    )
    assert "Link far: down" in near.status()
    assert "in order" in near.ctl("status", code=3).out
    near.start()
    until(lambda: near.status().startswith("Ready: True"), "the next one serves")


def test_the_next_router_finds_its_link_port_taken(shop: Shop) -> None:
    """It holds the Lease when it gives up: what it writes must not call that an orderly stop."""
    near = shop.near
    assert isinstance(near, NamespaceSite)
    has_written(near)
    stop(near)
    with socket.create_server((near.address, LINK_PORT)):
        user = near.cluster.service_account(near.namespace, ROUTER)
        (pod,) = near.cluster.list("Pod", near.namespace)
        code, said = Router(
            near.cluster,
            near.namespace,
            near.state / "next",
            user,
            near.address,
            bounds=SOON,
            pod=pod["metadata"]["name"],
        ).ended()
    assert code == 1
    assert "Address already in use" in said
    assert near.status().startswith(
        f"Ready: False (the last router of this site ended: cannot accept links on {near.address}:"
    )
    assert "in order" not in near.ctl("status", code=3).out


def test_one_of_two_routers_stops_in_order(shop: Shop) -> None:
    near = shop.near
    assert isinstance(near, NamespaceSite)
    other = near.replica()
    try:
        has_written(near)
        until(lambda: other.is_up("far"), "it is linked, too")
        stop(near)
        assert "stopped in order" not in near.status()
        before = written(near)["writtenAt"]
        until(lambda: written(near)["writtenAt"] > before, "the other one writes")
        until(lambda: near.status().startswith("Ready: True"), "it serves")
    finally:
        other.stop()


def test_a_router_is_killed(shop: Shop) -> None:
    near = shop.near
    assert isinstance(near, NamespaceSite)
    has_written(near)
    near.kill()
    ends = valid_until(written(near))
    assert ends is not None
    assert "one runs or ended just now" in near.ctl("status", code=3).out
    until(lambda: datetime.now(UTC).timestamp() > ends, "it holds no longer")
    assert "no router has written since" in near.ctl("status", code=3).out
