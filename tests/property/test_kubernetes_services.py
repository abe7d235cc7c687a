"""Whatever people, sites and GitOps do to Services: theirs stay theirs, and ours settle."""

import copy
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from router.kubernetes.objects.picture import RequestedService, SiteOptions
from router.kubernetes.services import adoption
from router.kubernetes.services.services import Memory, ServicePlan, plan, restore
from router.model.ids import ServiceKey
from router.model.specs import ServiceSpec
from tests.examples import examples
from tests.unit.kubernetes.cluster import Cluster, users_service, without_version

NAMES = st.sampled_from(("shop", "db", "9lives"))
PORTS = st.sampled_from(((80,), (80, 443), (443,), (80, 81, 443)))
OPTIONS = st.builds(
    SiteOptions,
    name=st.just("here"),
    service_sync=st.booleans(),
    adopt_services=st.booleans(),
    rewrite_selectors=st.booleans(),
    service_controller=st.sampled_from((True, True, True, False)),
    labels=st.sampled_from(({}, {"tier": "web"})),
)


class ServicesOfANamespace(RuleBasedStateMachine):
    """``users``: the Services that people made, as they would be without us."""

    @initialize()
    def begin(self) -> None:
        self.cluster = Cluster()
        self.users: dict[str, dict[str, Any]] = {}
        self.options = SiteOptions(name="here")
        self.declared: dict[str, ServiceSpec] = {}
        self.local: set[str] = set()
        self.wishes: dict[str, RequestedService] = {}
        self.now = 1_000.0
        self.memory = Memory(began_at=self.now)
        self.inner: dict[ServiceKey, int] = {}
        self.declare("shop", (80, 443), True, "tcp")
        self.make("shop", (80,), "NodePort", True)
        self.settle()

    def planned(self) -> ServicePlan:
        return plan(
            self.cluster.snapshot(),
            self.options,
            self.wishes,
            self.declared,
            self.local,
            self.memory,
            self.now,
        )

    @rule()
    def settle(self) -> None:
        for _ in range(6):
            found = self.planned()
            self.memory = found.memory
            if not found.changes:
                break
            for change in found.changes:
                self.cluster.carry_out(change)
        else:
            raise AssertionError(f"does not settle: {found.changes}")
        writes = self.cluster.writes
        assert not self.planned().changes and self.cluster.writes == writes
        self.check(found)

    def check(self, found: ServicePlan) -> None:
        assert len(set(found.inner_ports.values())) == len(found.inner_ports)
        for key, inner in found.inner_ports.items():
            assert self.inner.get(key, inner) == inner, "an inner port changed"
            service = self.cluster.service(key.name)
            assert service["spec"]["selector"] == adoption.ROUTERS
            assert {p["port"]: p["targetPort"] for p in service["spec"]["ports"]}[key.port] == inner
        self.inner = found.inner_ports
        led = {key.name for key in found.inner_ports}
        told = {error.source for error in found.findings}
        for name in self.declared:
            is_wanted = name in self.wishes or name in self.local or self.options.service_sync
            wish = self.wishes.get(name)
            if is_wanted and self.options.service_controller and (wish is None or wish.is_made):
                assert name in led or f"Service/{name}" in told, "neither led here nor explained"
        for name, users in self.users.items():
            service = self.cluster.service(name)
            if name not in led and name in self.declared:
                assert without_version(service) == without_version(users)
            wish = self.wishes.get(name)
            asked = wish.consent if wish else name in self.local
            if not (asked or self.options.adopt_services) or not self.options.rewrite_selectors:
                assert name not in led, "taken over without consent"

    @rule(name=NAMES, ports=PORTS, here=st.booleans(), protocol=st.sampled_from(("tcp", "http2")))
    def declare(self, name: str, ports: tuple[int, ...], here: bool, protocol: Any) -> None:
        self.declared[name] = ServiceSpec(ports=ports, protocol=protocol)
        if here:
            self.local.add(name)
        else:
            self.local.discard(name)

    @rule(name=NAMES)
    def withdraw(self, name: str) -> None:
        self.declared.pop(name, None)
        self.local.discard(name)

    @rule(name=NAMES, consent=st.booleans(), is_made=st.booleans(), label=st.sampled_from("ab"))
    def wish(self, name: str, consent: bool, is_made: bool, label: str) -> None:
        self.wishes[name] = RequestedService(
            address=name,
            source=f"Deployment/{name}",
            consent=consent,
            is_made=is_made,
            labels={label: "x"},
        )

    @rule(name=NAMES)
    def unwish(self, name: str) -> None:
        self.wishes.pop(name, None)

    @rule(options=OPTIONS)
    def set_options(self, options: SiteOptions) -> None:
        self.options = options

    @rule(seconds=st.sampled_from((1.0, 100.0, 4_000.0)))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @rule()
    def restart(self) -> None:
        self.settle()
        self.memory = Memory(began_at=self.now)
        self.settle()

    # What people do to their Services --------------------------------------------------------

    @rule(
        name=st.sampled_from(("shop", "db")),
        ports=PORTS,
        kind=st.sampled_from(("ClusterIP", "NodePort", "LoadBalancer")),
        unnamed=st.booleans(),
    )
    def make(self, name: str, ports: tuple[int, ...], kind: str, unnamed: bool) -> None:
        if name in self.cluster.objects["Service"]:
            return
        service = users_service(name, *ports, type=kind)
        if unnamed and len(ports) == 1:
            del service["spec"]["ports"][0]["name"]
        self.users[name] = copy.deepcopy(self.cluster.put(service))

    def both(self, name: str, change: Any) -> None:
        """Change the Service in the cluster, and as it would be without us."""
        change(self.users[name])
        live = copy.deepcopy(self.cluster.service(name))
        change(live)
        self.cluster.put(live)

    @precondition(lambda self: self.users)
    @rule(data=st.data(), aim=st.sampled_from((8001, 8002, "other")))
    def edit_a_target_port(self, data: st.DataObject, aim: int | str) -> None:
        name = data.draw(st.sampled_from(sorted(self.users)))
        number = data.draw(
            st.sampled_from([port["port"] for port in self.users[name]["spec"]["ports"]])
        )

        def change(service: dict[str, Any]) -> None:
            for port in service["spec"]["ports"]:
                if port["port"] == number:
                    port["targetPort"] = aim

        self.both(name, change)

    @precondition(lambda self: self.users)
    @rule(data=st.data())
    def annotate_and_label(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(sorted(self.users)))
        value = data.draw(st.sampled_from(("red", "blue")))

        def change(service: dict[str, Any]) -> None:
            service["metadata"].setdefault("labels", {})["colour"] = value
            service["metadata"]["annotations"]["team"] = value

        self.both(name, change)

    @precondition(lambda self: self.users)
    @rule(data=st.data(), replaces=st.booleans(), merges=st.booleans(), tier=st.booleans())
    def put_back(self, data: st.DataObject, replaces: bool, merges: bool, tier: bool) -> None:
        """Self-heal, or `kubectl apply`, which merges the selectors; as it was, or another one."""
        name = data.draw(st.sampled_from(sorted(self.users)))
        if tier:
            self.users[name]["spec"]["selector"]["tier"] = "web"
        users = copy.deepcopy(self.users[name])
        if not replaces:
            live = copy.deepcopy(self.cluster.service(name))
            wanted = users["spec"]["selector"]
            kept = live["spec"]["selector"] if merges else {}
            live["spec"]["selector"] = {**kept, **wanted}
            mine = {port["port"]: port for port in users["spec"]["ports"]}
            for port in live["spec"]["ports"]:
                port |= mine.get(port["port"], {})
            users = live
        self.cluster.put(users)

    @precondition(lambda self: self.users)
    @rule(data=st.data())
    def delete(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(sorted(self.users)))
        del self.users[name]
        del self.cluster.objects["Service"][name]

    @precondition(lambda self: len(self.cluster.objects["Service"]) > len(self.users))
    @rule(data=st.data())
    def spoil_one_of_ours(self, data: st.DataObject) -> None:
        ours = sorted(set(self.cluster.objects["Service"]) - set(self.users))
        live = copy.deepcopy(self.cluster.service(data.draw(st.sampled_from(ours))))
        live["spec"]["ports"][0]["targetPort"] = 9_999
        live["spec"]["selector"] = {}  # With one of theirs it would be theirs.
        live["metadata"]["labels"]["colour"] = "red"
        live["spec"]["type"] = data.draw(st.sampled_from(("ClusterIP", "NodePort")))
        self.cluster.put(live)

    def teardown(self) -> None:
        self.settle()
        changes, findings = restore(self.cluster.snapshot())
        assert not findings
        for change in changes:
            self.cluster.carry_out(change)
        left = {name: without_version(s) for name, s in self.cluster.objects["Service"].items()}
        assert left == {name: without_version(users) for name, users in self.users.items()}
        assert restore(self.cluster.snapshot()) == ((), ())


TestServicesOfANamespace = ServicesOfANamespace.TestCase
TestServicesOfANamespace.settings = settings(max_examples=examples(150), stateful_step_count=30)
