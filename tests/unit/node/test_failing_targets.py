"""Which targets answer 5xx, by what all workers of a router counted."""

from collections.abc import Mapping
from typing import Any, cast

import pytest

from router.exchange.service_ports import ServicePorts
from router.exchange.target_readings import TargetReadings
from router.model.ids import ServiceKey
from router.model.wording.other_protocol import Spoken
from router.node.services.failing_targets import FailingTargets
from router.service.targets.target_answers import TargetAnswers
from router.workers.recent_port_figures import PortTotals
from tests.simulation.other_worker import OtherWorker

SHOP = ServiceKey("shop", 80)
ONE, OTHER = "10.0.0.1:80", "10.0.0.2:80"


class Counted:
    """A forwarder and its readings: the counts of this worker, by address."""

    def __init__(self) -> None:
        self.failed: dict[str, int] = {}
        self.broken: dict[str, int] = {}
        self.ended: dict[str, int] = {ONE: 0, OTHER: 0}
        self.failing: Mapping[ServiceKey, Mapping[str, Any]] = {}
        self.answers, self.protocol, self.by_tls = TargetAnswers(), "http", False

    def errors(self) -> dict[ServiceKey, Mapping[str, int]]:
        return {SHOP: self.failed} if self.failed else {}

    def breaks(self) -> dict[ServiceKey, Mapping[str, int]]:
        return {SHOP: self.broken} if self.broken else {}

    def ended_at(self, key: ServiceKey, address: str) -> int | None:
        return self.ended.get(address)

    def answers_of(self, key: ServiceKey) -> Mapping[str, TargetAnswers]:
        return {ONE: self.answers}

    def protocol_of(self, key: ServiceKey) -> str:
        return self.protocol

    def is_by_tls(self, key: ServiceKey, address: str) -> bool:
        return self.by_tls

    def set_failing(self, failing: Mapping[ServiceKey, Mapping[str, Any]]) -> None:
        self.failing = failing

    def shown(self) -> dict[str, str]:
        return {at: one.shown for at, one in self.failing.get(SHOP, {}).items()}


def test_what_other_workers_counted_is_added_also_where_this_one_saw_nothing() -> None:
    own = Counted()
    targets = FailingTargets(cast(TargetReadings, own), cast(ServicePorts, own))
    other = OtherWorker()
    targets.judge_with(other)
    other.has_counted(SHOP, PortTotals(errors={ONE: 1}, ended={ONE: 1, OTHER: 50}))
    targets.look(0.0)
    other.has_counted(SHOP, PortTotals(errors={ONE: 5}, ended={ONE: 9, OTHER: 90}))
    own.ended = {ONE: 2, OTHER: 10}
    targets.look(2.0)
    assert own.shown() == {ONE: "answered 5xx to 4 of 10 requests in the last 2 s"}
    (note,) = targets.notes(lambda service: "")
    assert note.code == "SW0358" and f"Target {ONE} of shop:80 answered" in note.message


def test_a_target_that_resets_and_stays_in_use_is_named() -> None:
    own = Counted()
    targets = FailingTargets(cast(TargetReadings, own), cast(ServicePorts, own))
    other = OtherWorker()
    targets.judge_with(other)
    other.has_counted(SHOP, PortTotals(breaks={ONE: 1}, ended={ONE: 1}))
    targets.look(0.0)
    other.has_counted(SHOP, PortTotals(breaks={ONE: 5}, ended={ONE: 9}))
    own.broken, own.ended = {ONE: 2}, {ONE: 2, OTHER: 10}
    targets.look(2.0)
    assert own.shown() == {ONE: "gave no whole answer to 6 of 10 requests in the last 2 s"}
    own.failed = {ONE: 3}
    targets.look(3.0)
    both = "answered 5xx to 3 and gave no whole answer to 6 of 10 requests in the last 3 s"
    assert own.shown() == {ONE: both}


def test_a_target_that_is_not_ready_says_that_instead() -> None:
    own = Counted()
    targets = FailingTargets(cast(TargetReadings, own), cast(ServicePorts, own))
    for now in (0.0, 1.0):
        own.failed = {ONE: 9 + int(now) * 9}
        targets.look(now)
    assert list(own.shown()) == [ONE]
    del own.ended[ONE]
    targets.look(2.0)
    assert own.shown() == {} and targets.notes(lambda service: "") == []


def test_a_target_that_was_ejected_since_the_last_look_is_not_said_to_stay_in_use() -> None:
    own = Counted()
    targets = FailingTargets(cast(TargetReadings, own), cast(ServicePorts, own))
    for now in (0.0, 1.0):
        own.failed = {ONE: int(now) * 9, OTHER: int(now) * 9}
        own.ended = {ONE: int(now) * 9, OTHER: int(now) * 9}
        targets.look(now)
    assert len(targets.notes(lambda service: "")) == 2
    del own.ended[ONE]
    (note,) = targets.notes(lambda service: "")
    assert f"Target {OTHER} of shop:80 answered" in note.message


COMPARE = "Compare it with others: sitectl service status shop"
BIND = "sitectl service bind shop TARGETTYPE TARGETNAME --target-port PORT --tls-trust FOLDER"


@pytest.mark.parametrize(
    ("protocol", "spoken", "step"),
    [
        ("http", "HTTP/2", "It speaks HTTP/2: sitectl service set shop --protocol http2"),
        ("http2", "HTTP/1", "It speaks HTTP/1: sitectl service set shop --protocol http"),
        ("http", "TLS", f"It speaks TLS: {BIND}"),
        (
            "http",
            "",
            f"If it speaks TLS: {BIND}; if HTTP/2: sitectl service set shop --protocol http2",
        ),
        ("http", "HTTP/1", COMPARE),
        ("http2", "HTTP/2", COMPARE),
    ],
)
def test_a_target_that_breaks_off_every_request_may_speak_another_protocol(
    protocol: str, spoken: Spoken, step: str
) -> None:
    """Only its symptom was named: "gave no whole answer"."""
    own = Counted()
    targets = FailingTargets(cast(TargetReadings, own), cast(ServicePorts, own))
    own.broken, own.protocol, own.answers.spoken = {ONE: 1}, protocol, spoken
    own.ended = {ONE: 1}
    targets.look(0.0)
    own.broken, own.ended = {ONE: 9}, {ONE: 9}
    targets.look(2.0)
    (note,) = targets.notes(lambda service: "")
    assert note.hint == f"It stays in use. {step}"
    own.ended = {ONE: 10}
    targets.look(3.0)
    (note,) = targets.notes(lambda service: "")
    assert note.hint == f"It stays in use. {COMPARE}"


def test_a_target_that_is_reached_by_tls_gets_no_advice_to_do_so() -> None:
    own = Counted()
    targets = FailingTargets(cast(TargetReadings, own), cast(ServicePorts, own))
    own.by_tls = True
    for count, now in ((1, 0.0), (9, 2.0)):
        own.broken = own.ended = {ONE: count}
        targets.look(now)
    (note,) = targets.notes(lambda service: "")
    step = "If it speaks HTTP/2: sitectl service set shop --protocol http2"
    assert note.hint == f"It stays in use. {step}"


def test_the_step_for_another_protocol_names_the_site_that_may_take_it() -> None:
    own = Counted()
    targets = FailingTargets(cast(TargetReadings, own), cast(ServicePorts, own))
    own.answers.spoken = "HTTP/2"
    for count, now in ((1, 0.0), (9, 2.0)):
        own.broken = own.ended = {ONE: count}
        targets.look(now)
    (note,) = targets.notes(lambda service: "hub")
    assert "It speaks HTTP/2: at hub: sitectl service set shop --protocol http2" in note.hint
