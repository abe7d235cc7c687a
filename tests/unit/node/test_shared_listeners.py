"""Listeners that several services share, planned from documents and declarations."""

import pytest

from router.documents import Wanted
from router.model.ids import ServiceKey
from router.model.messages.adverts import Declaration
from router.model.service_choice import ServiceChoice
from router.model.specs import ListenerSpec, ServiceProtocol, ServiceSpec, SiteSpec
from router.node.services.listeners.shared import choices_of, notes
from router.node.services.plan import Planner, PortPlan, wishes

A, B = ServiceKey("a", 1), ServiceKey("b", 1)
SHARED = ListenerSpec(service="b", listen="127.0.0.1:9000", priority=("a", "b"))


def key(name: str, ports: tuple[int, ...] = (1,), protocol: ServiceProtocol = "tcp") -> Declaration:
    spec = ServiceSpec(ports=ports, protocol=protocol, routing_key=name)
    return Declaration(name=name, spec=spec, declared_at_s=0.0)


def planned(*declared: Declaration, listener: ListenerSpec = SHARED) -> PortPlan:
    wanted = Wanted(name="east", site=SiteSpec(), listeners={"db": listener})
    return Planner().plan(wanted, {one.name: one for one in declared})


def test_one_service_has_the_listener_and_the_others_say_where_their_clients_come_by() -> None:
    found = planned(key("a"), key("b")).services
    assert found[B].listen == ("127.0.0.1", 9000)
    assert found[A].listen is None and "by Listener db" in found[A].why_not
    assert choices_of(found) == {B: ServiceChoice((A, B))}
    assert notes(found) == []


def test_weights_go_with_their_services() -> None:
    listener = ListenerSpec(service="a", listen="9000", weighted={"b": 3, "a": 1})
    assert choices_of(planned(key("a"), key("b"), listener=listener).services) == {
        A: ServiceChoice((B, A), (3, 1))
    }


@pytest.mark.parametrize(
    "other", [None, key("a", ports=(1, 2)), key("a", protocol="http")], ids=["none", "two", "http"]
)
def test_a_service_that_cannot_share_it_is_left_out_and_noted(other: Declaration | None) -> None:
    found = planned(*([other] if other else []), key("b")).services
    assert choices_of(found) == {B: ServiceChoice((B,))}
    (note,) = notes(found)
    assert note.code == "SW0356" and "declared by no site: a." in note.message


def test_an_http_service_shares_its_listener_with_nobody() -> None:
    found = planned(key("a"), key("b", protocol="http")).services
    assert choices_of(found) == {}
    (note,) = notes(found)
    assert "b is not tcp" in note.message


def test_a_plain_listener_is_shared_by_nobody() -> None:
    listener = ListenerSpec(service="b", listen="127.0.0.1:9000", priority=("b",))
    assert choices_of(planned(key("a"), key("b"), listener=listener).services) == {}


def test_the_credential_of_a_listener_counts_before_that_of_the_service() -> None:
    told = Declaration(name="b", spec=ServiceSpec(ports=(1,), tls_cert="all"), declared_at_s=0.0)
    for named, expected in (("", "all"), ("here", "here")):
        listener = ListenerSpec(service="b", listen="9000", tls_cert=named)
        assert planned(told, listener=listener).services[B].tls_cert == expected


def test_a_site_without_service_sync_uses_all_services_of_its_listeners() -> None:
    wanted = Wanted(name="x", site=SiteSpec(service_sync=False), listeners={"db": SHARED})
    assert wishes(wanted) == frozenset({"a", "b"})
