"""Both ends of a claim's redemption, without the network between them.

Under ALPN ``spillway-claim/1`` the redeemer sends one ``POST /claims/NAME``. `make_request` makes
its body, `ClaimDesk` answers it, `read_answer` parses the answer. Bodies are JSON.
"""

import ipaddress
import threading

import msgspec

from certs import certificates, keys, limits, names
from certs.ca import signing_requests
from certs.ca.authority import Authority, Leaf
from certs.errors import CertError
from certs.joining.claims import ClaimRefused, ClaimRequest, Grant, GrantStore, Redeemed
from certs.links.credentials import Credential
from certs.token_files import tokens
from certs.token_files.tokens import Token

_MINUTE_S = 60.0


class _Chain(msgspec.Struct, frozen=True):
    """The body of status 200."""

    chain: str
    ca: str


class _Code(msgspec.Struct, frozen=True):
    """The body of every other status."""

    code: str


class ClaimAnswer(msgspec.Struct, frozen=True):
    """The response, and the outcome for the issuer's events.

    ``outcome`` is ``redeemed``, ``repeated`` or the reason of a refusal, which ``body`` does not
    contain. ``serial`` of the issued certificate and ``site_id`` of its site; empty if none was
    issued.
    """

    status: int
    body: bytes
    outcome: str
    serial: str = ""
    site_id: str = ""


_REFUSED = msgspec.json.encode(_Code("claim-refused"))
_BAD_REQUEST = msgspec.json.encode(_Code("bad-request"))
_TOO_LARGE = msgspec.json.encode(_Code("too-large"))
_SLOW_DOWN = msgspec.json.encode(_Code("slow-down"))
_UNAVAILABLE = msgspec.json.encode(_Code("unavailable"))
_DECODER = msgspec.json.Decoder(ClaimRequest)


def make_request(
    token: Token, site_id: str, site_name: str, key_pem: str | None = None
) -> tuple[str, bytes]:
    """The key (PEM) and the body of the request that redeems ``token``.

    A retry must use the same key: save it first (`LinkStore.redeeming_key`) and pass it in.
    """
    key = keys.generate() if key_pem is None else keys.from_pem(key_pem, token.name)
    body = ClaimRequest(
        secret=token.secret,
        csr=signing_requests.make_csr(key),
        checksum=tokens.checksum(token),
        site_id=site_id,
        site_name=site_name,
        renews=True,
    )
    return keys.to_pem(key), msgspec.json.encode(body)


def read_answer(status: int, body: bytes, key_pem: str, token: Token) -> Credential:
    """The credential in the answer to `make_request`.

    Raises `CertError`: refused for good, or with ``retryable`` if asking again may help, or the
    answer does not match the token's CA or our key.
    """
    if status != 200:
        raise _refusal(status, token)
    try:
        if len(body) > limits.CLAIM_ANSWER_BYTES_MAX:
            raise ValueError("too long")
        answer = msgspec.json.decode(body, type=_Chain)
    except (ValueError, RecursionError) as error:
        raise CertError(token.name, "the answer to the claim is not understood") from error
    certificate = certificates.read(answer.chain, f"answer to {token.name}")
    trusted = certificates.read_all(token.ca_pem, token.name)
    offered = certificates.read_all(answer.ca, f"answer to {token.name}")
    again = f"On {token.site_name} run: sitectl token create FILE"
    if certificates.public_key_der(certificate) != keys.public_der(keys.from_pem(key_pem, "key")):
        raise CertError(token.name, "the answer holds a certificate of another key", again)
    if not certificates.is_issued_by(certificate, trusted) or not set(trusted) & set(offered):
        raise CertError(token.name, "the answer is not of the token's CA", again)
    if not certificates.is_for_clients(certificate):
        raise CertError(token.name, "the answer's certificate is not for linking", again)
    return Credential(leaf=Leaf(key_pem=key_pem, chain_pem=answer.chain), ca_pem=answer.ca)


class ClaimDesk:
    """Answers claim requests. Any thread may call; a call takes a millisecond, or waits for a lock.

    A wrong, used, expired, revoked and unknown claim all get the same answer. Each source may fail
    five times a minute (IPv6: each /64); successful redemptions are not limited.
    """

    __slots__ = ("_failures", "_lock", "_store")

    def __init__(self, store: GrantStore | None) -> None:
        """``store`` None: the desk's owner judges requests itself, between `open` and `close`."""
        self._store = store
        self._failures: dict[str, list[float]] = {}
        self._lock = threading.Lock()

    def answer(self, name: str, body: bytes, source: str, now: float) -> ClaimAnswer:
        """Answer a request. ``source`` is the peer's numeric address, ``now`` Unix seconds."""
        assert self._store is not None, "a desk without a store only opens and closes"
        request = self.open(body, source, now)
        if isinstance(request, ClaimAnswer):
            return request
        try:
            result: Redeemed | ClaimRefused | CertError | OSError
            result = self._store.redeem(name, request, now)
        except (CertError, OSError) as error:
            result = error
        return self.close(request, result, source, now)

    def use(self, authority: Authority) -> None:
        """Issue by ``authority`` from now on: the site's CA is rotated."""
        assert self._store is not None, "a desk without a store issues nothing"
        self._store.use(authority)

    def grant(self, name: str) -> Grant | None:
        """The current claim ``name``. Raises `CertError` if it is damaged."""
        assert self._store is not None, "a desk without a store keeps nothing"
        return self._store.get(name)

    def granted(self) -> list[Grant]:
        """Every current claim. Raises `CertError` for a damaged one."""
        assert self._store is not None, "a desk without a store keeps nothing"
        found = (self._store.get(name) for name in self._store.names())
        return [grant for grant in found if grant is not None]

    def open(self, body: bytes, source: str, now: float) -> ClaimRequest | ClaimAnswer:
        """The request in ``body``; or the answer, if it does not depend on the grant.

        The caller must close a request with its result, however late.
        """
        key = _source_key(source)
        if not self._enter(key, now):
            return ClaimAnswer(429, _SLOW_DOWN, "rate-limited")
        if len(body) > limits.CLAIM_BODY_BYTES_MAX:
            return ClaimAnswer(413, _TOO_LARGE, "too-large")
        try:
            request = _DECODER.decode(body)
        except (msgspec.DecodeError, RecursionError, ValueError):
            return ClaimAnswer(400, _BAD_REQUEST, "bad-request")
        if not names.is_site_name(request.site_name):
            return ClaimAnswer(400, _BAD_REQUEST, "bad-request")
        return request

    def admits(self, source: str, now: float) -> bool:
        """Whether ``source`` may make an attempt now; it counts as failed until `forgive`."""
        return self._enter(_source_key(source), now)

    def forgive(self, source: str, now: float) -> None:
        """Count the attempt of ``source`` at ``now`` as successful."""
        self._leave(_source_key(source), now)

    def close(
        self,
        request: ClaimRequest,
        result: Redeemed | ClaimRefused | CertError | OSError,
        source: str,
        opened_at: float,
    ) -> ClaimAnswer:
        """The answer to ``request``, which was opened at ``opened_at``, with its ``result``.

        `CertError`: the grant is damaged; `OSError`: nothing could be stored, so nothing happened.
        """
        if isinstance(result, CertError):
            return ClaimAnswer(403, _REFUSED, str(result))
        if isinstance(result, ClaimRefused):
            return ClaimAnswer(403, _REFUSED, result.reason)
        self._leave(_source_key(source), opened_at)  # The source is not at fault.
        if isinstance(result, OSError):
            reason = result.strerror or str(result)
            return ClaimAnswer(503, _UNAVAILABLE, f"not stored: {reason}")
        answer = msgspec.json.encode(_Chain(chain=result.chain_pem, ca=result.ca_pem))
        outcome = "repeated" if result.repeated else "redeemed"
        return ClaimAnswer(200, answer, outcome, result.serial, request.site_id)

    def _enter(self, key: str, now: float) -> bool:
        """Count an attempt as failed beforehand, so that parallel attempts cannot all pass."""
        with self._lock:
            # Drops future attempts, too: the clock may have been set back.
            recent = [at for at in self._failures.pop(key, ()) if 0 <= now - at < _MINUTE_S]
            allowed = len(recent) < limits.CLAIMS_PER_SOURCE_PER_MIN
            if allowed:
                recent.append(now)
            self._failures[key] = recent  # Now the newest entry of the table.
            if len(self._failures) > limits.CLAIM_SOURCES_MAX:
                del self._failures[next(iter(self._failures))]
            return allowed

    def _leave(self, key: str, now: float) -> None:
        with self._lock:
            recent = self._failures.get(key, [])
            if now in recent:
                recent.remove(now)
            if not recent:
                self._failures.pop(key, None)


def _source_key(source: str) -> str:
    try:
        address = ipaddress.ip_address(source)
    except ValueError:
        return source[:64]
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(ipaddress.ip_network((address, 64), strict=False))


def _refusal(status: int, token: Token) -> CertError:
    again = f"On {token.site_name} run: sitectl token create FILE"
    if status == 429:
        return CertError(
            token.name, "too many failed claims came from here", "Wait a minute", retryable=True
        )
    if status >= 500:
        reason = f"{token.site_name} cannot answer claims now (status {status})"
        which = " --code claim-refused" if status == 503 else ""  # The status of its router.
        why = f"See why. At {token.site_name}: sitectl events{which}"
        return CertError(token.name, reason, why, retryable=True)
    if status == 403:
        reason = f"{token.site_name} refused the claim: it is used, expired, revoked or edited"
        return CertError(token.name, reason, again)
    return CertError(token.name, f"{token.site_name} did not accept it (status {status})", again)
