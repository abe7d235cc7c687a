"""Words of Kubernetes and Skupper in the product, as their publishers spell them.

All other tests take these words from our own modules: a change of both would pass there.
"""

import re

from tests.kubernetes import schemas
from tests.kubernetes.images import ROOT
from tests.unit.kubernetes.objects_made import connector, pod, snapshot, workload
from tests.unit.kubernetes.skupper2.test_statuses import conditions, status
from tests.unit.kubernetes.skupper2.v2_objects import v2
from tests.unit.kubernetes.targets.test_targets import expand, places

POD_STATUS = "io.k8s.api.core.v1.PodStatus"


def phases() -> list[str]:
    """Phases of a pod, by their published description."""
    told = schemas.definitions()[POD_STATUS]["properties"]["phase"]["description"]
    return re.findall(r"(?:^|\s)(\w+): (?=The pod|All containers|For some)", told)


def test_of_the_published_phases_only_that_of_a_running_pod_makes_a_target() -> None:
    assert len(phases()) == 5
    deployment = workload("Deployment", "shop")
    views = {phase: snapshot(deployment, pod("a", "10.0.0.1", phase=phase)) for phase in phases()}
    ready = [
        p for p, view in views.items() if places(expand([connector("deployment/shop", 80)], view))
    ]
    assert ready == ["Running"]


def test_a_site_of_skupper_v2_has_the_conditions_that_the_page_lists() -> None:
    page = (ROOT / "docs" / "kubernetes-skupper-v2.md").read_text("utf-8")
    (row,) = re.findall(r"^\| Site \| (Configured, .*?) \|", page, re.MULTILINE)
    listed = re.sub(r" \(.*?\)", "", row).split(", ")
    found = conditions(status(v2("Site", "west", linkAccess="loadbalancer")))
    assert [one[0] for one in found] == listed
