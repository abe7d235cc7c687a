"""Our certificates are renewed in time."""

from pathlib import Path

import pytest

from certs.ca.authority import Authority
from router.net.simulated.internet import SimulatedInternet
from router.trust import own_certificates
from router.trust.own_certificates import RENEWAL_CHECK_S, OwnCertificates

SITE = "a" * 32


def test_a_fault_during_a_renewal_does_not_end_the_later_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority, _ = Authority.generate(SITE, 0.0)
    ours = OwnCertificates(tmp_path, "west", lambda: authority, lambda *words: None)
    internet = SimulatedInternet(1)
    ours.start(internet.host("10.0.0.1"), lambda: None)
    tries: list[float] = []

    def ensure(*_: object) -> None:
        tries.append(internet.now)
        raise LookupError("a fault of ours")

    monkeypatch.setattr(own_certificates, "ensure_leaf", ensure)
    for _ in range(2):
        with pytest.raises(LookupError):
            internet.run_until(internet.now + 1.25 * RENEWAL_CHECK_S)
    assert tries == [RENEWAL_CHECK_S, 2 * RENEWAL_CHECK_S]
