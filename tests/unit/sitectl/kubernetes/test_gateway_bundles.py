"""`sitectl -n … gateway generate-bundle`: the credential of a namespace's CA, barred there."""

from pathlib import Path

from certs import certificates
from certs.joining import claims
from certs.token_files import tokens
from router.kubernetes.codecs.secrets import GRANT_FILE, data_of, grant_name
from sitectl.gateway.bundle import archive
from tests.unit.sitectl.kubernetes.conftest import NamespaceLine
from tests.unit.sitectl.kubernetes.fakes import FakeCluster

GATEWAY = "name: gw\nbindings:\n- {service: {address: 'db:5432'}}\n"
TOKEN = "site/secrets/links/site/token.yaml"


def test_a_bundle_of_a_namespace_is_known_to_it_and_barred_alone(
    shop: NamespaceLine, cluster: FakeCluster, tmp_path: Path
) -> None:
    definition = tmp_path / "gw.yaml"
    definition.write_text(GATEWAY)
    words = ("gateway", "generate-bundle", str(definition), str(tmp_path))
    item = shop.json(*words, "--ingress-host", "10.0.0.9:31000")
    assert item["revoke"] == f"sitectl -n shop revoke-access --link {item['id']}"
    files = archive.read(tmp_path / "gw.tar.gz")
    assert files is not None
    token = tokens.load_bytes(files[TOKEN], "")
    assert token.endpoints == (("10.0.0.9", 31_000),)
    assert certificates.site_in_certificate(token.certificate_pem) == item["id"]
    kept = data_of(cluster.found("Secret", grant_name("gateway-gw")))[GRANT_FILE]
    (use,) = claims.decode(kept, "test").redeemed
    assert use.serial == certificates.serial_of(token.certificate_pem)
    assert token.key_pem.encode() not in kept
    again = shop.json(*words, "--ingress-host", "10.0.0.9:31000")
    assert (again["change"], again["id"]) == ("unchanged", item["id"])
    shop.ok("revoke-access", "--link", "gw")
    assert shop.json("revoke-access", "--link", "gw")["change"] == "unchanged"
    made = shop.json(*words, "--ingress-host", "10.0.0.9:31000")
    assert made["id"] != item["id"]


def test_a_namespace_that_nobody_can_dial_packs_nothing(
    shop: NamespaceLine, tmp_path: Path
) -> None:
    definition = tmp_path / "gw.yaml"
    definition.write_text(GATEWAY)
    shop.fails(7, "gateway", "generate-bundle", str(definition), str(tmp_path / "out"))
    assert list((tmp_path / "out").iterdir()) == []
