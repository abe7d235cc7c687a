"""What the only router of a namespace asks the API server while nothing happens."""

import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from router.model import limits
from tests.kubernetes.cluster import Cluster
from tests.kubernetes.places import IMAGES, Place, install_controller, settled
from tests.kubernetes.published import shop, site

IDLE_S = 25.0
PER_MINUTE_MAX = 6
WATCHES_MAX = 13


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    with Cluster(tmp_path / "cluster", images=IMAGES, proxy=True) as made:
        install_controller(made)
        yield made


def test_an_idle_router_only_renews_its_lease_and_its_watches(cluster: Cluster) -> None:
    west = Place(cluster, "west")
    west.apply(site("west"), shop("shop"))
    west.starts()
    west.answers("shop")
    mark = settled(cluster)
    began = time.monotonic()
    while time.monotonic() - began < IDLE_S:
        time.sleep(0.5)
    minutes = (time.monotonic() - began) / 60
    asked = Counter(
        (one.wanted.verb, one.wanted.resource.kind)
        for one in cluster.faults.seen[mark:]
        if one.user.endswith(":west:spillway-router")
    )
    renewals = asked.pop(("update", "Lease"), 0)
    asked.pop(("patch", "ConfigMap"), 0)  # The status, at most every 30 s while figures change.
    assert not asked
    assert renewals <= 1 + minutes * 60 / (0.8 * limits.LEASE_ALONE_RENEW_S)


def test_what_passes_in_an_idle_minute_is_little() -> None:
    """By the periods; a real server counted up to 2.4 more (docs/kubernetes-deploy.md)."""
    watches = WATCHES_MAX * 60 / limits.WATCH_S
    renewals = 60 / (0.9 * limits.LEASE_ALONE_RENEW_S)
    rights = 60 / limits.RIGHTS_LOOK_S
    kinds = 60 / (0.9 * limits.CUSTOM_KINDS_IDLE_S)  # Whether there are objects of Skupper v2.
    status = 2 * 60 / limits.STATUS_AGAIN_S  # It is read, too: what others added goes.
    assert watches + renewals + rights + kinds + status <= PER_MINUTE_MAX
