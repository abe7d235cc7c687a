"""Token Secrets as links: keys are kept before they are used, users' Secrets never written."""

import asyncio
import errno
import os
from pathlib import Path
from typing import Any

import msgspec
import pytest

from certs import clocks, keys
from certs.ca.authority import Leaf
from certs.joining import redeem
from certs.joining.claims import Redeemed
from certs.links.credentials import Credential, LinkStore
from certs.token_files import tokens
from certs.token_files.tokens import Token
from router.kubernetes.codecs.secrets import LINK_KEY, data_of, link_name, owner_uid
from router.kubernetes.objects.picture import TokenSecret
from router.kubernetes.translation.tokens import text_of
from router.kubernetes.trust.links import LinkSecrets
from router.model import limits
from tests.unit.certs.sites import NOW, OTHER_SITE_ID, Site, parsed
from tests.unit.kubernetes.trust.fake_secrets import (
    AWAY,
    CONFLICT,
    FORBIDDEN,
    MISSING,
    FakeSecrets,
    failing,
)

LINK = link_name("link1")


class Pod:
    """One router's directory and what follows the Secrets for it. A new one: the pod was lost."""

    def __init__(self, api: FakeSecrets, root: Path, site_id: str = OTHER_SITE_ID) -> None:
        self.api = api
        self.store = LinkStore(root / "secrets" / "links")
        self.links = LinkSecrets(api, self.store, site_id, lambda: NOW)
        self.asked: dict[str, TokenSecret] = {}

    def ask(self, token: Token | str, name: str = "link1", uid: str = "u1") -> None:
        """What the user's Secret says."""
        if isinstance(token, Token):
            made = tokens.as_secret(token)
            made["metadata"]["name"] = name
            token = text_of(made, made["metadata"]["labels"]["skupper.io/type"])
        self.asked[name] = TokenSecret(name=name, uid=uid, text=token)

    def look(self) -> bool:
        return self.links.look(self.asked, self.api.seen())

    def step(self) -> bool:
        news: list[str] = []
        asyncio.run(self.links.step(lambda: news.append("a link is new")))
        return bool(news)

    def settle(self) -> None:
        """Until nothing is written any more."""
        for _ in range(4):
            self.look()
            self.step()
        writes = len(self.api.writes)
        self.look()
        self.step()
        assert len(self.api.writes) == writes

    def key(self) -> str:
        return self.store.redeeming_key("link1")

    def redeem(self, east: Site) -> Redeemed:
        """As the router does with the key it has."""
        token = self.store.load("link1").token
        key_pem, body = redeem.make_request(token, OTHER_SITE_ID, "west", self.key())
        answer = east.grants.redeem(token.name, parsed(body), NOW)
        assert isinstance(answer, Redeemed)
        wire = msgspec.json.encode({"chain": answer.chain_pem, "ca": answer.ca_pem})
        self.store.complete("link1", redeem.read_answer(200, wire, key_pem, token))
        return answer


@pytest.fixture
def api() -> FakeSecrets:
    return FakeSecrets()


@pytest.fixture
def pod(api: FakeSecrets, tmp_path: Path) -> Pod:
    return Pod(api, tmp_path / "pod")


def errors(pod: Pod) -> list[tuple[str, str]]:
    return [(error.source, error.code) for error in pod.links.errors]


def test_a_claims_key_is_in_a_secret_before_the_link_is_there(
    api: FakeSecrets, pod: Pod, east: Site
) -> None:
    pod.ask(east.claim())
    assert not pod.look() and pod.store.names() == []
    hindrance = pod.links.hindrance("link1")
    assert hindrance is not None and hindrance.state == "connecting"
    assert pod.step()
    kept = data_of(api.objects[LINK])
    assert kept[LINK_KEY].decode() == pod.key()
    assert owner_uid(api.objects[LINK]) == "u1"
    assert "finalizers" not in api.objects[LINK]["metadata"]
    assert pod.links.hindrance("link1") is None
    pod.settle()
    assert api.writes == [f"create {LINK}"]


def test_a_lost_pod_redeems_with_the_same_key_and_gets_the_same_certificate(
    api: FakeSecrets, pod: Pod, east: Site, tmp_path: Path
) -> None:
    token = east.claim()
    pod.ask(token)
    pod.settle()
    first = pod.redeem(east)  # And the pod dies before it has kept that.
    later = Pod(api, tmp_path / "later")
    later.ask(token)
    assert later.look()
    assert later.key() == pod.key()
    again = later.redeem(east)
    assert (again.chain_pem, again.repeated) == (first.chain_pem, True)


def test_a_key_that_is_kept_counts_over_a_directory_that_was_not_finished(
    api: FakeSecrets, pod: Pod, east: Site, tmp_path: Path
) -> None:
    """The container was killed between two files; it may have redeemed before."""
    token = east.claim()
    pod.ask(token)
    pod.settle()
    (tmp_path / "pod" / "secrets" / "links" / "link1" / "client.key").unlink()
    again = Pod(api, tmp_path / "pod")
    again.ask(token)
    again.settle()
    assert again.key() == data_of(api.objects[LINK])[LINK_KEY].decode()
    assert api.writes == [f"create {LINK}"]


def test_a_redeemed_credential_outlives_the_pod(
    api: FakeSecrets, pod: Pod, east: Site, tmp_path: Path
) -> None:
    token = east.claim()
    pod.ask(token)
    pod.settle()
    pod.redeem(east)
    pod.settle()
    assert api.writes == [f"create {LINK}", f"update {LINK}"]
    later = Pod(api, tmp_path / "later")
    later.ask(token)
    assert later.look()
    assert later.store.load("link1") == pod.store.load("link1")
    later.settle()
    assert len(api.writes) == 2


def test_two_replicas_share_one_key_and_one_credential(
    api: FakeSecrets, pod: Pod, east: Site, tmp_path: Path
) -> None:
    other, token = Pod(api, tmp_path / "other"), east.claim()
    for replica in (pod, other):
        replica.ask(token)
        replica.look()
    for replica in (pod, other):
        assert replica.step()
    assert pod.key() == other.key()
    assert pod.redeem(east).chain_pem == other.redeem(east).chain_pem
    for replica in (pod, other):
        replica.settle()
    assert api.writes == [f"create {LINK}", f"update {LINK}"]


def test_a_replica_that_did_not_redeem_takes_what_the_other_was_given(
    api: FakeSecrets, pod: Pod, east: Site, tmp_path: Path
) -> None:
    other, token = Pod(api, tmp_path / "other"), east.claim()
    for replica in (pod, other):
        replica.ask(token)
        replica.settle()
    pod.redeem(east)
    pod.settle()
    other.settle()
    assert other.store.load("link1") == pod.store.load("link1")


def test_a_certificate_token_needs_nothing_but_itself(
    api: FakeSecrets, pod: Pod, east: Site
) -> None:
    api.before = failing(AWAY)
    pod.ask(east.certificate_token())
    assert pod.look()
    assert pod.store.load("link1").credential is not None
    pod.step()
    assert api.calls == [] and errors(pod) == []


def test_another_token_under_the_name_is_another_link(
    api: FakeSecrets, pod: Pod, east: Site
) -> None:
    pod.ask(east.claim("one"))
    pod.settle()
    first = pod.key()
    pod.ask(east.claim("two"))
    assert pod.look() and not pod.store.exists("link1")
    pod.settle()
    assert pod.store.load("link1").token.name == "two" and pod.key() != first
    pod.ask(east.certificate_token())  # Filled in place by the issuer's tool, say.
    assert pod.look()
    pod.settle()
    assert pod.store.load("link1").token.kind == "certificate"
    assert LINK not in api.objects


def test_a_token_that_is_gone_takes_its_link_along(pod: Pod, east: Site) -> None:
    pod.ask(east.claim())
    pod.settle()
    pod.asked = {}
    assert pod.look() and pod.store.names() == []
    assert not pod.look()


def test_a_token_secret_recreated_with_another_uid_keeps_its_credential(
    api: FakeSecrets, pod: Pod, east: Site
) -> None:
    token = east.claim()
    pod.ask(token)
    pod.settle()
    pod.redeem(east)
    pod.settle()
    stored = pod.store.load("link1")
    pod.ask(token, uid="u2")
    pod.settle()
    assert owner_uid(api.objects[LINK]) == "u2"
    del api.objects[LINK]  # The garbage collector was faster.
    pod.settle()
    assert owner_uid(api.objects[LINK]) == "u2"
    assert pod.store.load("link1") == stored


def test_a_cost_that_the_user_writes_is_no_other_token(
    api: FakeSecrets, pod: Pod, east: Site, tmp_path: Path
) -> None:
    token = east.claim(cost=3)
    pod.ask(token)
    pod.settle()
    for replica in (pod, Pod(api, tmp_path / "later")):
        made = tokens.as_secret(token)
        made["metadata"]["name"] = "link1"
        made["metadata"]["annotations"]["skupper.io/cost"] = "9"
        replica.ask(text_of(made, "token-claim"))
        replica.settle()
        assert errors(replica) == []
        assert replica.store.load("link1").token == token
    assert api.writes == [f"create {LINK}"]


def test_our_own_token_that_a_tool_copied_back_is_no_link_and_no_fault(
    api: FakeSecrets, east: Site, tmp_path: Path
) -> None:
    pod = Pod(api, tmp_path, east.identity.site_id)
    pod.ask(east.certificate_token())
    pod.settle()
    assert (pod.store.names(), errors(pod), api.writes) == ([], [], [])


SKUPPERS = """
apiVersion: v1
kind: Secret
metadata:
  name: link1
  labels: {skupper.io/type: connection-token}
  annotations: {inter-router-host: h, inter-router-port: "55671", skupper.io/site-version: 1.9.6}
data: {ca.crt: bm8=, tls.crt: bm8=, tls.key: bm8=}
"""


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "not a token"),
        ("{}", "not a Secret"),
        (SKUPPERS.replace("skupper.io/type", "type"), "no token of a Spillway site"),
        (SKUPPERS, "no token of a Spillway site"),
        (
            SKUPPERS.replace("inter-router-host: h", "spillway.dev/endpoints: h:1").replace(
                "tls.crt: bm8=, ", ""
            ),
            "lacks data tls.crt",
        ),
    ],
)
def test_what_is_no_token_of_ours_is_a_finding_that_says_what_to_do(
    pod: Pod, text: str, said: str
) -> None:
    pod.ask(text)
    pod.settle()
    assert errors(pod) == [("Secret/link1", "SW0441")]
    (error,) = pod.links.errors
    assert said in error.reason
    assert error.hint
    hindrance = pod.links.hindrance("link1")
    assert hindrance is not None and hindrance.state == "refused"
    assert hindrance.error_code == "token" and error.hint in hindrance.error


def test_a_link_without_any_token_is_refused_with_the_next_step(pod: Pod) -> None:
    pod.settle()
    hindrance = pod.links.hindrance("nowhere")
    assert hindrance is not None and hindrance.state == "refused"
    assert "Secret/nowhere" in hindrance.error and "sitectl link create" in hindrance.error
    assert hindrance.error_code == "", "no problem of a Secret says so"


def test_a_half_written_secret_is_taken_when_it_is_whole_and_spoils_no_link_before(
    pod: Pod, east: Site
) -> None:
    whole = tokens.as_secret(east.certificate_token())
    half: dict[str, Any] = {**whole, "data": {"ca.crt": whole["data"]["ca.crt"]}}
    pod.ask(text_of(half, "connection-token"))
    pod.ask(east.claim("other"), name="link2")
    pod.settle()
    assert pod.store.names() == ["link2"] and errors(pod) == [("Secret/link1", "SW0441")]
    pod.ask(text_of(whole, "connection-token"))
    pod.settle()
    assert pod.store.names() == ["link1", "link2"] and errors(pod) == []
    pod.ask(text_of(half, "connection-token"))  # A user edits it: the link stays.
    pod.settle()
    assert pod.store.names() == ["link1", "link2"] and errors(pod) == [("Secret/link1", "SW0441")]


def test_without_the_right_to_keep_a_key_the_link_says_which(
    api: FakeSecrets, pod: Pod, east: Site
) -> None:
    api.before = failing(FORBIDDEN, "create")
    pod.ask(east.claim())
    pod.look()
    pod.step()
    assert errors(pod) == [(f"Secret/{LINK}", "SW0443")]
    assert "Role spillway-router" in pod.links.errors[0].hint
    hindrance = pod.links.hindrance("link1")
    assert hindrance is not None and "forbidden" in hindrance.error
    api.before = lambda verb, name: None
    pod.settle()
    assert errors(pod) == [] and pod.store.names() == ["link1"]


def test_an_expired_claim_is_no_link_unless_it_was_asked_for_in_time(
    api: FakeSecrets, pod: Pod, east: Site, tmp_path: Path
) -> None:
    old, begun = east.claim("old", now=NOW - 9_000), east.claim("begun")
    pod.ask(old)
    pod.ask(begun, name="link2")
    pod.settle()
    assert pod.store.names() == ["link2"]
    assert "expired" in pod.links.errors[0].reason
    late = Pod(api, tmp_path / "late")
    late.links = LinkSecrets(api, late.store, OTHER_SITE_ID, lambda: NOW + 9_000)
    late.ask(begun, name="link2")
    late.settle()
    assert late.store.has_key("link2") and errors(late) == []


def test_what_is_said_of_an_expired_claim_stays_the_same_text_while_time_passes(
    api: FakeSecrets, pod: Pod, east: Site
) -> None:
    now = NOW
    pod.links = LinkSecrets(api, pod.store, OTHER_SITE_ID, lambda: now)
    pod.ask(east.claim(now=NOW - 9_000))
    pod.settle()
    (first,) = pod.links.errors
    now = NOW + 600
    pod.settle()
    (second,) = pod.links.errors
    assert str(second) == str(first), "another text would be another event"
    assert f"expired at {clocks.utc(NOW - 8_100)}" in first.reason
    hindrance = pod.links.hindrance("link1")
    assert hindrance is not None and hindrance.state == "refused", "nothing is on its way"


def test_a_link_that_is_deleted_with_its_token_is_not_said_to_lack_one(
    pod: Pod, east: Site
) -> None:
    for name in ("link1", "link2"):
        pod.ask(east.certificate_token(name), name=name)
    assert pod.look()
    del pod.asked["link1"]
    assert not pod.links.look(pod.asked, {}, {"link2"}), "its document says that it is deleted"
    assert pod.store.names() == ["link2"]
    del pod.asked["link2"]
    assert pod.links.look(pod.asked, {}, {"link2"}), "a document still asks for it"


def test_a_damaged_secret_of_a_link_is_made_anew(
    api: FakeSecrets, pod: Pod, east: Site, tmp_path: Path
) -> None:
    token = east.claim()
    pod.ask(token)
    pod.settle()
    api.objects[LINK]["data"] = {LINK_KEY: "%%"}
    later = Pod(api, tmp_path / "later")
    later.ask(token)
    later.settle()
    assert data_of(api.objects[LINK])[LINK_KEY].decode() == later.key()


class SlowFor(FakeSecrets):
    """Calls about one Secret do not come back before they may."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self._slow, self._may = name, asyncio.Event()

    async def find(self, kind: str, name: str, **_: str) -> dict[str, Any] | None:
        if name == self._slow:
            await self._may.wait()
        return await super().find(kind, name)

    def answer(self) -> None:
        self._may.set()


def test_a_call_that_hangs_holds_up_no_other_link(tmp_path: Path, east: Site) -> None:
    async def story() -> None:
        names = [f"link{number}" for number in range(20)]
        api = SlowFor(link_name("link0"))
        pod = Pod(api, tmp_path / "slow")
        for name in names:
            pod.ask(east.claim(f"to-{name}"), name)
        pod.look()
        new = asyncio.Event()
        async with asyncio.timeout(5), asyncio.TaskGroup() as tasks:
            step = tasks.create_task(pod.links.step(new.set))
            while set(pod.store.names()) != set(names[1:]):
                await new.wait()
                new.clear()
            assert not step.done()
            api.answer()
        assert set(pod.store.names()) == set(names)

    asyncio.run(story())


def test_a_write_that_is_always_overtaken_is_left_for_the_next_step(
    pod: Pod, api: FakeSecrets, east: Site
) -> None:
    pod.ask(east.claim("link1", now=NOW))
    api.before = failing(CONFLICT, "create")
    pod.look()
    pod.step()
    assert len(api.calls) <= 2 * limits.SECRET_TRIES_MAX
    (error,) = pod.links.errors
    assert (error.source, error.code) == (f"Secret/{LINK}", "SW0443")
    api.before = failing(MISSING, "create")  # So says a namespace that is gone.
    pod.step()
    api.before = lambda verb, name: None
    pod.settle()
    assert pod.store.names() == ["link1"]
    assert pod.links.errors == ()


def test_a_secret_of_somebody_else_under_our_name_is_never_written(
    pod: Pod, api: FakeSecrets, east: Site
) -> None:
    theirs = {"kind": "Secret", "metadata": {"name": LINK}, "data": {"password": "c2VjcmV0"}}
    api.put(theirs)
    pod.ask(east.claim("link1", now=NOW))
    pod.look()
    pod.step()
    assert api.writes == []
    (error,) = pod.links.errors
    assert (error.source, error.code) == (f"Secret/{LINK}", "SW0447")
    assert "spillway.dev/type" in error.reason


@pytest.mark.parametrize("kind", ["certificate", "claim"])
def test_a_full_disk_costs_the_link_that_it_hits(
    pod: Pod, east: Site, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    token = east.claim("link1", now=NOW) if kind == "claim" else east.certificate_token("link1")
    pod.ask(token)
    with monkeypatch.context() as full:
        full.setattr(os, "fsync", _no_space)
        pod.look()
        pod.step()
        (error,) = pod.links.errors
        assert (error.source, error.code) == ("Secret/link1", "SW0447")
        assert "No space left" in error.reason
    pod.step()
    assert pod.store.names() == ["link1"]
    assert pod.links.errors == ()


def _no_space(_descriptor: int) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_what_one_replica_renewed_all_use_and_none_writes_the_old_one_back(
    api: FakeSecrets, pod: Pod, east: Site, tmp_path: Path
) -> None:
    token = east.claim()
    pod.ask(token)
    pod.settle()
    pod.redeem(east)
    pod.settle()
    beside = Pod(api, tmp_path / "beside")
    beside.ask(token)
    beside.settle()
    key = keys.generate()
    chain = east.authority.issue_client_leaf(
        key.public_key(), token.name, NOW, site_id=OTHER_SITE_ID, expires_at=NOW + 10 * 86_400
    )
    leaf = Leaf(key_pem=keys.to_pem(key), chain_pem=chain)
    pod.store.renewed("link1", Credential(leaf, east.authority.ca_pem))
    pod.settle()
    assert data_of(api.objects[LINK])[LINK_KEY].decode() == leaf.key_pem
    beside.settle()
    pod.settle()
    for one in (pod, beside, Pod(api, tmp_path / "later")):
        one.ask(token)
        one.settle()
        credential = one.store.load("link1").credential
        assert credential is not None and credential.leaf == leaf
    assert len(api.writes) == 3, "made, redeemed, renewed"
