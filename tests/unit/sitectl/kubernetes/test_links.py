"""Tokens, links and revocation: what lies in Secrets, and that nothing lies anywhere else."""

import base64
import json
from pathlib import Path

import msgspec
import pytest
import yaml
from click.testing import Result

from certs import certificates, keys
from certs.ca.authority import Authority
from certs.joining import claims
from certs.joining.claims import Redemption
from certs.links.register import Admitted, Issued
from certs.token_files import access_tokens, tokens
from router.kubernetes.codecs import grant, register, revoked
from router.kubernetes.codecs.token import decode
from router.kubernetes.objects import names
from router.kubernetes.translation.tokens import text_of
from tests.unit.sitectl.kubernetes.conftest import NamespaceLine
from tests.unit.sitectl.kubernetes.fakes import FakeCluster


def token_of(line: NamespaceLine, file: Path, *words: str) -> tokens.Token:
    """A token that the namespace's site made."""
    line.ok("token", "create", str(file), *words)
    return tokens.read_file(file)


@pytest.fixture
def foreign(shop: NamespaceLine, cluster: FakeCluster, tmp_path: Path) -> Path:
    """The token of another site: this site's, with its identity lost since."""
    file = tmp_path / "foreign.yaml"
    token_of(shop, file, "--expiry", "1h")
    for kind, name in [key for key in cluster.objects if key[0] == "Secret"]:
        del cluster.objects[kind, name]
    return file


def test_a_claim_is_granted_in_a_secret_that_does_not_hold_it(
    shop: NamespaceLine, cluster: FakeCluster, tmp_path: Path
) -> None:
    token = token_of(shop, tmp_path / "t.yaml", "--name", "west", "--uses", "2")
    assert token.endpoints == (("spillway-router.shop", 55671),)
    kept = cluster.found("Secret", "spillway-grant-west")
    grant = claims.decode(base64.b64decode(kept["data"]["grant.json"]), "test")
    assert grant.uses_left == 2
    assert token.secret not in json.dumps(cluster.objects["Secret", "spillway-grant-west"])
    assert shop.fails(5, "token", "create", str(tmp_path / "u.yaml"), "--name", "west")
    status = shop.json("token", "status", str(tmp_path / "t.yaml"))
    assert (status["state"], status["uses_left"]) == ("valid", 2)


def test_a_filled_copy_whose_label_says_request_is_a_link_and_what_was_filled_here_is_none(
    shop: NamespaceLine, cluster: FakeCluster, foreign: Path, tmp_path: Path
) -> None:
    own = token_of(shop, tmp_path / "own.yaml", "--token-type", "cert", "--name", "to-here")
    other = msgspec.structs.replace(own, site_id=tokens.read_file(foreign).site_id)
    for name, token, label in (
        ("to-far", other, names.CONNECTION_TOKEN_REQUEST),
        ("to-here", own, names.CONNECTION_TOKEN),
    ):
        made = tokens.as_secret(token)
        metadata = {**made["metadata"], "name": name, "labels": {names.SKUPPER_TYPE: label}}
        cluster.put("Secret", name, metadata=metadata, data=made["data"])
    assert "no link to-here at shop" in shop.ok("link", "delete", "to-here").stdout
    assert "link to-far deleted" in shop.ok("link", "delete", "to-far").stdout
    assert cluster.names("Secret") >= {"to-here"} and "to-far" not in cluster.names("Secret")


def test_the_identity_is_made_once_whoever_needs_it_first(
    shop: NamespaceLine, cluster: FakeCluster, tmp_path: Path
) -> None:
    first = token_of(shop, tmp_path / "a.yaml")
    second = token_of(shop, tmp_path / "b.yaml", "--token-type", "cert")
    assert first.site_id == second.site_id
    assert set(cluster.found("Secret", "spillway-identity")["data"]) == {
        "identity.key",
        "ca.key",
        "ca.crt",
    }


def test_without_an_address_no_token_is_made_and_the_next_step_is_said(
    empty: NamespaceLine, cluster: FakeCluster, tmp_path: Path
) -> None:
    empty.ok("init", "--ingress", "loadbalancer")
    said = empty.fails(1, "token", "create", str(tmp_path / "t.yaml"))
    assert "no address of a load balancer yet" in said
    assert not cluster.names("Secret")
    service = cluster.found("Service", "spillway-router")
    service["status"] = {"loadBalancer": {"ingress": [{"ip": "198.51.100.7"}]}}
    assert token_of(empty, tmp_path / "t.yaml").endpoints == (("198.51.100.7", 55671),)
    named = token_of(empty, tmp_path / "u.yaml", "--ingress-host", "site.example:443")
    assert named.endpoints == (("site.example", 443),)


def test_a_link_is_the_tokens_secret_under_the_links_name(
    shop: NamespaceLine, cluster: FakeCluster, foreign: Path
) -> None:
    assert shop.json("link", "create", str(foreign))["name"] == "link1"
    kept = cluster.found("Secret", "link1")
    assert kept["metadata"]["labels"]["skupper.io/type"] == "token-claim"
    assert shop.json("link", "create", str(foreign))["change"] == "unchanged"
    shop.ok("link", "create", str(foreign), "--name", "west", "--cost", "5")
    assert cluster.found("Secret", "west")["metadata"]["annotations"]["skupper.io/cost"] == "5"
    cluster.put("Secret", "db-password", data={})
    assert "is another one" in shop.fails(
        5, "link", "create", str(foreign), "--name", "db-password"
    )


def test_a_tokens_own_cost_stays_readable_below_the_links(
    shop: NamespaceLine, cluster: FakeCluster, tmp_path: Path
) -> None:
    file = tmp_path / "t.yaml"
    token = token_of(shop, file, "--cost", "4")
    del cluster.objects["Secret", "spillway-identity"]
    shop.ok("link", "create", str(file), "--name", "plain")
    assert cluster.found("Secret", "plain")["metadata"]["annotations"]["skupper.io/cost"] == "4"
    shop.ok("link", "create", str(file), "--name", "dear", "--cost", "2000")
    kept = cluster.found("Secret", "dear")
    assert kept["metadata"]["annotations"]["skupper.io/cost"] == "2000"
    assert tokens.load(text_of(kept, "token-claim"), "test", costs=[None]) == token
    assert shop.json("link", "create", str(file))["change"] == "unchanged"


@pytest.mark.parametrize("words", [(), ("--cost", "4")])
def test_the_cost_that_a_user_adds_to_an_access_token_is_the_links(
    shop: NamespaceLine, cluster: FakeCluster, tmp_path: Path, words: tuple[str, ...]
) -> None:
    token = token_of(shop, tmp_path / "t.yaml", *words)
    del cluster.objects["Secret", "spillway-identity"]
    made = access_tokens.as_object(token, "to-east")
    made["spec"]["linkCost"] = 5
    shop.ok("apply", "-f", "-", stdin=yaml.safe_dump(made))
    kept = cluster.found("Secret", "to-east")
    assert kept["metadata"]["annotations"]["skupper.io/cost"] == "5"
    assert decode(kept) == token, "the router reads it"
    made["spec"]["code"] = "a" * 32
    assert "was changed" in shop.fails(1, "apply", "-f", "-", stdin=yaml.safe_dump(made))


def test_skuppers_tokens_beside_are_no_obstacle(
    shop: NamespaceLine, cluster: FakeCluster, foreign: Path
) -> None:
    marks = {"labels": {"skupper.io/type": "connection-token"}}
    cluster.put("Secret", "conn1", metadata=marks, data={"tls.crt": "eA=="})
    shop.ok("link", "create", str(foreign))


@pytest.mark.parametrize("kind", ["claim", "cert"])
def test_the_same_token_makes_one_link_whatever_it_is_called(
    shop: NamespaceLine, cluster: FakeCluster, tmp_path: Path, kind: str
) -> None:
    token_of(shop, tmp_path / "t.yaml", "--token-type", kind)
    del cluster.objects["Secret", "spillway-identity"]
    shop.ok("link", "create", str(tmp_path / "t.yaml"), "--name", "west")
    again = shop.json("link", "create", str(tmp_path / "t.yaml"))
    assert (again["name"], again["change"]) == ("west", "unchanged")


def test_the_cost_of_a_link_is_an_annotation(
    shop: NamespaceLine, cluster: FakeCluster, foreign: Path
) -> None:
    shop.ok("link", "create", str(foreign), "--name", "west")
    assert shop.json("link", "set", "west", "--cost", "7")["change"] == "updated"
    assert cluster.found("Secret", "west")["metadata"]["annotations"]["skupper.io/cost"] == "7"
    assert shop.json("link", "set", "west", "--cost", "7")["change"] == "unchanged"
    assert shop.fails(4, "link", "set", "ghost", "--cost", "7")


def test_without_a_router_links_are_shown_as_configured(
    shop: NamespaceLine, cluster: FakeCluster, foreign: Path
) -> None:
    shop.ok("link", "create", str(foreign), "--name", "west", "--cost", "7")
    result = shop("link", "status", "-o", "json")
    assert result.exit_code == 3
    assert "no router is ready" in result.stderr
    (item,) = json.loads(result.stdout)["items"]
    assert (item["name"], item["cost"], item["state"]) == ("west", 7, "down")


def test_a_deleted_link_takes_its_secret_with_it(
    shop: NamespaceLine, cluster: FakeCluster, foreign: Path
) -> None:
    shop.ok("link", "create", str(foreign), "--name", "west")
    assert shop.json("link", "delete", "west")["change"] == "deleted"
    assert "west" not in cluster.names("Secret")
    assert shop.json("link", "delete", "west")["change"] == "unchanged"


def test_an_own_or_expired_or_torn_token_makes_no_link(
    shop: NamespaceLine, cluster: FakeCluster, tmp_path: Path
) -> None:
    token_of(shop, tmp_path / "own.yaml")
    assert "this very site" in shop.fails(1, "link", "create", str(tmp_path / "own.yaml"))
    torn = tmp_path / "torn.yaml"
    torn.write_text((tmp_path / "own.yaml").read_text()[:200])
    assert shop.fails(1, "link", "create", str(torn))
    assert shop.fails(4, "link", "create", str(tmp_path / "none.yaml"))


def test_deleting_an_incoming_link_revokes_the_neighbour(
    shop: NamespaceLine, cluster: FakeCluster, tmp_path: Path
) -> None:
    neighbour = {"name": "west", "id": "ab" * 16}
    serial = redeemed(shop, cluster, tmp_path, neighbour["id"])
    cluster.run_router()
    cluster.items(
        "/api/v1/links",
        {"name": "west", "neighbour": neighbour, "direction": "incoming", "state": "up"},
    )
    assert shop.json("link", "delete", "west")["change"] == "deleted"
    revoked = json.loads(
        base64.b64decode(cluster.found("Secret", "spillway-revoked")["data"]["revoked.json"])
    )
    assert revoked == {"serials": [serial], "sites": [neighbour["id"]], "version": 1}
    cluster.conflicts = 2  # A router writes the list in the same moment.
    shop.ok("revoke-access", "--link", "west")
    assert shop.fails(4, "revoke-access", "--link", "ghost")
    assert shop.json("token", "status", str(tmp_path / "t.yaml"))["state"] == "revoked"


def test_a_damaged_entry_of_the_register_keeps_nobody_from_barring_others(
    shop: NamespaceLine, cluster: FakeCluster, tmp_path: Path
) -> None:
    site_id = "ab" * 16
    redeemed(shop, cluster, tmp_path, site_id)
    (use,) = grant.decode(cluster.found("Secret", "spillway-grant-t")).redeemed
    issued = Issued(key="00", serial="77", expires=2e9, chain=use.chain)
    entry = Admitted(site_id=site_id, name="west", by="t", since=1.0, issued=(issued,))
    (kept,) = register.secrets({site_id: entry})
    kept["data"]["a" * 32] = "%%%"
    cluster.put("Secret", kept["metadata"]["name"], metadata=kept["metadata"], data=kept["data"])
    shop.ok("revoke-access", "--link", "west")
    listed = revoked.decode(cluster.found("Secret", "spillway-revoked"))
    assert "77" in listed.serials and site_id in listed.sites


def redeemed(line: NamespaceLine, cluster: FakeCluster, tmp_path: Path, site_id: str) -> str:
    """Make a claim of two uses, redeemed once by ``site_id``; returns its certificate's serial."""
    token_of(line, tmp_path / "t.yaml", "--name", "t", "--uses", "2")
    kept = cluster.found("Secret", "spillway-grant-t")
    grant = claims.decode(base64.b64decode(kept["data"]["grant.json"]), "test")
    authority, _ = Authority.generate(site_id, grant.expires_at)
    chain = authority.issue_client_leaf(
        keys.generate().public_key(), "t", grant.expires_at, site_id=site_id
    )
    serial = certificates.serial_of(chain)
    use = Redemption(key="00", site_id=site_id, site_name="west", serial=serial, chain=chain)
    grant = msgspec.structs.replace(grant, uses_left=1, redeemed=(use,))
    kept["data"]["grant.json"] = base64.b64encode(claims.encode(grant)).decode()
    return serial


def test_revoking_all_access_makes_another_authority_and_restarts(
    shop: NamespaceLine, cluster: FakeCluster, tmp_path: Path
) -> None:
    token = token_of(shop, tmp_path / "t.yaml")
    certificate = tmp_path / "certificate.yaml"
    token_of(shop, certificate, "--token-type", "cert")
    before = dict(cluster.found("Secret", "spillway-identity")["data"])
    shop.ok("revoke-access", "--yes")
    assert shop.json("token", "status", str(tmp_path / "t.yaml"))["state"] == "revoked"
    assert shop.json("token", "status", str(certificate))["state"] == "old-ca"
    after = cluster.found("Secret", "spillway-identity")["data"]
    assert after["identity.key"] == before["identity.key"]
    assert after["ca.crt"] != before["ca.crt"]
    assert not any(name.startswith("spillway-grant-") for name in cluster.names("Secret"))
    template = cluster.found("Deployment", "spillway-router")["spec"]["template"]
    assert "spillway.dev/restarted-at" in template["metadata"]["annotations"]
    assert token_of(shop, tmp_path / "n.yaml").site_id == token.site_id


def test_keys_of_services_go_into_secrets(
    shop: NamespaceLine, cluster: FakeCluster, tmp_path: Path
) -> None:
    shop.ok("service", "create", "web", "8443", "--protocol", "http", "--generate-tls-secrets")
    kept = cluster.found("Secret", "web")
    assert kept["type"] == "kubernetes.io/tls"
    assert set(kept["data"]) == {"tls.crt", "tls.key", "ca.crt"}
    folder = tmp_path / "pair"
    folder.mkdir()
    for file in ("tls.crt", "tls.key"):
        (folder / file).write_bytes(base64.b64decode(kept["data"][file]))
    assert shop.json("service", "set", "web", "--tls-cert", str(folder))["change"] == "unchanged"
    shop.ok("service", "create", "api", "443", "--protocol", "http", "--tls-cert", str(folder))
    assert cluster.found("Secret", "api")["data"]["tls.key"] == kept["data"]["tls.key"]


def test_a_secret_that_may_not_be_read_is_said_with_the_rule(
    shop: NamespaceLine, cluster: FakeCluster, tmp_path: Path
) -> None:
    cluster.refused.add(("get", "secrets"))
    said = shop.fails(7, "token", "create", str(tmp_path / "t.yaml"))
    assert 'resources: ["secrets"], verbs: ["get"]' in said
    assert not (tmp_path / "t.yaml").exists()


def test_a_damaged_identity_is_named_and_not_replaced(
    shop: NamespaceLine, cluster: FakeCluster, tmp_path: Path
) -> None:
    cluster.put("Secret", "spillway-identity", data={"identity.key": "bm9uc2Vuc2U="})
    assert "spillway-identity" in shop.fails(1, "token", "create", str(tmp_path / "t.yaml"))
    assert cluster.found("Secret", "spillway-identity")["data"] == {"identity.key": "bm9uc2Vuc2U="}


def planned(result: Result) -> list[tuple[str, str]]:
    """Kind and name of the objects that a dry run printed."""
    return [(one["kind"], one["metadata"]["name"]) for one in yaml.safe_load_all(result.stdout)]


def test_a_dry_run_of_a_token_writes_nothing_and_shows_no_key(
    shop: NamespaceLine, cluster: FakeCluster, tmp_path: Path
) -> None:
    before = dict(cluster.objects)
    for kind in ("claim", "cert"):
        result = shop.ok("token", "create", str(tmp_path / "t"), "--token-type", kind, "--dry-run")
        assert result.stdout == ""
        assert "Secret/spillway-identity would be created" in result.stderr
        assert not (tmp_path / "t").exists()
    assert cluster.objects == before
    assert "Secret/spillway-grant-w would be created" in (
        shop.ok("token", "create", "-", "--name", "w", "--dry-run").stderr
    )


def test_a_dry_run_of_a_link_prints_its_secret_for_git(
    shop: NamespaceLine, cluster: FakeCluster, foreign: Path
) -> None:
    before = dict(cluster.objects)
    result = shop.ok("link", "create", str(foreign), "--name", "west", "--cost", "5", "--dry-run")
    assert planned(result) == [("Secret", "west")]
    (made,) = yaml.safe_load_all(result.stdout)
    assert made["metadata"]["annotations"]["skupper.io/cost"] == "5"
    assert text_of(made, "token-claim")
    assert cluster.objects == before
    shop.ok("link", "create", str(foreign), "--name", "west", "--cost", "5")
    assert cluster.found("Secret", "west")["data"] == made["data"]


def test_a_dry_run_of_a_links_change_or_end_shows_no_secret(
    shop: NamespaceLine, cluster: FakeCluster, foreign: Path
) -> None:
    shop.ok("link", "create", str(foreign), "--name", "west")
    before = dict(cluster.objects)
    cost = shop.ok("link", "set", "west", "--cost", "7", "--dry-run")
    assert "Secret/west would be updated" in cost.stderr
    gone = shop.ok("link", "delete", "west", "--dry-run")
    assert "Secret/west would be deleted" in gone.stderr
    assert cost.stdout == gone.stdout == ""
    assert cluster.objects == before


def test_a_dry_run_of_revocation_revokes_nobody(
    shop: NamespaceLine, cluster: FakeCluster, tmp_path: Path
) -> None:
    token_of(shop, tmp_path / "t.yaml", "--name", "t")
    cluster.run_router()
    neighbour = {"name": "west", "id": "cd" * 16}
    cluster.items(
        "/api/v1/links", {"name": "west", "direction": "incoming", "neighbour": neighbour}
    )
    before = dict(cluster.objects)
    one = shop.ok("revoke-access", "--link", "west", "--dry-run")
    assert "Secret/spillway-revoked would be created" in one.stderr
    everybody = shop.ok("revoke-access", "--dry-run")
    for object_ in ("identity would be updated", "grant-t would be deleted"):
        assert f"Secret/spillway-{object_}" in everybody.stderr
    assert "Deployment/spillway-router would be updated" in everybody.stderr
    assert "PRIVATE" not in everybody.stdout and "Secret" not in everybody.stdout
    assert cluster.objects == before
    assert shop.ok("link", "delete", "west", "--dry-run").stdout == ""
    assert cluster.objects == before


def test_a_cluster_may_have_routes_and_no_deployment_configs(
    empty: NamespaceLine, cluster: FakeCluster, tmp_path: Path
) -> None:
    cluster.serves_routes, cluster.has_deployment_configs = True, False
    empty.ok("init")
    cluster.found("Route", "spillway-router")["status"] = {
        "ingress": [
            {"host": "shop.apps.example", "conditions": [{"type": "Admitted", "status": "True"}]}
        ]
    }
    token = token_of(empty, tmp_path / "t.yaml")
    assert token.endpoints == (("shop.apps.example", 443),)


def test_the_password_of_a_links_proxy_is_in_a_secret_of_its_own_and_nowhere_else(
    shop: NamespaceLine, cluster: FakeCluster, foreign: Path, tmp_path: Path
) -> None:
    file = tmp_path / "password"
    file.write_text("planted\n")
    words = ("--proxy", "http://me@proxy:3128", "--proxy-password-file", str(file))
    said = shop.ok("link", "create", str(foreign), "--name", "east", *words)
    kept = cluster.found("Secret", "spillway-proxy-east")
    assert kept["metadata"]["labels"]["spillway.dev/type"] == "proxy"
    assert base64.b64decode(kept["data"]["password"]) == b"planted"
    others = {
        key: found for key, found in cluster.objects.items() if key[1] != "spillway-proxy-east"
    }
    assert "planted" not in f"{said}{json.dumps(list(others.values()))}"
    assert "http://proxy:3128" in json.dumps(list(others.values()))
    shop.ok("link", "set", "east", "--proxy", "none")
    assert "spillway-proxy-east" not in cluster.names("Secret")


def test_a_dry_run_does_not_print_the_password_of_a_proxy(
    shop: NamespaceLine, foreign: Path, tmp_path: Path
) -> None:
    file = tmp_path / "password"
    file.write_text("planted\n")
    words = ("--proxy", "http://me@proxy:3128", "--proxy-password-file", str(file), "--dry-run")
    said = shop.ok("link", "create", str(foreign), "--name", "east", *words, "-o", "yaml")
    assert "planted" not in f"{said}" and base64.b64encode(b"planted").decode() not in f"{said}"


@pytest.mark.parametrize(("is_ready", "right"), [(True, ("create", "pods/exec")), (False, ())])
def test_a_router_that_cannot_be_asked_is_not_said_to_be_stopped(
    shop: NamespaceLine, cluster: FakeCluster, foreign: Path, is_ready: bool, right: tuple[str, str]
) -> None:
    """Its links may be up, and its clients served."""
    shop.ok("service", "create", "shop", "8080")
    shop.ok("link", "create", str(foreign))
    stopped = shop("link", "status", "-o", "json")
    assert json.loads(stopped.stdout)["items"][0]["state"] == "down"
    assert "stopped: no router is ready" in stopped.stderr

    cluster.run_router(is_ready=is_ready)
    cluster.refused |= {right} if right else set()
    links, services = shop("link", "status", "-o", "json"), shop("service", "status", "-o", "json")
    (link,), (service,) = (json.loads(one.stdout)["items"] for one in (links, services))
    assert (link["state"], link["lanes"]) == ("unreachable", None)
    assert link["error"] == "unreachable: the router could not be asked"
    assert service["listener"]["state"] == "unreachable"
    deleted = shop.ok("link", "delete", "ghost")
    assert "the router does not run" not in deleted.stderr
    for one in (links, services):
        assert one.exit_code == 3
        assert one.stderr.startswith("unreachable: ")


def test_who_may_not_read_secrets_is_not_told_that_there_are_no_links(
    shop: NamespaceLine, cluster: FakeCluster, foreign: Path
) -> None:
    shop.ok("link", "create", str(foreign))
    cluster.refused |= {("list", "secrets"), ("create", "pods/exec")}
    cluster.run_router()
    shown = shop("link", "status")
    assert shown.exit_code == 3
    assert "No link is known: " in shown.stdout
    assert 'resources: ["secrets"], verbs: ["list"]' in shown.stdout
