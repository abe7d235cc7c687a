"""Whatever is lost, doubled or killed while a link is renewed, it keeps a valid certificate."""

import errno
import random
import tempfile
from pathlib import Path
from typing import Literal, get_args
from unittest import mock

from hypothesis import example, given, settings
from hypothesis import strategies as st

from certs import certificates, limits
from certs.ca import signing_requests
from certs.identity import SiteIdentity
from certs.joining.issue import certificate_token
from certs.links import renewal
from certs.links.credentials import Credential, LinkStore
from certs.links.revocation import Revocation
from router.link import control
from router.link.neighbour import Neighbour
from router.link.sessions.link_status import LinkStatus
from router.link.sessions.lost_races import LinkErrorCode, LinkState
from router.link.sessions.renewals import Answer
from router.model import limits as router_limits
from router.model.ids import RouterId, SiteId
from router.net.simulated.internet import SimulatedInternet
from router.trust.certificate_renewal import Renewer
from tests.examples import examples
from tests.unit.journal import Journal
from tests.unit.trust.trusts import East

BEGAN = 1_790_000_000.0
HOUR_S = 3_600.0
Fate = Literal[
    "fine",
    "unanswered",  # The request is lost.
    "unheard",  # Issued, and the answer is lost.
    "doubled",  # The answer comes twice.
    "refused",
    "down",
    "killed",  # The dialer, with the answer in its hands.
    "full",  # The dialer's disk.
    "issuer-killed",  # After it registered the certificate.
]


class FullStore(LinkStore):
    """Takes nothing while ``is_full``."""

    is_full = False

    def renewed(self, name: str, credential: Credential) -> None:
        if FullStore.is_full:
            raise OSError(errno.ENOSPC, "No space left on device")
        super().renewed(name, credential)


class West:
    """A dialer and the way to its neighbor, on which each request has a fate."""

    def __init__(
        self,
        directory: Path,
        fates: list[Fate],
        seed: int,
        *,
        life_s: float = limits.LINK_LEAF_LIFE_S,
    ) -> None:
        """``life_s``: of the certificate in its token."""
        self.internet = SimulatedInternet(seed=seed)
        self.network = self.internet.host("10.0.0.1")
        self.fates = fates
        self.rng = random.Random(seed)
        self.east = East(directory / "east", self.wall)
        self.identity = SiteIdentity.create(directory / "west" / "secrets")
        self.store = FullStore(directory / "west" / "secrets" / "links")
        token = certificate_token(
            self.east.authority,
            name="to-east",
            site_id=self.east.identity.site_id,
            site_name="east",
            endpoints=(("10.0.0.2", 1),),
            now=BEGAN,
            life_s=life_s,
        )
        self.store.add("east", token)
        self.neighbour = Neighbour(RouterId("w"), SiteId(self.identity.site_id), "west", b"")
        self.state: LinkState = "up"
        self.error_code: LinkErrorCode = ""
        self.asked: list[float] = []
        self.journal = Journal()
        self.restart()

    def wall(self) -> float:
        return BEGAN + self.network.now()

    def restart(self) -> None:
        """Start the dialer's process with the files on its disk."""
        self.renewer = Renewer(
            self.network,
            self.store,
            self.identity,
            self.rng,
            self.journal.tell,
            self.changed,
            self.wall,
        )
        self.renewer.use(self, self.outgoing_status)
        self.changed()

    def changed(self) -> None:
        stored = self.store.load("east")
        assert stored.credential is not None
        self.credential = stored.credential
        self.renewer.follow("east", stored.token, stored.credential)

    @property
    def ends_at(self) -> float:
        return certificates.expires_at(self.credential.leaf.chain_pem)

    # Carrier.

    def outgoing_status(self, name: str) -> LinkStatus | None:
        return LinkStatus(
            name=name,
            neighbour_name="east",
            neighbour_site="",
            neighbour_router="",
            direction="outgoing",
            cost=1,
            state=self.state,
            since=0.0,
            rtt_s=None,
            lanes=1,
            streams=0,
            error="",
            error_code=self.error_code,
            bytes_in=0,
            bytes_out=0,
        )

    def ask_renewal(self, name: str, request: str, answered: Answer) -> bool:
        self.asked.append(self.network.now())
        fate = self.fates.pop(0) if self.fates else "fine"
        FullStore.is_full = fate == "full"
        if fate == "down":
            self.state = "down"
            return False
        self.state = "up"
        shown = certificates.to_der(self.credential.leaf.chain_pem)
        got: list[control.Renewed | None] = []
        if fate == "refused":
            got.append(control.Renewed("", "", "not now"))
        elif fate != "unanswered":
            self.east.issuer.asked(self.neighbour, shown, request, got.append)
        if fate == "issuer-killed":
            self.east.issuer = self.east.started()
        if fate in ("unanswered", "unheard", "issuer-killed"):
            got = [None]
        if fate == "doubled":
            got *= 2
        if fate == "killed":
            self.renewer.forget(frozenset())
            self.network.call_at(self.network.now() + 5.0, self.restart)
            return True
        for answer in got:
            self.network.call_at(self.network.now() + 1.0, lambda a=answer: answered(a))  # type: ignore[misc]
        return True


@settings(max_examples=examples(12))
@given(
    fates=st.lists(
        st.tuples(st.lists(st.sampled_from(get_args(Fate)), max_size=6), st.just("fine")),
        max_size=4,
    ),
    seed=st.integers(0, 2**16),
)
@example(fates=[([], "fine"), ([], "fine"), (["killed", "killed"], "fine")], seed=0)
def test_the_link_never_ends_without_a_valid_certificate(
    fates: list[tuple[list[Fate], Fate]], seed: int
) -> None:
    """Up to six misfortunes in a row, in each of three weeks."""
    flat = [fate for some, last in fates for fate in (*some, last)]
    # A disk of a test need not outlive a power cut, and weeks have many minutes.
    rare = mock.patch.object(router_limits, "RENEW_LOOK_S", HOUR_S / 2)
    with tempfile.TemporaryDirectory() as directory, mock.patch("os.fsync"), rare:
        west = West(Path(directory), list(flat), seed)
        weeks = 3
        for hour in range(0, weeks * 7 * 24, 6):
            west.internet.run_until(hour * HOUR_S)
            stored = west.store.load("east").credential
            assert stored is not None, "the store is whole at any moment"
            assert west.wall() < west.ends_at - limits.DAY_S, "a day is left at least"
        assert len(west.asked) <= len(flat) + 2 * weeks + 2, "no storm"
        entry = west.east.issuer.register.get(west.identity.site_id)
        assert entry is not None and len(entry.issued) <= limits.ISSUED_PER_SITE_MAX
        lost = {"unheard", "issuer-killed"} & set(flat)
        # The next key is only in memory until its certificate is stored: after each kill the
        # dialer asks with another key, and the key of the certificate issued before is lost.
        assert lost or len(entry.issued) <= max(3, 2 + flat.count("killed"))


def test_a_lost_answer_is_asked_for_again_and_gets_the_same_certificate(tmp_path: Path) -> None:
    west = West(tmp_path, ["unheard", "issuer-killed", "fine"], 1)
    west.internet.run_until(5 * limits.DAY_S)
    entry = west.east.issuer.register.get(west.identity.site_id)
    assert entry is not None and len(west.asked) == 3
    assert [one.chain for one in entry.issued] == [west.credential.leaf.chain_pem]


def test_pauses_grow_while_the_issuer_does_not_answer(tmp_path: Path) -> None:
    west = West(tmp_path, ["unanswered"] * 1_000, 1)
    west.internet.run_until(5.2 * limits.DAY_S)
    assert [problem.code for problem in west.renewer.problems()] == []
    west.internet.run_until(6 * limits.DAY_S)
    assert 12 <= len(west.asked) <= 120, "of two days"
    gaps = [later - sooner for sooner, later in zip(west.asked, west.asked[1:], strict=False)]
    assert max(gaps[:2]) < 400 and min(gaps[-3:]) > 1_700
    (problem,) = west.renewer.problems()
    assert problem.code == "SW0670" and "east did not answer" in problem.message


def test_a_neighbour_that_says_due_is_asked_once_soon_and_the_operator_at_once(
    tmp_path: Path,
) -> None:
    west = West(tmp_path, [], 1)
    west.internet.run_until(HOUR_S)
    for _ in range(100):
        west.renewer.due("east")
        west.renewer.due("nobody")
    west.internet.run_until(HOUR_S + 60)
    assert len(west.asked) == 1
    assert west.renewer.renew_now("east") and not west.renewer.renew_now("nobody")
    west.internet.run_until(HOUR_S + 65)
    assert len(west.asked) == 2


def test_a_revoked_site_gets_nothing_either_way(tmp_path: Path) -> None:
    west = West(tmp_path, [], 1)
    east, site = west.east, west.identity.site_id
    west.internet.run_until(5 * limits.DAY_S)
    east.revocations.add(sites=(site,))
    shown = certificates.to_der(west.credential.leaf.chain_pem)
    got: list[control.Renewed | None] = []
    request = _csr()
    east.issuer.asked(west.neighbour, shown, request, got.append)
    (answer,) = got
    assert answer is not None and answer.chain == ""
    assert judged(west) == 403
    east.revocations.apply(Revocation(readmitted=frozenset({site})))
    assert judged(west) == 200


def test_whoever_was_never_let_in_hears_what_a_revoked_one_hears(tmp_path: Path) -> None:
    west = West(tmp_path, [], 1)
    told: list[tuple[int, bytes]] = []
    west.east.revocations.add(sites=(west.identity.site_id,))
    for body in (_request(west), b"garbage", b""):
        west.east.issuer.judge(
            "to-east", body, "10.0.0.1", lambda status, answer: told.append((status, answer))
        )
    assert len(set(told)) == 1 and told[0][0] == 403


def test_who_tries_too_often_is_slowed_and_who_is_right_is_not(tmp_path: Path) -> None:
    west = West(tmp_path, [], 1)
    west.internet.run_until(5 * limits.DAY_S)
    assert [judged(west) for _ in range(20)] == [200] * 20
    tries = limits.CLAIMS_PER_SOURCE_PER_MIN
    assert [judged(west, b"garbage") for _ in range(tries + 1)] == [403] * tries + [429]


def test_a_stolen_request_gives_the_thief_the_same_certificate_of_a_key_it_has_not(
    tmp_path: Path,
) -> None:
    west = West(tmp_path, [], 1)
    west.internet.run_until(5 * limits.DAY_S)
    body = _request(west)
    tries = limits.CLAIMS_PER_SOURCE_PER_MIN + 1  # The first was right.
    assert [judged(west, body) for _ in range(30)] == [200] * tries + [429] * (30 - tries)
    entry = west.east.issuer.register.get(west.identity.site_id)
    assert entry is not None and len(entry.issued) <= 3, "nothing is driven out by it"


def _csr() -> str:
    from certs import keys

    return signing_requests.make_csr(keys.generate())


def _request(west: West) -> bytes:
    from certs import keys

    site = west.east.identity.site_id
    return renewal.make_request(west.identity, site, keys.to_pem(keys.generate()), b"n" * 32)


def judged(west: West, body: bytes | None = None) -> int:
    """Status of a renewal beside the link."""
    told: list[int] = []
    west.east.issuer.judge(
        "to-east",
        _request(west) if body is None else body,
        "10.0.0.1",
        lambda status, answer: told.append(status),
    )
    (status,) = told
    return int(status)
