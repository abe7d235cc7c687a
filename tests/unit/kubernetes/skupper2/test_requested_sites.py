"""The ConfigMap that a Site of Skupper v2 alone asks for."""

from typing import Any

import pytest

from router.kubernetes.objects import names
from router.kubernetes.skupper2.requested_sites import is_of_site, site_wish
from tests.unit.kubernetes.namespace_objects import made, snapshot
from tests.unit.kubernetes.skupper2.v2_objects import v2


def wish(*objects: Any, openshift: bool = False, explicit: bool = False) -> Any:
    return site_wish(snapshot(objects), openshift=openshift, explicit=explicit)


def data(*objects: Any, **more: bool) -> dict[str, str]:
    found = wish(*objects, **more)
    assert is_of_site(found.config_map) and not found.errors
    return dict(found.config_map["data"])


@pytest.mark.parametrize(
    ("access", "openshift", "ingress"),
    [
        ("", False, "none"),
        ("none", True, "none"),
        ("local", False, "none"),
        ("default", False, "loadbalancer"),
        ("default", True, "route"),
        ("loadbalancer", True, "loadbalancer"),
        ("nodeport", False, "nodeport"),
    ],
)
def test_link_access_is_the_ingress(access: str, openshift: bool, ingress: str) -> None:
    assert data(v2("Site", "west", linkAccess=access), openshift=openshift)["ingress"] == ingress


def test_the_oldest_site_counts() -> None:
    older = v2("Site", "west", at="2025-01-01T00:00:00Z")
    assert data(v2("Site", "a", at="2025-02-01T00:00:00Z"), older)["name"] == "west"


def test_nothing_is_made_for_another_controller_or_a_site_that_is_left_alone() -> None:
    site = v2("Site", "west")
    theirs = made("ConfigMap", names.SKUPPER_CONTROL, data={"controller": "skupper-controller"})
    assert wish() is None and wish(site, theirs) is None and wish(site, explicit=True) is None
    ours = made("ConfigMap", names.SKUPPER_CONTROL, data={"controller": names.ROUTER})
    assert wish(site, ours, explicit=True) is not None
    site["metadata"]["labels"] = {names.SITE_CONTROLLER_IGNORE: "true"}
    assert wish(site) is None


@pytest.mark.parametrize(
    "spec", [{"linkAccess": "tunnel"}, {"edge": True, "ha": True}, {"edge": "often"}]
)
def test_what_cannot_be_is_an_error_with_its_field(spec: dict[str, Any]) -> None:
    found = wish(v2("Site", "west", **spec))
    assert found.config_map is None
    assert [error.path for error in found.errors] == [f"spec.{next(iter(spec))}"]
