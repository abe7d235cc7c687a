"""When a site that was made of a Site of Skupper v2 ends."""

import asyncio
from typing import Any

import pytest

from router.kubernetes.client.api import Api
from router.kubernetes.client.api_calls import Page
from router.kubernetes.client.errors import ApiError
from router.kubernetes.controller.skupper2_sites import Skupper2Sites
from router.kubernetes.objects import names
from router.kubernetes.skupper2.requested_sites import RequestedSite
from tests.unit.kubernetes.skupper2.v2_objects import v2

SITE = v2("Site", "shop")
GOING = {**SITE, "metadata": {**SITE["metadata"], "deletionTimestamp": "2026-11-26T15:00:00Z"}}
MADE = {"kind": "ConfigMap", "metadata": {"name": names.SITE_CONFIGMAP, "uid": "u1"}}


class Server(Api):
    """Records the deletions that it is asked for. ``sites``: those that it has."""

    def __init__(self, *sites: Any) -> None:
        self.sites, self.deleted = list(sites), list[tuple[str, str, str]]()

    async def find(self, kind: str, name: str, *, namespace: str = "") -> dict[str, Any] | None:
        raise AssertionError("nothing is reported")

    async def list(self, kind: str, *, namespace: str = "", **_: str) -> Page:
        assert (kind, namespace) == ("Site", "west")
        return Page(self.sites, "7")

    async def apply(self, wanted: Any, **_: Any) -> dict[str, Any]:
        return dict(wanted)

    async def replace(
        self, whole: Any, *, subresource: str = "", namespace: str = ""
    ) -> dict[str, Any]:
        raise AssertionError("nothing is reported")

    async def delete(
        self, kind: str, name: str, *, uid: str = "", version: str = "", namespace: str = ""
    ) -> bool:
        self.deleted.append((kind, name, uid))
        return True


def ends(server: Server, *, was_seen: bool = True) -> bool:
    async def run() -> bool:
        sites = Skupper2Sites(server)
        if was_seen:
            await sites.make("west", RequestedSite(SITE, MADE), None)
        return not await sites.is_back("west") and await sites.end("west", MADE)

    return asyncio.run(run())


@pytest.mark.parametrize("there", [(), (GOING,)])
def test_a_site_whose_site_is_gone_ends(there: tuple[Any, ...]) -> None:
    server = Server(*there)
    assert ends(server) and server.deleted == [("ConfigMap", names.SITE_CONFIGMAP, "u1")]


def test_a_site_that_is_there_again_keeps_what_was_made_of_it() -> None:
    server = Server(SITE)
    assert not ends(server) and not server.deleted, "kubectl replace --force deletes and creates"


def test_a_site_that_was_never_seen_ends_nothing() -> None:
    server = Server()
    assert not ends(server, was_seen=False) and not server.deleted


class LeftBehind(Server):
    """A namespace whose site is gone: ``left`` by kind; ``written``: statuses."""

    def __init__(self, *left: Any, claim: str = "", unread: tuple[str, ...] = ()) -> None:
        super().__init__()
        self.left, self.unread = left, unread
        self.refusal = 0
        """The status by which it refuses to write that of ``db``; 0: it does not."""
        self.written: list[tuple[str, Any]] = []
        made = {"kind": "ConfigMap", "metadata": {"name": "skupper"}, "data": {"controller": claim}}
        self.claim = made if claim else None

    async def find(self, kind: str, name: str, *, namespace: str = "") -> dict[str, Any] | None:
        return self.claim if (kind, name) == ("ConfigMap", "skupper") else None

    async def list(self, kind: str, *, namespace: str = "", **_: str) -> Page:
        assert namespace == "west"
        if kind in self.unread:
            raise ApiError(404, "NotFound", "the server could not find the requested resource")
        return Page([one for one in self.left if one["kind"] == kind], "7")

    async def replace(
        self, whole: Any, *, subresource: str = "", namespace: str = ""
    ) -> dict[str, Any]:
        assert (subresource, namespace) == ("status", "west")
        if self.refusal and whole["metadata"]["name"] == "db":
            raise ApiError(self.refusal, "Refused", "it is refused")
        self.written.append((whole["metadata"]["name"], whole["status"]["message"]))
        return dict(whole)


SAID = {"status": {"conditions": [{"type": "Ready", "status": "True"}]}}


@pytest.mark.parametrize(("claim", "left_alone"), [("", False), ("skupper-controller", True)])
def test_what_a_site_leaves_is_told_unless_another_controller_acts_on_it(
    claim: str, left_alone: bool
) -> None:
    told, untold = v2("Listener", "db") | SAID, v2("Connector", "new")
    server = LeftBehind(told, untold, claim=claim, unread=("MultiKeyListener",))
    asyncio.run(Skupper2Sites(server).mark_without_site("west"))
    assert server.written == ([] if left_alone else [("db", "No active site in namespace")])


@pytest.mark.parametrize("status", [400, 403, 404, 409, 422])
def test_a_status_that_is_refused_keeps_no_site_from_its_end(status: int) -> None:
    """An object may be older than the schema of its kind, or a webhook may intervene."""
    server = LeftBehind(v2("Listener", "db") | SAID, v2("Listener", "web") | SAID)
    server.refusal = status
    asyncio.run(Skupper2Sites(server).mark_without_site("west"))
    assert server.written == [("web", "No active site in namespace")]
