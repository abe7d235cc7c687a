"""Claims that a site redeems: what `link status` can say of a link that waits for one."""

import datetime
import errno
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID

from certs import limits as certs_limits
from certs.ca import terms
from certs.ca.authority import Authority
from certs.ca.ca_files import CaFiles
from certs.ca.rotation import CaState
from certs.ca.terms import TokenTerms
from certs.certificates import expires_at, serial_of, site_uri, to_der
from certs.errors import CertError
from certs.files import write_secret
from certs.identity import SiteIdentity
from certs.joining.claims import ClaimRequest, Grant, GrantStore, Redeemed
from certs.joining.issue import certificate_token, claim_token
from certs.joining.redeem import make_request
from certs.links.credentials import LinkStore
from certs.links.register import DIRECTORY, Register
from certs.links.revocation import Revocation, Revocations
from certs.token_files.tokens import Token
from router.kubernetes.trust.links import TokenObstacle
from router.link.neighbour import LinkPermission, Neighbour
from router.link.sessions.outgoing_spec import OutgoingSpec
from router.model import limits
from router.model.errors import HandshakeRejected
from router.model.ids import RouterId, SiteId
from router.model.rights import sharing
from router.model.specs import LinkSpec
from router.net.ports import Tls
from router.net.simulated.internet import SimulatedInternet
from router.trust.ports import ClaimResult, PendingLink
from router.trust.trust import SiteTrust
from tests.unit.journal import Journal

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
    """A site whose link ``west`` waits for a claim of a site where no router listens."""
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
    # The router gets one report, however often the same attempt failed.
    (now,) = seen
    assert isinstance(now, PendingLink)
    assert (now.state, now.since) == ("connecting", BEGAN_S)
    assert "Is the router of there running" in now.error
    assert journal.told() == ["claim-failed"]


def test_a_claim_at_a_site_with_another_ca_than_the_token_names_each_cause(holder: Path) -> None:
    internet = SimulatedInternet(seed=1)
    network, there = internet.host("10.0.0.1"), internet.host("10.0.0.2")
    other = Tls(context=None, certificate=b"", alpn=("spillway-other",))
    there.listen("10.0.0.2", 55671, lambda connection: None, tls=other)
    trust = SiteTrust(holder, Journal().tell)
    trust.start(network, lambda: None, lambda: None, lambda predicate, reason: 0)
    trust.outgoing("west", LinkSpec())
    internet.run_until(BEGAN_S)
    now = trust.outgoing("west", LinkSpec())
    assert isinstance(now, PendingLink)
    causes = "there replaced its CA or was made again, or another site has its address"
    assert causes in now.error
    assert "At there: sitectl token create FILE" in now.error
    assert "running" not in now.error


def test_a_clock_that_was_set_is_told_once_and_links_are_tried_again(holder: Path) -> None:
    internet = SimulatedInternet(seed=1)
    journal = Journal()
    set_s, retries = 7_200.0, 0

    def retry() -> None:
        nonlocal retries
        retries += 1

    trust = SiteTrust(holder, journal.tell)
    trust.start(
        internet.host("10.0.0.1"),
        lambda: None,
        lambda: None,
        lambda predicate, reason: 0,
        retry,
        clock_set_s=lambda: set_s,
    )
    internet.run_until(10.0)
    assert (journal.told(), retries) == ([], 0)  # It was set before the start.
    set_s += 86_400
    internet.run_until(20.0)
    assert (journal.told(), retries) == (["clock-moved"], 1)
    set_s -= limits.CLOCK_MOVED_S - 1  # Certificates tolerate that.
    internet.run_until(30.0)
    assert (journal.told(), retries) == ([], 1)
    set_s -= limits.CLOCK_MOVED_S
    internet.run_until(40.0)
    assert (journal.told(), retries) == (["clock-moved"], 2)


def started(directory: Path) -> SiteTrust:
    """The trust of a site, on a network without neighbors."""
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


def test_the_end_of_the_certificate_that_a_site_links_by_is_known(holder: Path) -> None:
    trust = started(holder)
    trust.identity(RouterId("r"), "here")
    assert trust.issuer.shown_until(WEST.site) is None
    certificate = shown_by(holder, WEST.site)
    assert trust.admit(certificate, WEST) is None
    assert trust.issuer.shown_until(WEST.site) == expires_at(certificate)


def test_no_more_ends_are_remembered_than_sites_may_be_let_in(
    holder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(certs_limits, "ADMITTED_MAX", 2)
    trust = started(holder)
    trust.identity(RouterId("r"), "here")
    sites = [SiteId(digit * 32) for digit in "123"]
    for site in sites:
        neighbour = msgspec.structs.replace(WEST, site=site)
        trust.issuer.seen(shown_by(holder, site), neighbour)
    known = [trust.issuer.shown_until(site) is not None for site in sites]
    assert known == [False, True, True]


def test_a_certificate_that_names_two_sites_admits_neither(
    holder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trust = started(holder)
    trust.identity(RouterId("r"), "here")
    monkeypatch.setattr(
        "certs.ca.authority._of_site",
        lambda builder, site: builder.add_extension(
            x509.SubjectAlternativeName(
                [x509.UniformResourceIdentifier(site_uri(one)) for one in (site, "22" * 16)]
            ),
            critical=False,
        ),
    )
    certificate = shown_by(holder, WEST.site)
    for site in (WEST.site, SiteId("22" * 16), SiteId("33" * 16)):
        refused = trust.admit(certificate, msgspec.structs.replace(WEST, site=site))
        assert refused is not None and refused.code == "wrong-site"


def forged(holder: Path, *extensions: x509.ExtensionType, days: int = 7) -> bytes:
    """A certificate (DER) of WEST that bears the signature of the holder's CA, and these."""
    key = (holder / "secrets" / "ca.key").read_bytes()
    signer = serialization.load_pem_private_key(key, None)
    assert isinstance(signer, ec.EllipticCurvePrivateKey)
    ca = x509.load_pem_x509_certificate((holder / "secrets" / "ca.crt").read_bytes())
    now = datetime.datetime.now(datetime.UTC)
    name = x509.SubjectAlternativeName([x509.UniformResourceIdentifier(site_uri(WEST.site))])
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([]))
        .issuer_name(ca.subject)
        .public_key(ec.generate_private_key(ec.SECP256R1()).public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now)
        .not_valid_after(now + datetime.timedelta(days=days))
    )
    for extension in (name, *extensions):
        builder = builder.add_extension(extension, critical=False)
    signed = builder.sign(signer, hashes.SHA256())
    return signed.public_bytes(serialization.Encoding.DER)


FOR_CLIENTS = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH])
NO_CA = x509.BasicConstraints(False, None)


@pytest.mark.parametrize(
    ("extensions", "days", "said"),
    [
        ((NO_CA,), 7, "does not say what it is for"),
        ((FOR_CLIENTS,), 7, "does not say what it is for"),
        ((FOR_CLIENTS, x509.BasicConstraints(True, None)), 7, "that of a certificate authority"),
        ((FOR_CLIENTS, NO_CA), 367, "lasts more than 366 days"),
        (
            (x509.ExtendedKeyUsage([*FOR_CLIENTS, ExtendedKeyUsageOID.EMAIL_PROTECTION]), NO_CA),
            7,
            "not for links alone",
        ),
    ],
)
def test_what_the_ca_never_issues_admits_nobody_though_it_signed_it(
    holder: Path, extensions: tuple[x509.ExtensionType, ...], days: int, said: str
) -> None:
    trust = started(holder)
    trust.identity(RouterId("r"), "here")
    assert trust.admit(forged(holder, FOR_CLIENTS, NO_CA, days=366), WEST) is None
    refused = trust.admit(forged(holder, *extensions, days=days), WEST)
    assert refused is not None and refused.code == "wrong-certificate"
    assert said in str(refused)


def test_a_certificate_that_the_register_does_not_know_is_entered_and_revoked_with_its_site(
    holder: Path,
) -> None:
    trust = started(holder)
    trust.identity(RouterId("r"), "here")
    unregistered = forged(holder, FOR_CLIENTS, NO_CA)
    register = Register(holder / "secrets" / DIRECTORY)
    assert register.get(WEST.site) is None
    assert trust.admit(unregistered, WEST) is None
    entry = register.get(WEST.site)
    assert entry is not None and entry.serials == (serial_of(unregistered),)
    trust.revoke(WEST.site)
    restarted = started(holder)
    restarted.identity(RouterId("r"), "here")
    thief = msgspec.structs.replace(WEST, site=SiteId("22" * 16), name="thief")
    assert [refusal(restarted.admit(unregistered, one)) for one in (WEST, thief)] == ["revoked"] * 2


@pytest.mark.parametrize(("renewed", "code"), [(False, "revoked"), (True, "old-certificate")])
def test_a_site_that_has_renewed_by_the_new_ca_is_not_sent_for_a_token(
    holder: Path, code: str, *, renewed: bool
) -> None:
    """Another of its workers was dialing when the old CA was retired."""
    old = shown_by(holder, WEST.site)
    files = CaFiles(holder / "secrets")
    before, now = files.load(), time.time()
    made, key_pem = Authority.generate("11" * 16, now)
    assert files.change(before, CaState(key_pem, made.ca_pem))
    trust = started(holder)
    trust.identity(RouterId("r"), "here")
    if renewed:
        assert trust.admit(shown_by(holder, WEST.site), WEST) is None
    refused = trust.admit(old, WEST)
    assert refused is not None and refused.code == code
    assert ("token" in refused.hint) is not renewed


def refusal(rejected: HandshakeRejected | None) -> str:
    """Its code; empty: admitted."""
    return "" if rejected is None else rejected.code


def test_a_certificate_token_lasts_a_year_and_no_longer(holder: Path) -> None:
    with pytest.raises(CertError, match="at most 366 days"):
        certificate_token(
            Authority.load(holder / "secrets"),
            name="c",
            site_id="0" * 32,
            site_name="there",
            endpoints=(("10.0.0.2", 55671),),
            now=time.time(),
            life_s=367 * certs_limits.DAY_S,
        )


def test_a_router_of_our_own_site_is_admitted_by_a_certificate_of_that_site_alone(
    holder: Path,
) -> None:
    trust = started(holder)
    own = SiteId(trust.identity(RouterId("r"), "here").site)
    sibling = Neighbour(RouterId("s"), own, "here", b"", is_sibling=True)
    assert trust.admit(trust.sibling_tls().certificate, sibling) is None
    assert trust.admit(trust.listener_tls().certificate, sibling) is None
    key = ec.generate_private_key(ec.SECP256R1()).public_key()
    authority = Authority.load(holder / "secrets")
    of_any_site = to_der(authority.issue_client_leaf(key, "token", time.time()))
    for shown in (shown_by(holder, WEST.site), of_any_site):
        refused = trust.admit(shown, sibling)
        assert refused is not None and refused.code == "wrong-site"


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


def test_of_a_site_that_was_let_in_again_only_the_older_certificate_is_revoked(
    holder: Path,
) -> None:
    trust = started(holder)
    older = shown_by(holder, WEST.site)
    assert trust.admit(older, WEST) is None
    Revocations(holder / "secrets").add(serials=(serial_of(older),), sites=(WEST.site,))
    refused = trust.admit(older, WEST)
    assert refused is not None and "has revoked the access of west" in str(refused)
    Revocations(holder / "secrets").apply(Revocation(readmitted=frozenset({WEST.site})))
    assert trust.admit(shown_by(holder, WEST.site), WEST) is None
    refused = trust.admit(older, WEST)
    assert refused is not None and refused.code == "revoked"
    assert "has revoked the certificate that west shows, but not the site" in str(refused)


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
    (problem,) = trust.problems()
    assert problem.code == "SW0666" and "No site may link here" in problem.message
    assert str(revoked) in problem.message
    write_secret(revoked, b"{}")
    assert trust.admit(shown_by(holder, WEST.site), WEST) is None
    internet.run_until(internet.now + 2 * limits.CONFIG_POLL_S)
    assert trust.problems() == ()
    assert journal.told() == ["revocations-readable"]


def test_a_list_of_revocations_that_may_not_be_read_is_told_of_in_a_sentence(
    holder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    internet = SimulatedInternet(seed=1)
    journal = Journal()
    trust = SiteTrust(holder, journal.tell)
    trust.start(internet.host("10.0.0.1"), lambda: None, lambda: None, lambda predicate, reason: 0)
    revoked = holder / "secrets" / "revoked.json"

    def refresh(revocations: Revocations) -> bool:
        raise PermissionError(errno.EACCES, "Permission denied", str(revoked))

    monkeypatch.setattr(Revocations, "refresh", refresh)
    internet.run_until(internet.now + 5 * limits.CONFIG_POLL_S)
    (problem,) = trust.problems()
    assert problem.message == (
        "No site may link here: the list of revoked sites cannot be used: "
        f"{revoked}: Permission denied."
    )
    assert journal.told() == ["revocations-damaged"]


def test_a_ca_that_cannot_be_read_is_told_of_once_and_again_when_it_broke_anew(
    holder: Path,
) -> None:
    internet = SimulatedInternet(seed=1)
    journal = Journal()
    trust = SiteTrust(holder, journal.tell)
    trust.start(internet.host("10.0.0.1"), lambda: None, lambda: None, lambda predicate, reason: 0)
    certificate = holder / "secrets" / "ca.crt"
    whole = certificate.read_bytes()
    write_secret(certificate, b"garbage")
    internet.run_until(internet.now + 5 * limits.CONFIG_POLL_S)
    assert journal.told() == ["ca-damaged"]
    (problem,) = trust.problems()
    assert problem.code == "SW0666" and "goes on with what it has read before" in problem.message
    write_secret(certificate, whole)
    internet.run_until(internet.now + 5 * limits.CONFIG_POLL_S)
    assert journal.told() == ["ca-readable"] and trust.problems() == ()
    write_secret(certificate, b"garbage")
    internet.run_until(internet.now + 5 * limits.CONFIG_POLL_S)
    assert journal.told() == ["ca-damaged"]


class Elsewhere:
    """A place other than the directory where secrets are kept. Implements `PrimarySecrets`."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, ClaimRequest, Callable[[ClaimResult], None]]] = []
        self.changes: list[Revocation] = []
        self.hindered: dict[str, TokenObstacle] = {}
        self.pokes = 0
        self.proposed: list[tuple[CaState, CaState]] = []
        self.admitted_sites: list[str] = []

    def redeem(
        self, name: str, request: ClaimRequest, now: float, done: Callable[[ClaimResult], None]
    ) -> None:
        self.asked.append((name, request, done))

    def revoked(self, change: Revocation) -> None:
        self.changes.append(change)

    def admitted(self, site: str) -> None:
        self.admitted_sites.append(site)

    def forget_admitted(self) -> None:
        self.admitted_sites.clear()

    def keep_ca(self, before: CaState, after: CaState) -> None:
        self.proposed.append((before, after))

    def granted(self) -> list[Grant]:
        return []

    def last_chain(self, site: str) -> str | None:
        return None

    def hindrance(self, link: str) -> TokenObstacle | None:
        return self.hindered.get(link)

    def poke(self) -> None:
        self.pokes += 1


def claim_of(issuer: Path) -> tuple[Token, bytes]:
    """A claim of the site in ``issuer`` and a request for it; the grant is nowhere."""
    token = claim_token(
        GrantStore(issuer / "secrets" / "grants", Authority.load(issuer / "secrets")),
        Authority.load(issuer / "secrets"),
        name="t",
        site_id=SiteIdentity.load(issuer / "secrets").site_id,
        site_name="here",
        endpoints=(("10.0.0.1", 55671),),
        now=time.time(),
    )
    return token, make_request(token, WEST.site, "west")[1]


def test_a_claim_that_is_kept_elsewhere_is_answered_when_it_is_kept(holder: Path) -> None:
    elsewhere, journal = Elsewhere(), Journal()
    trust = SiteTrust(holder, journal.tell, primary=elsewhere)
    _, body = claim_of(holder)
    answers: list[tuple[int, bytes]] = []
    trust.answer("t", body, "10.0.0.9", lambda *answer: answers.append(answer))
    assert answers == [] and journal.told() == []
    (asked,) = elsewhere.asked
    asked[2](Redeemed(chain_pem="chain", ca_pem="ca", serial="1", repeated=False))
    assert answers[0][0] == 200 and b"chain" in answers[0][1]
    assert journal.told() == ["claim-redeemed"]
    assert elsewhere.changes == [Revocation(readmitted=frozenset({WEST.site}))]


def test_what_could_not_be_kept_elsewhere_may_be_asked_for_again(holder: Path) -> None:
    elsewhere, journal = Elsewhere(), Journal()
    trust = SiteTrust(holder, journal.tell, primary=elsewhere)
    _, body = claim_of(holder)
    statuses: list[int] = []
    for _ in range(20):  # More than a source may fail: it is not to blame.
        trust.answer("t", body, "10.0.0.9", lambda status, _: statuses.append(status))
        elsewhere.asked[-1][2](OSError(5, "the API server does not answer"))
    assert statuses == [503] * 20
    assert journal.messages[-1][1] == (
        "A claim from 10.0.0.9 could not be answered: not stored: the API server does not answer."
    )
    assert (
        journal.hints[-1]
        == "The claim is still good, and the other site asks again: remove the cause"
    )
    trust.answer("t", b"no request", "10.0.0.9", lambda status, _: statuses.append(status))
    assert statuses[-1] == 400 and len(elsewhere.asked) == 20
    assert journal.hints[-1] == "Make a new one with: sitectl token create FILE"


def test_no_token_is_read_for_claims_of_a_source_that_asks_too_often(holder: Path) -> None:
    trust = SiteTrust(holder, Journal().tell, primary=Elsewhere())
    judged: list[str] = []
    trust.follow_claims(judged.append)
    statuses: list[int] = []
    for _ in range(20):
        trust.answer("t", b"no request", "10.0.0.9", lambda status, _: statuses.append(status))
    assert set(statuses) == {400, 429}
    assert judged == ["t"] * statuses.count(400)


def test_what_hinders_a_link_elsewhere_is_its_state(holder: Path) -> None:
    elsewhere = Elsewhere()
    elsewhere.hindered["west"] = TokenObstacle("connecting", "no key is kept yet")
    trust = SiteTrust(holder, Journal().tell, primary=elsewhere)
    network = SimulatedInternet(seed=1).host("10.0.0.1")
    trust.start(network, lambda: None, lambda: None, lambda predicate, reason: 0)
    pending = trust.outgoing("west", LinkSpec(cost=3))
    assert isinstance(pending, PendingLink)
    assert (pending.state, pending.error, pending.cost) == ("connecting", "no key is kept yet", 3)


def test_a_revocation_is_told_to_where_it_is_kept(holder: Path) -> None:
    elsewhere = Elsewhere()
    trust = SiteTrust(holder, Journal().tell, primary=elsewhere)
    trust.revoke(WEST.site)
    assert elsewhere.changes == [Revocation(sites=frozenset({WEST.site}))]
    assert Revocations(holder / "secrets").is_revoked("", WEST.site)


def test_a_claim_that_may_have_been_granted_is_asked_for_even_after_its_end(
    tmp_path: Path,
) -> None:
    """The answer was lost when the router was killed: only the granting site knows it."""
    there, authority, identity = secrets_of(tmp_path / "there")
    token = claim_token(
        GrantStore(there / "grants", authority),
        authority,
        name="t",
        site_id=identity.site_id,
        site_name="there",
        endpoints=(("10.0.0.2", 55671),),
        now=time.time() - 7_200,
    )
    for link, begun in (("begun", True), ("new", False)):
        secrets, _, _ = secrets_of(tmp_path / link)
        store = LinkStore(secrets / "links")
        store.add("west", token)
        if begun:
            store.redeeming_key("west")
        internet = SimulatedInternet(seed=1)
        network = internet.host("10.0.0.1")
        internet.host("10.0.0.2")
        trust = SiteTrust(tmp_path / link, Journal().tell)
        trust.start(network, lambda: None, lambda: None, lambda predicate, reason: 0)
        trust.outgoing("west", LinkSpec())
        internet.run_until(30.0)
        pending = trust.outgoing("west", LinkSpec())
        assert isinstance(pending, PendingLink)
        assert (pending.state == "connecting") is begun
        assert ("expired" in pending.error) is not begun


def on_terms(holder: Path, agreed: TokenTerms) -> bytes:
    key = ec.generate_private_key(ec.SECP256R1()).public_key()
    authority = Authority.load(holder / "secrets")
    chain = authority.issue_client_leaf(key, "claim", time.time(), site_id=WEST.site, terms=agreed)
    return to_der(chain)


def test_the_terms_of_a_certificate_are_those_of_its_holder(holder: Path) -> None:
    trust = started(holder)
    trust.identity(RouterId("r"), "here")
    shown = on_terms(holder, TokenTerms(declare=(), import_=("shop-*",)))
    assert trust.admit(shown, WEST) is None
    assert trust.permission_of(shown) == LinkPermission(
        sharing.Terms((), None, ("shop-*",)), "claim"
    )
    free = trust.permission_of(shown_by(holder, WEST.site))
    assert free.terms is sharing.FREE and free.token


def test_who_shows_terms_that_cannot_be_read_is_not_let_in(
    holder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trust = started(holder)
    trust.identity(RouterId("r"), "here")
    later = b'{"declare": ["shop"], "only-at-night": true}'
    monkeypatch.setattr(
        "certs.ca.terms.extension", lambda told: x509.UnrecognizedExtension(terms.OID, later)
    )
    monkeypatch.setattr(
        "certs.ca.authority.extension",
        lambda told: x509.UnrecognizedExtension(terms.OID, later),
        raising=False,
    )
    refused = trust.admit(on_terms(holder, TokenTerms(declare=("shop",))), WEST)
    assert refused is not None
    assert refused.code == "terms-unreadable"
    assert "Upgrade the router of here" in refused.hint
