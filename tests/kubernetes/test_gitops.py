"""A site kept by a GitOps tool that heals and prunes: who writes what, and that it ends."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from router.kubernetes.objects import names
from router.kubernetes.services.adoption import leads_to_routers
from tests.kubernetes.cluster import Cluster
from tests.kubernetes.gitops import ANNOTATION, LABEL, GitOps
from tests.kubernetes.places import IMAGES, Place, copied, install_controller, settled, writes
from tests.kubernetes.published import REQUEST, filled, shop, site
from tests.scenario.waiting import until

RECONCILES = 120
"""An hour of them, at two a minute."""
FIGHT_S = 5.0
STATUS = f"ConfigMap/{names.STATUS_CONFIGMAP}"
"""Written at most every 30 s, whenever something in it has changed."""
SERVICE = """
apiVersion: v1
kind: Service
metadata:
  name: shop
  annotations: {skupper.io/proxy: http}
spec:
  selector: {app: shop}
  ports: [{port: 80, targetPort: 8080}]
"""


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    with Cluster(tmp_path / "cluster", images=IMAGES, proxy=True) as made:
        install_controller(made)
        yield made


def plain(name: str) -> str:
    """A Deployment that is not exposed."""
    return shop(name).replace("skupper.io/", "unused.example/")


@pytest.mark.parametrize(
    ("server_side", "mark"),
    [(True, ANNOTATION), (False, LABEL)],
    ids=["server-side", "client-side"],
)
def test_nothing_of_ours_is_pruned_and_nobody_writes_once_all_is_settled(
    cluster: Cluster, server_side: bool, mark: str
) -> None:
    east, west = Place(cluster, "east"), Place(cluster, "west")
    tools = [GitOps(cluster, each, server_side=server_side, mark=mark) for each in ("east", "west")]
    to_east, to_west = tools
    try:
        to_east.want(site("east"), REQUEST.format(name="to-east"), shop("east"))
        to_west.want(site("west"), shop("west"), shop("other", "other"))
        for tool in tools:
            tool.sync()
        west.apply(copied(filled(east, "to-east")))  # By a tool that syncs Secrets.
        east.answers("other")
        west.answers("shop", by="west")

        to_east.sync()  # Heals the label of the request, once each time that it was filled.
        mark_at = settled(cluster)
        for _ in range(RECONCILES):
            assert [tool.sync() for tool in tools] == [0, 0], [tool.written for tool in tools]
        settled(cluster)
        assert [one for one in writes(cluster, mark_at) if one[2] != STATUS] == []
        assert [tool.pruned for tool in tools] == [[], []]
        assert east.answers("other")
        to_west.drop("Deployment", "other")
        to_west.sync()
        until(lambda: east.get("Service", "other") is None, "a dropped service goes everywhere")
    finally:
        for tool in tools:
            tool.close()


def test_a_service_that_a_tool_heals_is_fought_over_ever_more_rarely_and_serves_all_the_time(
    cluster: Cluster,
) -> None:
    west = Place(cluster, "west")
    tool = GitOps(cluster, "west", server_side=True, mark=ANNOTATION)
    try:
        tool.want(site("west"), plain("shop"), SERVICE)
        tool.sync()
        west.starts()
        west.answers("shop", by="shop")
        until(lambda: leads_to_routers(west.get("Service", "shop") or {}), "it is adopted")
        mark_at = len(cluster.faults.seen)
        end = time.monotonic() + FIGHT_S
        while time.monotonic() < end:
            tool.sync()
            west.ask("shop")  # Whichever site leads at that moment.
        fought = len(writes(cluster, mark_at, "Service"))
        assert 1 <= fought <= 4  # At once, at once, after 2 s, after 4 s: `SERVICE_RETRY_S`.
        assert tool.pruned == []
    finally:
        tool.close()


@pytest.mark.parametrize("is_rewriting", [True, False], ids=["ignored-difference", "no-rewriting"])
def test_two_ways_to_expose_a_service_of_a_healing_tool_settle_at_once(
    cluster: Cluster, is_rewriting: bool
) -> None:
    """``ignoreDifferences`` for the rewritten fields, or ``rewrite-selectors: false``."""
    west, east = Place(cluster, "west"), Place(cluster, "east")
    ignored = ("Service/spec/selector", "Service/spec/ports") if is_rewriting else ()
    tool = GitOps(cluster, "west", server_side=True, mark=ANNOTATION, ignored=ignored)
    try:
        manifest = site("west")
        if not is_rewriting:
            manifest += '  rewrite-selectors: "false"\n'
        tool.want(manifest, plain("shop"), SERVICE)
        tool.sync()
        east.apply(site("east"), REQUEST.format(name="to-east"))
        west.apply(copied(filled(east, "to-east")))
        east.answers("shop", by="shop")
        west.answers("shop", by="shop")
        tool.sync()
        mark_at = settled(cluster)
        for _ in range(RECONCILES):
            assert tool.sync() == 0
        assert writes(cluster, mark_at, "Service") == []
        found = west.get("Service", "shop")
        assert found is not None
        assert leads_to_routers(found) == is_rewriting
    finally:
        tool.close()


def test_one_certificate_token_synced_to_several_namespaces_works_for_each(
    cluster: Cluster,
) -> None:
    hub = Place(cluster, "hub")
    hub.apply(site("hub"), REQUEST.format(name="to-hub"), shop("hub"))
    token = copied(filled(hub, "to-hub"))
    places = [Place(cluster, name) for name in ("north", "south", "west")]
    for place in places:
        place.apply(site(place.namespace), token)
    for place in places:
        place.answers("shop", by="hub")
    assert len(hub.router("network", "status")) == 4
