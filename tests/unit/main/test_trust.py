"""Claims that a site redeems: what `link status` can say of a link that waits for one."""

import time
from pathlib import Path

import pytest

from certs.authority import Authority
from certs.claims import GrantStore
from certs.credentials import LinkStore
from certs.identity import SiteIdentity
from certs.issue import claim_token
from router.link.outgoing import OutgoingSpec
from router.main.ports import PendingLink
from router.main.trust import SiteTrust
from router.model.events import Event
from router.model.specs import LinkSpec
from router.net.simulated import SimulatedInternet

BEGAN_S = 100.0


def secrets_of(directory: Path) -> tuple[Path, Authority, SiteIdentity]:
    """Fresh secrets of a site."""
    secrets = directory / "secrets"
    secrets.mkdir(mode=0o700, parents=True)
    identity = SiteIdentity.create(secrets)
    return secrets, Authority.create(secrets, identity.site_id, time.time()), identity


@pytest.fixture
def holder(tmp_path: Path) -> Path:
    """A site whose link ``west`` waits for a claim of a site where nobody listens."""
    there, authority, identity = secrets_of(tmp_path / "there")
    token = claim_token(
        GrantStore(there / "grants", authority),
        authority,
        name="t",
        site_id=identity.site_id,
        site_name="there",
        endpoints=(("10.0.0.2", 55671),),
        now=time.time(),
    )
    secrets, _, _ = secrets_of(tmp_path / "here")
    LinkStore(secrets / "links").add("west", token)
    return tmp_path / "here"


def test_a_claim_that_finds_nobody_says_so_and_since_when_it_tries(holder: Path) -> None:
    internet = SimulatedInternet(seed=1)
    network = internet.host("10.0.0.1")
    internet.host("10.0.0.2")
    told: list[Event] = []
    seen: list[OutgoingSpec | PendingLink] = []
    trust = SiteTrust(holder, told.append)
    trust.start(
        network,
        lambda: seen.append(trust.outgoing("west", LinkSpec())),
        lambda: None,
        lambda predicate, reason: 0,
    )
    internet.run_until(BEGAN_S)

    first = trust.outgoing("west", LinkSpec())
    assert isinstance(first, PendingLink)
    assert (first.state, first.error, first.since) == ("connecting", "", BEGAN_S)

    internet.run_until(BEGAN_S + 60.0)
    # The router is told once, however often the same attempt failed.
    (now,) = seen
    assert isinstance(now, PendingLink)
    assert (now.state, now.since) == ("connecting", BEGAN_S)
    assert "Is the router of there running" in now.error
    assert [event.code for event in told] == ["claim-failed"]
