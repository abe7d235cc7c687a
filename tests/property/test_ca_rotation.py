"""Rotations of a CA in any order of upgrades, absences and restarts, by real certificates.

The acceptor is the real `CaRotation` on a real directory; dialers hold the certificates that they
received, in two workers, of which the second reads them later. After each step each worker of every
upgraded and linked dialer could link again, whichever end restarts, at any time.
"""

import ssl
import tempfile
import time
from pathlib import Path

import msgspec
from hypothesis import example, given, settings
from hypothesis import strategies as st

from certs import certificates, keys, limits
from certs.ca import rotation
from certs.ca.authority import Authority, Leaf
from certs.ca.ca_files import CaFiles
from certs.ca.rotation import CaState, Dialer
from certs.identity import SiteIdentity
from certs.tls import contexts
from router.model.ids import SiteId
from router.model.limits import CA_LAG_S
from router.trust.ca_rotation import CaRotation
from tests.examples import examples, histories
from tests.unit.certs.test_rotation import shows
from tests.unit.journal import Journal

DAY_S = limits.DAY_S


class Shown(msgspec.Struct, frozen=True):
    """The certificate that a worker shows, and the CAs that it knows."""

    leaf: Leaf
    trusted_pem: str

    @property
    def der(self) -> bytes:
        return certificates.to_der(self.leaf.chain_pem)


class Holder:
    """A site that dials. ``upgraded``: it renews. It redeemed a claim before all began."""

    def __init__(self, number: int, acceptor: "Acceptor", *, upgraded: bool) -> None:
        self.site = f"{number:032x}"
        self.acceptor, self.upgraded, self.linked = acceptor, upgraded, True
        self.newest = self.received()
        self.workers = [self.newest, self.newest]
        self.dial()

    def received(self) -> Shown:
        """Another certificate with all CAs: by a claim, over the link, or by the resource."""
        authority, key = self.acceptor.rotating.authority, keys.generate()
        chain = authority.issue_client_leaf(key.public_key(), "t", time.time(), site_id=self.site)
        self.acceptor.rotating.given(certificates.serial_of(chain))
        return Shown(Leaf(keys.to_pem(key), chain), authority.trusted_pem)

    def take(self) -> None:
        """The first worker asks for another certificate, and dials with it."""
        self.workers[0] = self.newest = self.received()
        self.dial()

    def read_again(self) -> None:
        """The second worker reads the newest certificate, and dials with it."""
        if self.linked and self.workers[1] is not self.newest:
            self.workers[1] = self.newest
            self.dial()

    def dial(self) -> None:
        """All workers dial."""
        for one in self.workers:
            self.acceptor.rotating.shown(SiteId(self.site), one.der)

    def can_link(self) -> bool:
        """Whether each worker and the acceptor verify each other, strictly."""
        try:
            for one in self.workers:
                client = contexts.client_context(one.leaf, one.trusted_pem)
                if shows(client, self.acceptor.listener()) is None:
                    return False
        except ssl.SSLError:
            return False
        return True

    def dialer(self) -> Dialer:
        """As the acceptor's register and its links have it."""
        return Dialer(
            site=self.site,
            name="",
            ends_at=self.acceptor.now + 365 * DAY_S,
            connected=self.linked,
            renews=self.linked and self.upgraded,
            lags=self.linked
            and self.upgraded
            and not all(self.acceptor.rotating.is_current(one.der) for one in self.workers),
        )


class Acceptor:
    """A site that others dial, with its clock."""

    def __init__(self, directory: Path) -> None:
        self.secrets = directory / "secrets"
        self.site = SiteIdentity.create(self.secrets).site_id
        Authority.create(self.secrets, self.site, time.time())
        self.now = time.time()
        self.holders: list[Holder] = []
        self.start()

    def start(self) -> None:
        """Start the acceptor's process with an empty memory."""
        journal = Journal()
        self.rotating = CaRotation(self.secrets, self.site, journal.tell, None, lambda: self.now)
        self._leaf: tuple[str, Leaf] | None = None

    def listener(self) -> ssl.SSLContext:
        """With the server leaf of the CA that issues, as `ensure_leaf` has it."""
        authority = self.rotating.authority
        if self._leaf is None or self._leaf[0] != authority.ca_pem:
            self._leaf = (authority.ca_pem, authority.issue_server_leaf(self.site, time.time()))
        return contexts.server_context(self._leaf[1], authority.trusted_pem)

    def rotate(self, *, hurried: bool) -> None:
        """As `sitectl ca rotate` does, beside the router."""
        files = CaFiles(self.secrets)
        made, key_pem = Authority.generate(self.site, time.time())
        before, new = files.load(), CaState(key_pem, made.ca_pem)
        assert files.change(before, rotation.announced(before, new, self.now, hurried=hurried))
        self.rotating.look()

    def step(self) -> None:
        """A look of the router; who is asked and linked answers at once, with its first worker."""
        _, asked = self.rotating.step([holder.dialer() for holder in self.holders])
        for holder in self.holders:
            if SiteId(holder.site) in asked:
                holder.take()

    def settle(self) -> None:
        """Run until every linked dialer that can take the new certificate has it."""
        for _ in range(4):
            self.step()
            for holder in self.holders:
                holder.read_again()
            self.now += limits.CA_HURRIED_S / 10


class Step(msgspec.Struct, frozen=True):
    """What happens next, to which dialer."""

    what: str
    who: int = 0


STEPS = st.builds(
    Step,
    what=st.sampled_from(
        [
            *("rotate", "hurry", "step", "read", "settle", "restart"),
            *("offline", "online", "upgrade", "later"),
        ]
    ),
    who=st.integers(0, 3),
)


def happen(step: Step, acceptor: Acceptor) -> None:
    holder = acceptor.holders[step.who]
    match step.what:
        case "rotate" | "hurry":
            acceptor.rotate(hurried=step.what == "hurry")
        case "step":
            acceptor.step()
        case "settle":
            acceptor.settle()
        case "restart":
            acceptor.start()
            for one in acceptor.holders:
                if one.linked:
                    one.dial()
        case "read":
            holder.read_again()
        case "offline":
            holder.linked = False
        case "online":
            come_back(holder)
        case "upgrade":
            holder.upgraded = True
        case "later":
            acceptor.settle()
            acceptor.now += 20 * DAY_S
            acceptor.settle()


def come_back(holder: Holder) -> None:
    """The dialer dials; if shut out, it asks by its identity.

    One that is not upgraded stays shut out: its operator must make a token.
    """
    if not holder.can_link():
        if not holder.upgraded:
            return
        holder.take()
        holder.workers[1] = holder.newest
        assert holder.can_link(), "the resource gave what links"
    holder.linked = True
    holder.dial()


@example(  # Hurried when the phase has waited for weeks: who takes it now still has its minute.
    steps=[Step("rotate"), Step("later"), Step("hurry"), Step("upgrade"), Step("step")],
    upgraded=[False] * 4,
)
@example(  # The second workers read only after the phase of the first ones.
    steps=[Step("hurry"), *[Step("step")] * 2, Step("settle"), *[Step("step")] * 2],
    upgraded=[True] * 4,
)
@settings(max_examples=examples(15))
@given(steps=histories(STEPS, 14), upgraded=st.lists(st.booleans(), min_size=4, max_size=4))
def test_two_upgraded_linked_sites_can_always_link_anew(
    steps: list[Step], upgraded: list[bool]
) -> None:
    with tempfile.TemporaryDirectory() as directory:
        acceptor = Acceptor(Path(directory))
        acceptor.holders = [
            Holder(number, acceptor, upgraded=one) for number, one in enumerate(upgraded)
        ]
        acceptor.holders[3].linked = False  # Offline throughout, unless it comes back.
        for step in steps:
            happen(step, acceptor)
            for holder in acceptor.holders:
                if holder.linked and not holder.can_link():
                    assert not holder.upgraded, (step, holder.site)
                    holder.linked = False  # Its next dial is refused; it needs a new token.
        # In the end nothing of a rotation is left, and everyone who can comes back.
        acceptor.rotate(hurried=True)
        for _ in range(3):
            acceptor.settle()
            acceptor.now += limits.CA_OVERLAP_S
        acceptor.settle()
        assert acceptor.rotating.state.rotation is None
        for holder in acceptor.holders:
            holder.upgraded = True
            come_back(holder)
            assert holder.can_link()


def test_a_link_that_never_shows_the_new_certificate_delays_a_phase_for_a_while(
    tmp_path: Path,
) -> None:
    """It may hang; or show what another router of this site gave it, whose memory is its own."""
    acceptor = Acceptor(tmp_path)
    holder = Holder(0, acceptor, upgraded=True)
    acceptor.holders = [holder]
    acceptor.rotate(hurried=False)
    began, taken = acceptor.now, 0
    phases: dict[str, float] = {}
    while acceptor.now < began + 3 * CA_LAG_S:
        before = holder.newest
        acceptor.step()  # Its second worker reads nothing.
        taken += holder.newest is not before
        found = acceptor.rotating.state.rotation
        phases.setdefault(found.phase if found is not None else "over", acceptor.now - began)
        acceptor.now += 1.0
    assert phases["announced"] == 0.0
    assert CA_LAG_S <= phases["switched"] <= CA_LAG_S + 2.0
    assert phases["over"] <= 2 * (CA_LAG_S + 2.0)
    assert taken <= 6, "a certificate for each time that it was asked"
