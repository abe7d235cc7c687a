"""Claims that a site redeems: what `link status` can say of a link that waits for one."""

import time
from pathlib import Path

import msgspec
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from certs.authority import Authority
from certs.claims import GrantStore
from certs.credentials import LinkStore
from certs.identity import SiteIdentity
from certs.issue import certificate_token, claim_token
from certs.tokens import Token
from router.link.outgoing import OutgoingSpec
from router.main.ports import PendingLink
from router.main.trust import SiteTrust
from router.model.specs import LinkSpec
from router.net.simulated import SimulatedInternet
from tests.unit.main.journal import Journal

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
    journal = Journal()
    seen: list[OutgoingSpec | PendingLink] = []
    trust = SiteTrust(holder, journal.tell)
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
    assert journal.told() == ["claim-failed"]


def started(directory: Path) -> SiteTrust:
    """The trust of a site, on a network without neighbours."""
    trust = SiteTrust(directory, Journal().tell)
    network = SimulatedInternet(seed=1).host("10.0.0.1")
    trust.start(network, lambda: None, lambda: None, lambda predicate, reason: 0)
    return trust


def test_a_link_with_a_damaged_token_is_refused_alone_and_spoils_no_answer(holder: Path) -> None:
    token = holder / "secrets" / "links" / "west" / "token.yaml"
    token.write_text("garbage")
    trust = started(holder)
    pending = trust.outgoing("west", LinkSpec())
    assert isinstance(pending, PendingLink)
    assert pending.state == "refused"
    assert str(token) in pending.error
    assert trust.certificate_expiries().keys() == {"leaf", "ca"}


def test_a_link_whose_key_the_tls_library_refuses_is_refused_alone(holder: Path) -> None:
    weak = rsa.generate_private_key(65_537, 1_024)
    token = msgspec.structs.replace(
        own_token(holder),
        certificate_pem=Authority.load(holder / "secrets").issue_client_leaf(
            weak.public_key(),  # type: ignore[arg-type]  # Not a key of ours: that is the point.
            "weak",
            time.time(),
        ),
        key_pem=weak.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ).decode(),
    )
    LinkStore(holder / "secrets" / "links").add("weak", token)
    pending = started(holder).outgoing("weak", LinkSpec())
    assert isinstance(pending, PendingLink)
    assert pending.state == "refused"
    assert "KEY_TOO_SMALL" in pending.error


def own_token(holder: Path) -> Token:
    """A certificate token of the holder itself, good for a day."""
    return certificate_token(
        Authority.load(holder / "secrets"),
        name="c",
        site_id="0" * 32,
        site_name="there",
        endpoints=(("10.0.0.2", 55671),),
        now=time.time(),
        life_s=86_400.0,
    )


def test_the_expiry_of_a_link_shows_as_long_as_the_link_is_wanted(holder: Path) -> None:
    token = own_token(holder)
    LinkStore(holder / "secrets" / "links").add("east", token)
    trust = started(holder)
    assert isinstance(trust.outgoing("east", LinkSpec()), OutgoingSpec)
    assert trust.certificate_expiries()["link/east"] == token.expires_at
    trust.forget_links(frozenset({"east"}))
    assert "link/east" in trust.certificate_expiries()
    trust.forget_links(frozenset())
    assert "link/east" not in trust.certificate_expiries()
