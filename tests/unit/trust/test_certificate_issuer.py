"""What a hostile member gets out of renewals: nothing of others, and never more than its share."""

from pathlib import Path

import pytest

from certs import certificates, keys, limits
from certs.ca import signing_requests
from certs.ca.authority import Authority
from certs.ca.terms import FREE, TokenTerms, of_certificate
from certs.identity import SiteIdentity
from certs.joining.claims import ClaimRequest, GrantStore, Redeemed
from certs.joining.issue import certificate_token, claim_token
from certs.links import renewal
from certs.token_files import tokens
from router.link import control
from router.link.neighbour import Neighbour
from router.model.ids import RouterId, SiteId
from tests.unit.trust.trusts import East

NOW = 1_790_000_000.0


class West:
    """A site that holds a certificate token of East's which many sites use."""

    def __init__(self, directory: Path) -> None:
        self.now = NOW
        self.east = East(directory / "east", lambda: self.now)
        secrets = directory / "west"
        secrets.mkdir(mode=0o700)
        self.identity = SiteIdentity.create(secrets)
        self.neighbour = Neighbour(RouterId("w"), SiteId(self.identity.site_id), "west", b"")
        token = certificate_token(
            self.east.authority,
            name="shared",
            site_id=self.east.identity.site_id,
            site_name="east",
            endpoints=(("10.0.0.2", 1),),
            now=NOW,
            life_s=limits.TOKEN_CERTIFICATE_LIFE_S,
        )
        self.shared = certificates.to_der(token.certificate_pem)
        self.east.issuer.seen(self.shared, self.neighbour)

    def renew(self) -> control.Renewed:
        """Over the link, by another key each time."""
        got: list[control.Renewed | None] = []
        request = signing_requests.make_csr(keys.generate())
        self.east.issuer.asked(self.neighbour, self.shared, request, got.append)
        assert got[0] is not None
        return got[0]

    def rejoin(self, key_pem: str | None = None, source: str = "10.0.0.9") -> int:
        """On the claim port; the status."""
        key_pem = key_pem or keys.to_pem(keys.generate())
        body = renewal.make_request(
            self.identity, self.east.identity.site_id, key_pem, bytes(renewal.NONCE_BYTES)
        )
        got: list[int] = []
        self.east.issuer.judge("any", body, source, lambda status, _: got.append(status))
        return got[0]


@pytest.fixture
def west(tmp_path: Path) -> West:
    return West(tmp_path)


def test_a_site_gets_so_many_living_certificates_and_others_keep_theirs(west: West) -> None:
    """Nor does the list of the revoked grow by it, which all links are judged by."""
    given = [west.renew() for _ in range(limits.ISSUED_PER_SITE_MAX - 1)]
    assert all(answer.chain for answer in given)
    refused = west.renew()
    assert not refused.chain and "have not ended" in refused.reason
    assert west.rejoin() == 403
    serials = [certificates.serial_of(answer.chain) for answer in given]
    for serial in (certificates.serial_of(west.shared), *serials):
        assert not west.east.revocations.is_revoked(serial, west.identity.site_id)
    west.now += limits.LINK_LEAF_LIFE_S
    assert west.renew().chain


def test_a_certificate_that_many_sites_use_stays_in_the_register(west: West) -> None:
    """So that barring this site bars it, whatever else the site was given, by another CA too."""
    for _ in range(limits.ISSUED_PER_SITE_MAX - 1):
        west.renew()
    other, _ = Authority.generate(west.east.identity.site_id, NOW)
    west.east.authority = other
    assert west.renew().chain
    shared = certificates.serial_of(west.shared)
    assert shared in west.east.issuer.serials(west.identity.site_id)
    assert not west.east.revocations.is_revoked(shared, "")


def test_a_request_that_is_played_again_and_again_is_slowed_down(west: West) -> None:
    """A replay of a recorded request counts against its sender, as a wrong request does."""
    key_pem = keys.to_pem(keys.generate())
    found = [west.rejoin(key_pem) for _ in range(limits.CLAIMS_PER_SOURCE_PER_MIN + 2)]
    assert found[:2] == [200, 200] and found[-1] == 429
    assert west.east.journal.codes.count("link-rejoined") == 1


def test_a_site_that_was_given_a_new_certificate_is_named_and_not_said_to_be_linked(
    west: West,
) -> None:
    """It may be a copy, which is kept out with a new certificate as well."""
    assert west.rejoin(keys.to_pem(keys.generate())) == 200
    (told,) = [message for code, message in west.east.journal.messages if code == "link-rejoined"]
    site = west.identity.site_id[:8]
    assert told.startswith(f"Site west ({site}) was given a new certificate. It asked for it from ")


def test_who_redeemed_two_claims_rejoins_by_the_terms_of_the_newer(tmp_path: Path) -> None:
    """Known by its grants alone, as after a restore; whatever the claims are called."""
    west = West(tmp_path)
    west.east.issuer.register.forget_all()
    store = GrantStore(west.east.secrets / "grants", west.east.authority)
    few = TokenTerms(import_=("till",))
    for name, allowed, renews in (("a", FREE, False), ("b", few, True)):
        token = claim_token(
            store,
            west.east.authority,
            name=name,
            site_id=west.east.identity.site_id,
            site_name="east",
            endpoints=(("10.0.0.2", 1),),
            now=west.now,
            terms=allowed,
        )
        request = ClaimRequest(
            secret=token.secret,
            csr=signing_requests.make_csr(keys.generate()),
            checksum=tokens.checksum(token),
            site_id=west.identity.site_id,
            site_name="west",
            renews=renews,
        )
        assert isinstance(store.redeem(name, request, west.now), Redeemed)
        west.now += 60.0
    assert west.rejoin() == 200
    entry = west.east.issuer.register.get(west.identity.site_id)
    assert entry is not None and of_certificate(entry.issued[-1].chain) == few
