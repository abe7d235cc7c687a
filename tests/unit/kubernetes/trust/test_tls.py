"""TLS credentials of services: which Secrets are read, and how rotation is followed."""

import asyncio
import base64
import random
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest

from certs.ca.authority import issue_service_leaf
from certs.tls.service_tls import TlsStore
from router.documents import Wanted
from router.kubernetes.client.api import Api
from router.kubernetes.client.api_calls import Page
from router.kubernetes.client.errors import NO_ANSWER, ApiError
from router.kubernetes.client.watches import WatchEvent
from router.kubernetes.objects.names import TYPE_LABEL
from router.kubernetes.trust.tls import Named, TlsSecrets, named
from router.model import limits
from router.model.specs import ConnectorSpec, ListenerSpec, ServiceSpec, SiteSpec
from tests.unit.certs.sites import NOW
from tests.unit.kubernetes.trust.fake_secrets import FORBIDDEN

SHOP = {"shop": Named("Service shop")}


class Secrets(Api):
    """What may be read; the field selector of each list is noted."""

    def __init__(self) -> None:
        self.objects: dict[str, dict[str, Any]] = {}
        self.selected: list[str] = []
        self.fault: ApiError | None = None
        self.broken = ""
        """Whose watch hits upon a fault of ours."""
        self._news: asyncio.Queue[WatchEvent] = asyncio.Queue()

    def put(self, name: str, data: dict[str, bytes], **labels: str) -> dict[str, Any]:
        encoded = {key: base64.b64encode(value).decode() for key, value in data.items()}
        found = {
            "apiVersion": "v1",
            "kind": "Secret",
            "type": "kubernetes.io/tls",
            "metadata": {"name": name, "resourceVersion": "1", "labels": labels},
            "data": encoded,
        }
        self.objects[name] = found
        self._news.put_nowait(WatchEvent("MODIFIED", found))
        return found

    async def pages(
        self, kind: str, *, labels: str = "", fields: str = "", namespace: str = ""
    ) -> AsyncGenerator[Page, None]:
        self.selected.append(fields)
        if self.fault is not None:
            raise self.fault
        if fields == f"metadata.name={self.broken}":
            raise ValueError("a fault of ours")
        name = fields.removeprefix("metadata.name=")
        yield Page([self.objects[name]] if name in self.objects else [], "1")

    async def serves(self, kind: str) -> bool:
        return True

    async def is_creatable(self, kind: str) -> bool:
        return True

    async def watch(
        self,
        kind: str,
        version: str,
        *,
        labels: str = "",
        fields: str = "",
        namespace: str = "",
        timeout_s: int = limits.WATCH_S,
    ) -> AsyncGenerator[WatchEvent, None]:
        while True:
            yield await self._news.get()


def pair() -> dict[str, bytes]:
    leaf, ca_pem = issue_service_leaf("shop", ["shop"], NOW)
    return {
        "tls.crt": leaf.chain_pem.encode(),
        "tls.key": leaf.key_pem.encode(),
        "ca.crt": ca_pem.encode(),
    }


class Scene:
    """Runs within a loop; ``settle`` lets the watches do all they can."""

    def __init__(self, root: Path, tasks: asyncio.TaskGroup) -> None:
        self.api = Secrets()
        (root / "secrets").mkdir()
        self.store = TlsStore(root / "secrets" / "tls")
        self.told: list[None] = []
        self.tls = TlsSecrets(
            self.api,
            root / "secrets" / "tls",
            tasks,
            random.Random(1),
            lambda: self.told.append(None),
        )

    async def settle(self) -> None:
        for _ in range(20):
            await asyncio.sleep(0)

    def is_settled(self) -> bool:
        return self.tls.is_settled

    def codes(self) -> list[tuple[str, str]]:
        return [(error.source, error.code) for error in self.tls.errors]


def run(root: Path, story: Any) -> None:
    async def within() -> None:
        async with asyncio.TaskGroup() as tasks:
            scene = Scene(root, tasks)
            await story(scene)
            scene.tls.look({}, {})  # Ends its watches.

    asyncio.run(within())


def test_a_named_secret_is_copied_and_its_rotation_followed(tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        first, second = pair(), pair()
        scene.api.put("shop", first)
        scene.tls.look(SHOP, {})
        await scene.settle()
        assert scene.store.read("shop").certificate == first["tls.crt"]
        scene.api.put("shop", second)
        await scene.settle()
        assert scene.store.read("shop").key == second["tls.key"]
        assert set(scene.api.selected) == {"metadata.name=shop"}
        assert scene.codes() == []

    run(tmp_path, story)


def test_a_newly_named_secret_is_awaited_until_it_is_looked_up_or_too_late(tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        scene.tls.look({}, {})
        assert scene.is_settled()
        scene.api.put("shop", pair())
        scene.tls.look(SHOP, {})
        assert not scene.is_settled()
        await scene.settle()
        assert scene.is_settled()
        scene.tls.look(SHOP, {})
        assert scene.is_settled()
        scene.tls.look(SHOP | {"gone": Named("Service gone")}, {})
        assert not scene.is_settled()
        await scene.settle()
        assert scene.is_settled(), "it is known that there is none"
        scene.api.fault = ApiError(NO_ANSWER, "Timeout", "no answer")
        scene.tls.look({"late": Named("Service late")}, {})
        await scene.settle()
        assert not scene.is_settled()
        scene.tls.await_no_longer()
        assert scene.is_settled()
        scene.tls.look({"later": Named("Service later")}, {})
        assert not scene.is_settled()
        scene.tls.look({}, {})
        assert scene.is_settled(), "no document names it any more"

    run(tmp_path, story)


def test_what_nobody_here_names_or_labels_is_not_read(tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        scene.tls.look({}, {})
        await scene.settle()
        assert scene.api.selected == []
        labelled = scene.api.put("far", pair(), **{TYPE_LABEL: "tls"})
        scene.tls.look({}, {"far": labelled})
        assert scene.store.read("far").certificate
        assert scene.api.selected == []

    run(tmp_path, story)


def test_a_secret_that_is_missing_or_half_written_is_named_with_who_needs_it(
    tmp_path: Path,
) -> None:
    async def story(scene: Scene) -> None:
        scene.tls.look(SHOP, {})
        await scene.settle()
        assert scene.codes() == [("Secret/shop", "SW0444")]
        assert "Service shop" in scene.tls.errors[0].reason and scene.told
        scene.api.put("shop", {"tls.crt": b"x"})
        await scene.settle()
        assert scene.codes() == [("Secret/shop", "SW0444")]
        assert scene.tls.errors[0].path == "data"
        scene.api.put("shop", pair())
        await scene.settle()
        assert scene.codes() == []
        scene.tls.look(SHOP, {})
        assert scene.codes() == []

    run(tmp_path, story)


def test_a_missing_right_names_the_rule(tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        scene.api.fault = FORBIDDEN
        scene.tls.look(SHOP, {})
        await scene.settle()
        assert scene.codes() == [("Secret/shop", "SW0443")]
        assert "Role spillway-router" in scene.tls.errors[0].hint

    run(tmp_path, story)


def test_a_right_that_comes_back_counts_at_once(tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        scene.api.put("shop", pair())
        scene.api.fault = FORBIDDEN
        scene.tls.look(SHOP, {})
        await scene.settle()
        assert scene.codes() == [("Secret/shop", "SW0443")]
        scene.api.fault = None
        await scene.settle()
        assert scene.codes() == [("Secret/shop", "SW0443")], "it asks again after a while"
        scene.tls.note_rights()
        await scene.settle()
        assert scene.codes() == []

    run(tmp_path, story)


def test_credentials_are_named_by_services_and_connectors() -> None:
    wanted = Wanted(
        name="west",
        site=SiteSpec(),
        services={"shop": ServiceSpec(ports=(80,), tls_cert="shop")},
        connectors={"here": ConnectorSpec(service="shop", tls_trust="pods")},
    )
    assert named(wanted) == {"shop": Named("Service shop"), "pods": Named(judging="Connector here")}


def test_a_listener_that_demands_certificates_names_its_own_credential_and_the_clients() -> None:
    def wanted(tls_cert: str, tls_client_trust: str) -> Wanted:
        spec = ListenerSpec(service="shop", tls_cert=tls_cert, tls_client_trust=tls_client_trust)
        return Wanted(name="west", site=SiteSpec(), listeners={"door": spec})

    door = "Listener door"
    assert named(wanted(tls_cert="shop", tls_client_trust="clients")) == {
        "shop": Named(door),
        "clients": Named(demanding=door),
    }
    assert named(wanted(tls_cert="shop", tls_client_trust="shop")) == {
        "shop": Named(door, demanding=door)
    }


def test_a_secret_without_the_ca_of_clients_is_named_with_who_needs_it(tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        whole = pair()
        scene.api.put("shop", {key: value for key, value in whole.items() if key != "ca.crt"})
        demanded = {"shop": Named("Listener door", demanding="Listener door")}
        scene.tls.look(demanded, {})
        await scene.settle()
        (error,) = scene.tls.errors
        assert (error.source, error.path, error.code) == ("Secret/shop", "data[ca.crt]", "SW0444")
        assert error.reason.startswith("Listener door demands certificates of its clients")
        scene.tls.look(SHOP, {})  # Only its own certificate is needed: nothing is missing.
        assert scene.codes() == []
        scene.api.put("shop", whole)
        scene.tls.look(demanded, {})
        await scene.settle()
        assert scene.codes() == []
        assert scene.store.read("shop").ca == whole["ca.crt"]

    run(tmp_path, story)


@pytest.mark.parametrize(
    ("who", "file", "why"),
    [
        (Named("Service shop"), "tls.crt", "Service shop shows the certificate in it"),
        (Named("Service shop"), "tls.key", "Service shop shows the certificate in it"),
        (
            Named(judging="Connector here"),
            "ca.crt",
            "Connector here judges its targets by the CA in it",
        ),
    ],
)
def test_a_secret_without_what_its_document_needs_says_which_file(
    tmp_path: Path, who: Named, file: str, why: str
) -> None:
    async def story(scene: Scene) -> None:
        whole = pair()
        scene.api.put("shop", {key: value for key, value in whole.items() if key != file})
        scene.tls.look({"shop": who}, {})
        await scene.settle()
        (error,) = scene.tls.errors
        assert (error.path, error.reason) == (f"data[{file}]", f"{why}, and {file} is missing")
        scene.api.put("shop", whole)
        await scene.settle()
        assert scene.codes() == []

    run(tmp_path, story)


def test_what_a_missing_secret_must_hold_is_in_its_next_step(tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        for who, kind in (
            (Named("Service shop"), "tls shop --cert"),
            (Named(judging="Connector here"), "generic shop --from-file ca.crt=FILE"),
            (Named("Service shop", judging="Connector here"), "tls shop --cert"),
        ):
            scene.tls.look({}, {})
            scene.tls.look({"shop": who}, {})
            await scene.settle()
            (error,) = scene.tls.errors
            assert f"kubectl create secret {kind}" in error.hint

    run(tmp_path, story)


@pytest.mark.parametrize(
    "labels",
    [
        {TYPE_LABEL: "identity"},
        {TYPE_LABEL: "link"},
        {"skupper.io/type": "connection-token"},
        {"skupper.io/type": "connection-token-request"},
    ],
)
def test_no_annotation_makes_a_listener_of_the_key_of_a_link(
    tmp_path: Path, labels: dict[str, str]
) -> None:
    async def story(scene: Scene) -> None:
        scene.api.put("shop", pair(), **labels)
        scene.tls.look(SHOP, {})
        await scene.settle()
        assert scene.codes() == [("Secret/shop", "SW0444")]
        assert scene.store.read("shop").key == b""

    run(tmp_path, story)


def test_very_many_names_are_watched_together_or_not_at_all(tmp_path: Path) -> None:
    """Each watch is a connection that stays: of them there are few, whatever documents say."""

    async def story(scene: Scene) -> None:
        many = {
            f"t-{number:03}": Named("Service shop") for number in range(limits.TLS_WATCHES_MAX + 2)
        }
        scene.tls.look(many, {})
        await scene.settle()
        assert len(scene.api.selected) == limits.TLS_WATCHES_MAX
        left_out = scene.tls.errors[-2:]
        assert [error.source for error in left_out] == [f"Secret/{n}" for n in sorted(many)[-2:]]
        assert f"{TYPE_LABEL}=tls" in left_out[0].hint
        assert scene.tls.is_settled
        labelled = scene.api.put("t-000", pair(), **{TYPE_LABEL: "tls"})
        scene.tls.look(many, {"t-000": labelled})
        await scene.settle()
        assert len(scene.api.selected) == limits.TLS_WATCHES_MAX + 1

    run(tmp_path, story)


def test_a_fault_in_one_watch_ends_no_other(tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        scene.api.broken = "t-1"
        scene.tls.look({"t-1": Named("Service shop"), "t-2": Named("Service shop")}, {})
        await scene.settle()
        assert scene.codes() == [("Secret/t-2", "SW0444")]

    run(tmp_path, story)
