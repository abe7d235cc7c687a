"""AttachedConnectors of other namespaces: which count, their reports, and which stay unread."""

from typing import Any

import msgspec
import pytest

from router.kubernetes.leader.finding_events import event_of
from router.kubernetes.objects.access_levels import AccessLevel
from router.kubernetes.objects.addresses import Addresses
from router.kubernetes.objects.objects import OtherNamespace, Snapshot
from router.kubernetes.objects.skupper2_kinds import KINDS
from router.kubernetes.skupper2 import reading
from router.kubernetes.skupper2.network_facts import NetworkFacts
from router.kubernetes.skupper2.reading import V2Picture
from router.kubernetes.skupper2.remote_attached_connectors import with_bound_connectors
from router.kubernetes.skupper2.statuses import StatusInputs, V2Statuses, statuses
from router.kubernetes.translation.site_config import SiteDefaults
from router.kubernetes.translation.translate import translate
from router.model.specs import ConnectorSpec, TargetSpec
from tests.unit.kubernetes.kept import kept
from tests.unit.kubernetes.namespace_objects import OWN_SITE, connectors_of, site, snapshot
from tests.unit.kubernetes.skupper2.v2_objects import problems, v2

BINDING = v2("AttachedConnectorBinding", "db", connectorNamespace="work", routingKey="db")
RULE = 'apiGroups: ["skupper.io"], resources: ["attachedconnectors"]'


def attached(name: str = "db", site: str = "shop", **spec: Any) -> dict[str, Any]:
    found = v2("AttachedConnector", name, siteNamespace=site, selector="app=db", port=1, **spec)
    found["metadata"] |= {"namespace": "work"}
    return found


def other(*objects: dict[str, Any], **refused: str) -> OtherNamespace:
    by_name = {one["metadata"]["name"]: one for one in objects}
    return OtherNamespace({"AttachedConnector": by_name}, refused)


def seen(work: OtherNamespace | None, *own: dict[str, Any]) -> Snapshot:
    """Namespace ``shop`` with ``own`` objects, beside namespace ``work``."""
    found = snapshot((site(name="west"), *own))
    return msgspec.structs.replace(found, others={} if work is None else {"work": work})


def read(work: OtherNamespace | None, *own: dict[str, Any]) -> V2Picture:
    found = seen(work, *own)
    return reading.read(translate(found, OWN_SITE), found, SiteDefaults())


def told(work: OtherNamespace | None, *own: dict[str, Any], pods: int = 1) -> V2Statuses:
    """The statuses, where so many pods were selected."""
    found, picture = seen(work, *own), read(work, *own)
    index = {"p": {"metadata": {"name": "p"}, "status": {"podIP": "10.0.0.1"}}}
    if work is not None:
        work = msgspec.structs.replace(work, objects={**work.objects, "Pod": index})
        found = msgspec.structs.replace(found, others={"work": work})
    targets = (TargetSpec(host="10.0.0.1", name="p", port=1),)[:pods]
    return statuses(
        StatusInputs(
            snapshot=found,
            seen=picture,
            levels=dict.fromkeys(KINDS, AccessLevel.FULL),
            facts=NetworkFacts(version="1", is_ready=True),
            addresses=Addresses(()),
            now="2026-01-02T03:04:05Z",
            connectors={"db": ConnectorSpec(service="db", targets=targets)},
            errors=picture.picture.errors,
        )
    )


def test_a_pair_of_two_namespaces_is_one_connector() -> None:
    found = read(other(attached()), BINDING)
    assert problems(found) == []
    assert found.bound == {"work"}
    connector = connectors_of(found.picture)["db"]
    assert (connector.workload, connector.namespace) == ("pods/app=db", "work")
    assert connector.target_ports == (1,)


def test_until_the_other_namespace_has_answered_nothing_is_said_of_it() -> None:
    found = read(None, BINDING)
    assert found.bound == {"work"}
    assert problems(found) == []
    assert connectors_of(found.picture) == {}
    binding = told(None, BINDING)["AttachedConnectorBinding", "db"]
    assert binding["status"] == "Pending"
    assert binding["message"] == "Namespace work has not answered yet"


def test_a_missing_permission_is_a_finding_of_the_binding() -> None:
    refused = OtherNamespace({}, {"AttachedConnector": "forbidden"})
    found = read(refused, BINDING)
    assert problems(found) == [("SW0432", "error", "AttachedConnectorBinding/db")]
    error = found.picture.errors[0]
    assert RULE in error.hint and "In namespace work " in error.hint
    assert "shop/spillway-router" in error.hint
    lost = read(other(attached(), AttachedConnector="forbidden"), BINDING)
    assert problems(lost) == [("SW0432", "warning", "AttachedConnectorBinding/db")]
    assert "if it stays so" in lost.picture.errors[0].reason
    assert "db" in connectors_of(lost.picture)


def test_a_namespace_that_is_one_too_many_is_a_finding_of_the_binding_and_in_its_status() -> None:
    work = OtherNamespace({}, is_left_out=True)
    found = read(work, BINDING)
    assert problems(found) == [("SW0438", "error", "AttachedConnectorBinding/db")]
    assert "NAME.work" in found.picture.errors[0].hint
    binding = told(work, BINDING)["AttachedConnectorBinding", "db"]
    assert binding["status"] == "Error"
    assert binding["message"].startswith("namespace work is not followed")


@pytest.mark.parametrize("named", ["*", "work/pods?x=", "../shop"])
def test_what_is_no_name_of_a_namespace_is_never_asked_for(named: str) -> None:
    wrong = v2("AttachedConnectorBinding", "db", connectorNamespace=named, routingKey="db")
    found = read(None, wrong)
    assert found.bound == frozenset()
    (error,) = found.picture.errors
    assert (error.path, error.source) == (
        "spec.connectorNamespace",
        "AttachedConnectorBinding/db",
    )


def test_objects_of_the_other_namespace_that_no_binding_names_do_not_count() -> None:
    wrong = attached("other", type="udp")
    found = read(other(attached(), wrong), BINDING)
    assert problems(found) == []
    assert set(connectors_of(found.picture)) == {"db"}


def test_one_that_names_another_site_is_refused_and_its_status_left_alone() -> None:
    work = other(attached(site="far"))
    found = read(work, BINDING)
    assert problems(found) == [("SW0113", "error", "AttachedConnector/work/db")]
    assert connectors_of(found.picture) == {}
    written = told(work, BINDING)
    assert ("AttachedConnector", "work/db") not in written
    binding = written["AttachedConnectorBinding", "db"]
    assert (binding["status"], "this names far" in binding["message"]) == ("Error", True)


def test_an_own_one_for_the_site_of_another_namespace_is_left_to_it() -> None:
    own = v2("AttachedConnector", "db", siteNamespace="far", selector="a=b", port=1)
    assert problems(read(None, own)) == []
    assert ("AttachedConnector", "db") not in told(None, own)


def test_both_statuses_say_that_there_is_no_connector_or_no_pod() -> None:
    nothing = told(other(), BINDING)["AttachedConnectorBinding", "db"]
    assert nothing["status"] == "Error"
    assert nothing["message"].startswith("No matching AttachedConnector")
    both = told(other(attached()), BINDING, pods=0)
    for key in (("AttachedConnectorBinding", "db"), ("AttachedConnector", "work/db")):
        assert both[key]["message"] == "No matches for selector"
        assert both[key]["status"] == "Error"


def test_the_connectors_status_names_its_pods() -> None:
    found = told(other(attached()), BINDING)["AttachedConnector", "work/db"]
    assert (found["status"], found["message"]) == ("Ready", "OK")
    assert found["selectedPods"] == [{"name": "p", "ip": "10.0.0.1"}]


def test_where_its_status_is_written_it_has_its_namespace_and_name() -> None:
    found = with_bound_connectors(seen(other(attached()), BINDING))
    one = found.get("AttachedConnector", "work/db")
    assert one is not None and one["metadata"]["namespace"] == "work"
    assert found.get("AttachedConnectorBinding", "db") == kept(BINDING)


def test_a_finding_there_is_an_event_of_the_binding_here() -> None:
    work = other(attached(type="udp"))
    found = seen(work, BINDING)
    (error,) = (e for e in read(work, BINDING).picture.errors if e.code == "SW0113")
    assert error.source == "AttachedConnector/work/db"
    made = event_of(error, found)
    involved = made["involvedObject"]
    assert (involved["kind"], involved["name"]) == ("AttachedConnectorBinding", "db")
    assert "/" not in made["metadata"]["name"]
