"""Token requests: filled once, kept filled, and we fight over no label of others."""

import asyncio
import copy
from pathlib import Path
from typing import Any

import msgspec
import pytest

from certs import certificates
from certs.token_files import tokens
from certs.token_files.tokens import Token
from router.kubernetes.objects.addresses import Addresses
from router.kubernetes.objects.names import FILLED, SKUPPER_TYPE
from router.kubernetes.translation.tokens import text_of
from router.kubernetes.trust.requests import ISSUER, TokenIssuer, TokenRequests
from tests.unit.certs.sites import NOW, Site
from tests.unit.kubernetes.trust.fake_secrets import CONFLICT, FORBIDDEN, FakeSecrets, failing

HERE = Addresses((("lb.example", 55671),))
WAITING = Addresses(waiting="no address of a load balancer yet", hint="Wait")


class Scene:
    def __init__(self, root: Path) -> None:
        self.site = Site(root)
        self.api = FakeSecrets()
        self.now = NOW
        self.issuer = TokenIssuer(self.site.authority, self.site.identity.site_id, "west")
        self.requests = TokenRequests(self.api, self.issuer, lambda: self.now)

    def ask(self, name: str = "to-east", **notes: str) -> None:
        metadata: dict[str, Any] = {
            "name": name,
            "labels": {SKUPPER_TYPE: "connection-token-request", "argocd": "app"},
        }
        if notes:
            metadata["annotations"] = {
                k.replace("__", "/").replace("_", "."): v for k, v in notes.items()
            }
        self.api.put({"apiVersion": "v1", "kind": "Secret", "metadata": metadata})

    def reconcile(self, addresses: Addresses = HERE) -> None:
        """As after every change."""
        asking = tuple(
            name
            for name, found in self.api.objects.items()
            if found["metadata"].get("labels", {}).get(SKUPPER_TYPE) == "connection-token-request"
        )
        self.requests.look(asking, self.api.seen(), "east", addresses)
        asyncio.run(self.requests.step())

    def token(self, name: str = "to-east") -> Token:
        return tokens.load(text_of(self.api.objects[name], "connection-token"), name)

    def label(self, name: str = "to-east") -> str:
        return str(self.api.objects[name]["metadata"]["labels"][SKUPPER_TYPE])

    def put_label_back(self, name: str = "to-east") -> None:
        found = copy.deepcopy(self.api.objects[name])
        found["metadata"]["labels"][SKUPPER_TYPE] = "connection-token-request"
        self.api.put(found)


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path)


def test_a_request_becomes_a_token_of_this_site_in_place(scene: Scene) -> None:
    scene.ask()
    uid = scene.api.objects["to-east"]["metadata"]["uid"]
    scene.reconcile()
    token = scene.token()
    assert (token.site_id, token.site_name) == (scene.site.identity.site_id, "east")
    assert token.endpoints == HERE.endpoints
    assert certificates.common_name(token.certificate_pem) == "to-east"
    assert scene.label() == "connection-token"
    found = scene.api.objects["to-east"]["metadata"]
    assert found["uid"] == uid and found["labels"]["argocd"] == "app"
    assert scene.requests.errors == ()


def test_a_request_waits_for_an_address_and_says_so(scene: Scene) -> None:
    scene.ask()
    scene.reconcile(WAITING)
    (told,) = scene.requests.errors
    assert (told.source, told.code, told.severity) == ("Secret/to-east", "SW0442", "info")
    assert WAITING.waiting in told.reason and told.hint
    assert scene.api.writes == []
    scene.reconcile()
    assert scene.token().endpoints == HERE.endpoints and scene.requests.errors == ()


def test_a_label_that_is_put_back_keeps_the_certificate_and_causes_no_write(scene: Scene) -> None:
    scene.ask()
    scene.reconcile()
    first = scene.token()
    for _ in range(60):  # An hour of self-heal, a minute apart.
        scene.put_label_back()
        scene.now += 60
        scene.reconcile()
    assert scene.token() == first
    assert scene.api.writes == ["patch to-east"]


def test_a_request_that_somebody_empties_is_filled_again_but_not_at_once(scene: Scene) -> None:
    scene.ask()
    scene.reconcile()
    for _ in range(5):
        scene.ask()
        scene.reconcile()
    assert len(scene.api.writes) == 1
    scene.now += 10
    scene.reconcile()
    assert len(scene.api.writes) == 2 and scene.token()


def test_another_address_is_written_into_it_and_the_certificate_stays(scene: Scene) -> None:
    scene.ask()
    scene.reconcile()
    first = scene.token()
    scene.now += 60
    moved = Addresses((("lb2.example", 55671),))
    scene.reconcile(moved)
    assert scene.token() == msgspec.structs.replace(first, endpoints=moved.endpoints)
    scene.reconcile(WAITING)  # An address that is lost for a moment takes nothing away.
    assert scene.token().endpoints == moved.endpoints


def test_a_certificate_is_renewed_at_two_thirds_of_its_life_whatever_the_label(
    scene: Scene,
) -> None:
    scene.ask()
    scene.reconcile()
    first = scene.token()
    scene.now += 86_400 * 365 * 0.6
    scene.reconcile()
    assert scene.token() == first
    scene.now += 86_400 * 365 * 0.1
    scene.reconcile()
    renewed = scene.token()
    assert renewed.certificate_pem != first.certificate_pem
    assert renewed.expires_at > first.expires_at


def test_a_copy_of_another_sites_token_is_left_alone(scene: Scene, tmp_path: Path) -> None:
    other = Site(tmp_path / "far", "far").certificate_token()
    for label in ("connection-token-request", "connection-token"):
        made = tokens.as_secret(other)
        made["metadata"]["labels"] = {SKUPPER_TYPE: label}
        scene.api.put(made)
        scene.reconcile()
    assert scene.api.writes == [] and scene.requests.errors == ()


def test_a_copy_of_what_was_filled_here_is_not_renewed(scene: Scene) -> None:
    scene.ask()
    scene.reconcile()
    copied = copy.deepcopy(scene.api.objects["to-east"])
    copied["metadata"] |= {"name": "copy"}
    del copied["metadata"]["uid"]
    scene.api.put(copied)
    assert copied["metadata"]["annotations"][FILLED]
    scene.now += 86_400 * 300
    scene.reconcile()
    assert scene.api.writes == ["patch to-east", "patch to-east"]


@pytest.mark.parametrize(("issuer", "fills"), [("east", True), ("west", True), ("far", False)])
def test_a_request_may_name_the_site_that_shall_fill_it(
    scene: Scene, issuer: str, fills: bool
) -> None:
    assert ISSUER == "spillway.dev/issuer"
    scene.ask(spillway_dev__issuer=issuer)
    scene.reconcile()
    assert bool(scene.api.writes) is fills
    assert (scene.requests.errors == ()) is fills


def test_a_request_for_another_site_says_whom_it_waits_for_until_its_copy_comes(
    scene: Scene, tmp_path: Path
) -> None:
    scene.ask(spillway_dev__issuer="far")
    scene.reconcile()
    (told,) = scene.requests.errors
    assert (told.source, told.code, told.severity) == ("Secret/to-east", "SW0442", "info")
    assert told.path == "metadata.annotations[spillway.dev/issuer]"
    assert "waits for site 'far' to fill it, and this one is east" in told.reason and told.hint
    far = Scene(tmp_path / "far")
    far.ask(spillway_dev__issuer="east")
    far.reconcile()
    copied = copy.deepcopy(far.api.objects["to-east"])
    copied["metadata"]["annotations"][ISSUER] = "far"
    scene.api.put(copied)
    scene.reconcile()
    assert scene.requests.errors == ()


def test_two_replicas_fill_it_once(scene: Scene) -> None:
    rival = TokenRequests(scene.api, scene.issuer, lambda: NOW)
    scene.ask()
    seen = scene.api.seen()
    for replica in (rival, scene.requests):
        replica.look(("to-east",), seen, "east", HERE)
        asyncio.run(replica.step())
    assert scene.api.writes == ["patch to-east"] and scene.requests.errors == ()


def test_what_hinders_is_told_at_the_secret(scene: Scene) -> None:
    scene.ask()
    scene.api.before = failing(FORBIDDEN, "patch")
    scene.reconcile()
    (error,) = scene.requests.errors
    assert (error.source, error.code) == ("Secret/to-east", "SW0443")
    assert "patch" in error.hint
    scene.api.before = failing(CONFLICT, "patch")
    scene.reconcile()
    assert scene.requests.errors == ()
    scene.api.before = lambda verb, name: None
    scene.reconcile()
    assert scene.token()
