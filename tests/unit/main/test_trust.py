"""Claims that a site redeems: what `link status` can say of a link that waits for one."""

import time
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from certs.authority import Authority
from certs.certificates import to_der
from certs.claims import GrantStore
from certs.credentials import LinkStore
from certs.files import write_secret
from certs.identity import SiteIdentity
from certs.issue import certificate_token, claim_token
from certs.revocation import Revocations
from certs.tokens import Token
from router.link.outgoing import OutgoingSpec
from router.link.ports import Neighbour
from router.main.ports import PendingLink
from router.main.trust import SiteTrust
from router.model import limits
from router.model.ids import RouterId, SiteId
from router.model.specs import LinkSpec
from router.net.simulated import SimulatedInternet
from tests.unit.main.journal import Journal

BEGAN_S = 100.0
WEST = Neighbour(RouterId("w"), SiteId("11" * 16), "west", b"")


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


def shown_by(holder: Path, site: str) -> bytes:
    """The certificate (DER) that a claim of the holder gave to ``site``."""
    key = ec.generate_private_key(ec.SECP256R1()).public_key()
    authority = Authority.load(holder / "secrets")
    return to_der(authority.issue_client_leaf(key, "claim", time.time(), site_id=site))


def test_a_certificate_admits_the_site_it_names_and_no_other(holder: Path) -> None:
    trust = started(holder)
    trust.identity(RouterId("r"), "here")
    certificate = shown_by(holder, WEST.site)
    assert trust.admit(certificate, WEST) is None
    thief = msgspec.structs.replace(WEST, site=SiteId("22" * 16), name="thief")
    refused = trust.admit(certificate, thief)
    assert refused is not None
    assert (refused.code, WEST.site in str(refused)) == ("wrong-site", True)


def test_a_revoked_site_is_dropped_and_refused_also_when_another_process_wrote_it(
    holder: Path,
) -> None:
    dropped: list[bool] = []

    def drop(predicate: Callable[[Neighbour], bool], reason: str) -> int:
        dropped.append(predicate(WEST))
        return 1

    internet = SimulatedInternet(seed=1)
    trust = SiteTrust(holder, Journal().tell)
    trust.start(internet.host("10.0.0.1"), lambda: None, lambda: None, drop)
    certificate = shown_by(holder, WEST.site)
    assert trust.admit(certificate, WEST) is None
    Revocations(holder / "secrets").add(sites=(WEST.site,))
    internet.run_until(internet.now + 2 * limits.CONFIG_POLL_S)
    assert dropped == [True]
    refused = trust.admit(certificate, WEST)
    assert refused is not None
    assert refused.code == "revoked"


def test_a_list_of_revocations_that_cannot_be_read_admits_nobody_until_it_is_mended(
    holder: Path,
) -> None:
    internet = SimulatedInternet(seed=1)
    journal = Journal()
    trust = SiteTrust(holder, journal.tell)
    trust.start(internet.host("10.0.0.1"), lambda: None, lambda: None, lambda predicate, reason: 0)
    revoked = holder / "secrets" / "revoked.json"
    write_secret(revoked, b"garbage")
    internet.run_until(internet.now + 5 * limits.CONFIG_POLL_S)
    assert journal.told() == ["revocations-damaged"]
    refused = trust.admit(shown_by(holder, WEST.site), WEST)
    assert refused is not None
    assert refused.code == "revocations-damaged"
    write_secret(revoked, b"{}")
    assert trust.admit(shown_by(holder, WEST.site), WEST) is None
