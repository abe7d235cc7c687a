"""Statuses of Skupper v2's objects do not flicker while objects arrive."""

import asyncio
from typing import Any

from router.control.acceptance import SourcesReading
from router.documents.skupper2.keys import service_of
from router.documents.wanted import Wanted
from router.kubernetes.client.api import Api
from router.kubernetes.leader.skupper2_statuses import V2StatusWriter
from router.kubernetes.objects.access_levels import AccessLevel
from router.kubernetes.objects.addresses import Addresses
from router.kubernetes.objects.objects import Object
from router.kubernetes.objects.skupper2_kinds import KINDS
from router.kubernetes.services.services import Memory, ServicePlan
from router.kubernetes.skupper2.network_facts import KeyFacts, NetworkFacts
from router.kubernetes.store.skupper2_objects import V2View
from router.kubernetes.store.store import Look
from router.model import limits
from router.model.specs import ListenerSpec, SiteSpec
from tests.unit.kubernetes.namespace_objects import site, snapshot
from tests.unit.kubernetes.skupper2.v2_objects import listener, read
from tests.unit.virtual_loop import run, running

WHY = "Service db has no listener here: tls/db is not there. Add it"


class Server(Api):
    """Has one Listener; ``written``: the words of its statuses."""

    def __init__(self) -> None:
        self.front: dict[str, Any] = listener("front")
        self.written: list[str] = []

    async def replace(
        self, whole: Object, *, subresource: str = "", namespace: str = ""
    ) -> dict[str, Any]:
        if whole["kind"] == "Listener":
            self.written.append(whole["status"]["message"])
            version = str(len(self.written))
            metadata = {**self.front["metadata"], "resourceVersion": version}
            self.front = {**whole, "metadata": metadata}
        return dict(whole)


def look(server: Server) -> Look:
    objects = (site(name="west"), server.front)
    picture = read(*objects)
    spec = ListenerSpec(service=service_of("db"))
    wanted = Wanted(name="west", site=SiteSpec(), listeners={"front": spec})
    plan = ServicePlan(
        changes=(), inner_ports={}, promised={}, findings=(), memory=Memory(began_at=0.0)
    )
    levels = dict.fromkeys(KINDS, AccessLevel.FULL)
    return Look(
        snapshot(objects),
        picture.picture,
        plan,
        SourcesReading(wanted, ()),
        v2=V2View(picture, levels),
    )


def test_an_error_of_a_listener_is_written_once_it_lasts() -> None:
    async def story() -> None:
        server, key = Server(), KeyFacts(1, unlistened=WHY)
        facts = {service_of("db"): key}
        writer = V2StatusWriter(
            server,
            lambda: True,
            lambda services: NetworkFacts(version="1", is_ready=True, keys=facts),
            Addresses,
        )
        async with running(writer):
            writer.look(look(server))
            await asyncio.sleep(limits.OBJECT_EVENT_AFTER_S - 1)
            facts[service_of("db")] = KeyFacts(1)
            writer.look(look(server))
            await asyncio.sleep(limits.V2_STATUS_EVERY_S)
            assert server.written == ["OK"]
            facts[service_of("db")] = key
            for _ in range(3):
                writer.look(look(server))
                await asyncio.sleep(limits.V2_STATUS_EVERY_S)
            assert server.written == ["OK", WHY]
            facts[service_of("db")] = KeyFacts(1)
            writer.look(look(server))
            await asyncio.sleep(limits.V2_STATUS_EVERY_S)
            assert server.written == ["OK", WHY, "OK"]

    run(story())
