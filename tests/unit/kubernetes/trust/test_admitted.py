"""Sites that may link here: Secrets are the truth; entries of this router are never lost."""

import asyncio
from pathlib import Path

import msgspec
import pytest

from certs.links import register
from certs.links.register import Admitted, Issued, Register
from router.kubernetes.codecs.secrets import admitted_name, admitted_secret, data_of
from router.kubernetes.trust.admitted import AdmittedSecrets
from router.model import limits
from tests.unit.kubernetes.trust.fake_secrets import (
    AWAY,
    FORBIDDEN,
    FakeSecrets,
    failing,
)

EAST, WEST = "e" * 32, "1" * 32


def entry(site: str, *serials: str, seen: float = 1.0, chain: str = "PEM") -> Admitted:
    issued = tuple(Issued(f"key of {s}", s, 100.0, chain) for s in serials or ("01",))
    return Admitted(site_id=site, name=site[:2], by="token", since=1.0, seen=seen, issued=issued)


class Pod:
    """A replica with its own register."""

    def __init__(self, api: FakeSecrets, root: Path) -> None:
        self.api = api
        self.here = Register(root)
        self.secrets = AdmittedSecrets(api, self.here)

    def enter(self, one: Admitted) -> None:
        """As the router does it."""
        self.here.take([one], [])
        self.secrets.changed(one.site_id)

    def look(self) -> None:
        self.secrets.look(self.api.seen())

    def step(self) -> None:
        asyncio.run(self.secrets.step())


@pytest.fixture
def api() -> FakeSecrets:
    return FakeSecrets()


@pytest.fixture
def pod(api: FakeSecrets, tmp_path: Path) -> Pod:
    return Pod(api, tmp_path / "one")


def test_a_new_pod_knows_who_was_let_in_by_others(
    pod: Pod, api: FakeSecrets, tmp_path: Path
) -> None:
    pod.enter(entry(EAST, "01", "02"))
    pod.enter(entry(WEST))
    pod.step()
    assert sorted(api.objects) == [
        "spillway-admitted-1",
        "spillway-admitted-e",
    ]
    new = Pod(api, tmp_path / "new")
    new.look()
    assert new.here.sites() == [WEST, EAST]
    found = new.here.get(EAST)
    assert found is not None and found.serials == ("01", "02")
    assert [one.chain for one in found.issued] == ["", "PEM"]  # The newest is all it rejoins by.


def test_replicas_that_enter_at_once_lose_nothing_of_each_other(
    pod: Pod, api: FakeSecrets, tmp_path: Path
) -> None:
    other = Pod(api, tmp_path / "other")
    overtaken = [True]
    pod.enter(entry(EAST, "01"))
    other.enter(entry(EAST, "02", seen=9.0))
    other.enter(entry("e0" * 16, "03"))

    def create_first(verb: str, name: str) -> None:
        if verb == "create" and overtaken:
            overtaken.clear()
            api.put(admitted_secret(name, {EAST: register.encode(entry(EAST, "02", seen=9.0))}))

    api.before = create_first
    pod.step()
    api.before = lambda verb, name: None
    other.step()
    for one in (pod, other):
        one.look()
        found = one.here.get(EAST)
        assert found is not None and set(found.serials) == {"01", "02"} and found.seen == 9.0
        assert one.here.sites() == ["e0" * 16, EAST]


def test_what_is_entered_while_the_api_is_away_stays_and_is_kept_later(
    pod: Pod, api: FakeSecrets
) -> None:
    api.before = failing(AWAY)
    pod.enter(entry(EAST))
    pod.step()
    assert [error.code for error in pod.secrets.errors] == ["SW0443"]
    pod.look()  # The Secret does not have it yet.
    assert pod.here.sites() == [EAST]
    api.before = lambda verb, name: None
    pod.step()
    assert pod.secrets.errors == ()


def test_a_watch_that_lags_behind_our_own_write_forgets_nobody(pod: Pod, api: FakeSecrets) -> None:
    api.put(admitted_secret(admitted_name(EAST), {}))
    stale = api.seen()
    pod.enter(entry(EAST))
    pod.step()
    pod.secrets.look(stale)
    assert pod.here.sites() == [EAST]
    pod.look()
    api.put(admitted_secret(admitted_name(EAST), {}))  # Later an operator removes it.
    pod.look()
    assert pod.here.sites() == []


def test_who_was_forgotten_with_the_ca_does_not_come_back_by_what_was_not_kept(
    pod: Pod, api: FakeSecrets
) -> None:
    pod.enter(entry(EAST))
    pod.step()
    pod.look()
    pod.enter(entry(EAST, "01", "02"))
    api.objects.clear()
    pod.secrets.forget_all()
    pod.look()
    pod.step()
    assert pod.here.sites() == [] and api.objects == {}


def test_a_secret_that_was_deleted_is_forgotten_though_our_write_was_seen_before_it_was_told(
    pod: Pod, api: FakeSecrets
) -> None:
    pod.enter(entry(EAST))
    api.after = lambda verb, name: pod.look()
    pod.step()
    api.after = lambda verb, name: None
    api.objects.clear()
    pod.look()
    assert pod.here.sites() == []


def test_the_same_is_written_once_and_last_seen_again(pod: Pod, api: FakeSecrets) -> None:
    for seen in (1.0, 1.0, 2.0):
        pod.enter(entry(EAST, seen=seen))
        pod.step()
    assert api.writes == ["create spillway-admitted-e", "update spillway-admitted-e"]


def test_a_damaged_secret_is_named_changes_nothing_and_is_not_written_over(
    pod: Pod, api: FakeSecrets
) -> None:
    pod.enter(entry(EAST))
    pod.step()
    pod.look()
    for data in ({EAST: b"{"}, {WEST: register.encode(entry(WEST))}, {EAST: b'{"version":99}'}):
        damaged = api.put(admitted_secret("spillway-admitted-e", data))
        pod.look()
        pod.enter(entry(EAST, "01", "02"))
        pod.step()
        assert [error.code for error in pod.secrets.errors] == ["SW0446"]
        assert pod.here.sites() == [EAST]
        assert api.objects["spillway-admitted-e"]["data"] == damaged["data"]
    api.put(admitted_secret("spillway-admitted-e", {}))
    pod.look()
    pod.step()
    assert pod.secrets.errors == ()


def test_without_the_right_it_says_which_rule_lacks(pod: Pod, api: FakeSecrets) -> None:
    api.before = failing(FORBIDDEN)
    pod.enter(entry(EAST))
    pod.step()
    assert "Role" in pod.secrets.errors[0].hint


def test_4096_sites_with_two_certificates_fit_into_sixteen_secrets() -> None:
    chain = "x" * 1_100  # A leaf of a P-256 key by a P-256 CA, as PEM, is some 900.
    one = register.encode(register.brief(entry(EAST, "01" * 20, "02" * 20, chain=chain)))
    sites_of_a_digit = 4_096 / 16 * 1.25  # Ids are hashes: six standard deviations.
    assert len(one) * sites_of_a_digit < limits.ADMITTED_SECRET_BYTES_MAX


def test_a_secret_takes_what_fits_and_says_that_it_is_full(pod: Pod, api: FakeSecrets) -> None:
    new, filler = register.encode(entry(EAST)), register.encode(entry("e1" * 16, chain=""))
    room = limits.ADMITTED_SECRET_BYTES_MAX - len(new) - len(filler)
    big = register.encode(entry("e1" * 16, chain="x" * room))
    api.put(admitted_secret(admitted_name(EAST), {"e1" * 16: big}))
    pod.enter(entry(EAST))
    pod.step()
    assert not list(pod.secrets.errors)
    (data,) = map(data_of, api.objects.values())
    assert sum(map(len, data.values())) == limits.ADMITTED_SECRET_BYTES_MAX
    pod.enter(entry("e0" * 16))
    pod.step()
    (error,) = pod.secrets.errors
    assert error.code == "SW0446" and "full" in error.reason
    assert pod.here.sites() == ["e0" * 16, EAST]  # It counts here.
    pod.enter(entry(WEST))
    pod.step()
    assert admitted_name(WEST) in api.objects


def test_what_two_know_of_a_site_is_joined_with_the_newest_certificate_last() -> None:
    kept = register.brief(entry(EAST, "01", "02"))
    here = msgspec.structs.replace(entry(EAST, "02", "03", seen=5.0), name="new", renewed=4.0)
    both = register.joined(kept, here)
    assert both.serials == ("01", "02", "03") and both.issued[-1].chain == "PEM"
    assert (both.name, both.seen, both.renewed) == ("new", 5.0, 4.0)
    assert register.joined(both, here) == both == register.joined(both, kept)
