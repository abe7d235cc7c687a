"""Whether an object is as it was applied, whatever the API and others added to it."""

import copy
from typing import Any

import pytest

from router.kubernetes.manifests import render
from router.kubernetes.objects import names
from router.kubernetes.objects.applied import is_as_applied, is_stamped, stamped
from router.kubernetes.objects.picture import SiteOptions


def deployment(**options: Any) -> Any:
    made = render(SiteOptions(name="west", **options), namespace="ns", image="i:1").objects
    return stamped(next(found for found in made if found["kind"] == "Deployment"))


def pod(found: Any) -> Any:
    return found["spec"]["template"]["spec"]


def test_what_the_api_fills_in_and_others_add_changes_nothing() -> None:
    wanted = deployment()
    found = copy.deepcopy(wanted)
    found["metadata"] |= {"uid": "u", "resourceVersion": "7", "managedFields": []}
    found["metadata"]["annotations"]["deployment.kubernetes.io/revision"] = "1"
    found["status"] = {"replicas": 1}
    pod(found)["dnsPolicy"] = "ClusterFirst"
    pod(found)["containers"].insert(0, {"name": "mesh", "image": "theirs"})
    pod(found)["containers"][1]["env"].append({"name": "THEIRS", "value": "1"})
    pod(found)["volumes"].append({"name": "theirs", "emptyDir": {}})
    assert is_as_applied(found, wanted)


def test_amounts_are_compared_as_amounts() -> None:
    wanted = deployment(router_cpu="1000m", router_memory="1024Mi")
    found = copy.deepcopy(wanted)
    requests = pod(found)["containers"][0]["resources"]["requests"]
    requests |= {"cpu": "1", "memory": "1Gi"}
    assert is_as_applied(found, wanted)
    requests["cpu"] = "2"
    assert not is_as_applied(found, wanted)


def _other_image(found: Any) -> None:
    pod(found)["containers"][0]["image"] = "other"


def _no_volume(found: Any) -> None:
    del pod(found)["volumes"][0]


def _other_word(found: Any) -> None:
    pod(found)["containers"][0]["args"].append("--more")


def _no_label(found: Any) -> None:
    del found["metadata"]["labels"][names.COMPONENT_LABEL]


def _scaled(found: Any) -> None:
    found["spec"]["replicas"] = 0


@pytest.mark.parametrize("change", [_other_image, _no_volume, _other_word, _no_label, _scaled])
def test_what_is_ours_and_was_changed_is_seen(change: Any) -> None:
    wanted = deployment()
    found = copy.deepcopy(wanted)
    change(found)
    assert not is_as_applied(found, wanted)


def test_what_shall_no_longer_be_there_is_seen_by_the_digest() -> None:
    before = deployment(router_node_selector="disk=ssd", router_pod_annotations={"a": "b"})
    assert not is_as_applied(before, deployment())
    assert is_as_applied(deployment(), deployment())


def test_a_stamp_is_stable_and_leaves_what_was_given_alone() -> None:
    made = render(SiteOptions(name="west"), namespace="ns", image="i").objects
    for found in made:
        kept = copy.deepcopy(found)
        assert stamped(found) == stamped(found)
        assert found == kept
        assert is_stamped(stamped(found)) and not is_stamped(found)
