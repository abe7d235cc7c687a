"""Objects of a burst: made, deleted, and those of others left alone. The API server is a fake."""

import asyncio
from typing import Any, cast

import pytest

from router.control.bursts import Firing, HookOutcome
from router.documents.templates import NAMES
from router.kubernetes.client.api import Api
from router.kubernetes.client.errors import ApiError
from router.kubernetes.leader.burst_objects import settle
from router.kubernetes.objects.names import BURST_LABEL
from router.model.bursts import BurstState

CLAIM = {"apiVersion": "hive.example.com/v1", "kind": "Claim", "metadata": {"name": "c-{{burst}}"}}
PLACE = "apis/hive.example.com/v1/namespaces/here/claims/c-wake"


class Server:
    """One object at `PLACE`, or none; ``served`` is what discovery answers."""

    namespace = "here"

    def __init__(self, found: dict[str, Any] | None = None) -> None:
        self.found = found
        self.served: Any = {"resources": [{"name": "claims", "kind": "Claim", "namespaced": True}]}
        self.sent: list[tuple[str, str]] = []
        self.body: dict[str, Any] = {}

    async def send(self, method: str, path: str, **options: Any) -> dict[str, Any]:
        self.sent.append((method, path))
        if path == "apis/hive.example.com/v1":
            return cast(dict[str, Any], self.served)
        assert path == PLACE
        if method == "GET" and self.found is None:
            raise ApiError(404, "NotFound", "no such claim")
        self.body = options.get("body", {})
        return self.found or {}

    async def send_if_there(self, method: str, path: str, **options: Any) -> dict[str, Any] | None:
        try:
            return await self.send(method, path, **options)
        except ApiError as error:
            if error.status != 404:
                raise
            return None

    @property
    def writes(self) -> list[str]:
        return [method for method, _ in self.sent if method != "GET"]


def settled(server: Server, event: BurstState, **values: str) -> HookOutcome:
    told = dict.fromkeys(NAMES, "x") | {"burst": "wake"} | values
    firing = Firing(id="id-1", event=event, is_test=False, values=told)
    return asyncio.run(settle(cast(Api, server), CLAIM, firing, 5.0))


def of(owner: str, **about: str) -> dict[str, Any]:
    return {"metadata": {"name": "c-wake", "uid": "u1", "labels": {BURST_LABEL: owner}, **about}}


def test_one_of_ours_is_made_with_its_label_and_deleted_by_its_uid() -> None:
    server = Server()
    assert settled(server, "saturated").text == "Claim c-wake was made"
    assert server.body["metadata"]["labels"] == {BURST_LABEL: "wake"}
    server = Server(of("wake"))
    assert settled(server, "calm").text == "Claim c-wake was deleted"
    assert server.body["preconditions"] == {"uid": "u1"}
    assert settled(Server(), "calm").text == "Claim c-wake was gone already"


@pytest.mark.parametrize("event", ["saturated", "calm"])
@pytest.mark.parametrize("found", [of("other"), {"metadata": {"name": "c-wake"}}, {}])
def test_one_of_another_owner_is_neither_changed_nor_deleted(
    event: BurstState, found: dict[str, Any]
) -> None:
    server = Server(found)
    outcome = settled(server, event)
    assert not outcome.ok
    assert "left alone" in outcome.text
    assert server.writes == []


def test_one_that_is_still_being_deleted_is_made_again_later_and_not_forgotten() -> None:
    server = Server(of("wake", deletionTimestamp="2026-01-01T00:00:00Z"))
    outcome = settled(server, "saturated")
    assert not outcome.ok
    assert "still being deleted" in outcome.text
    assert server.writes == []


@pytest.mark.parametrize(
    "served",
    [
        {},
        {"resources": None},
        {"resources": "claims"},
        {"resources": [None, 7, {"kind": "Claim"}, {"kind": "Claim", "name": "claims/status"}]},
    ],
)
def test_garbage_of_discovery_is_told(served: Any) -> None:
    server = Server()
    server.served = served
    outcome = settled(server, "saturated")
    assert not outcome.ok
    assert server.writes == []
