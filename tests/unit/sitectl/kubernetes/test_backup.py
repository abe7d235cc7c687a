"""`backup` and `restore` of a namespace, and between namespaces and directories."""

import base64
import copy
import json
from pathlib import Path
from typing import Any

import pytest

from certs.identity import SiteIdentity
from certs.joining.claims import decode
from certs.token_files.tokens import dump, load
from router.kubernetes.codecs.owners import owners_map
from router.kubernetes.codecs.secrets import (
    GRANT_FILE,
    REVOKED_FILE,
    data_of,
    encoded,
    grant_name,
    link_name,
    link_secret,
    owner_uid,
)
from router.kubernetes.codecs.token import ANY_COST
from router.kubernetes.objects import names
from router.kubernetes.translation.tokens import text_of
from router.model.ids import SiteId
from router.model.rights.owners import Owner
from sitectl.backup import seal
from tests.unit.sitectl.conftest import CommandLine
from tests.unit.sitectl.kubernetes.conftest import NamespaceLine
from tests.unit.sitectl.kubernetes.fakes import FakeCluster

WORDS = "correct horse battery"
OWNERS = {"shop": Owner((SiteId("e" * 32),), "c0ffee"), "db": Owner((SiteId("f" * 32),), "")}
Objects = dict[tuple[str, str], dict[str, Any]]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """A guess need not be dear in tests."""
    monkeypatch.setattr(seal, "USUAL", seal.Cost("scrypt", seal.SCRYPT_WORK_MIN))


@pytest.fixture
def token(tmp_path: Path) -> Path:
    """A claim token of another site."""
    other = CommandLine(tmp_path / "other")
    other.ok("--platform", "process", "init", "east", "--ingress-host", "10.0.0.7")
    file = tmp_path / "east.token"
    other.ok("--platform", "process", "token", "create", str(file))
    return file


@pytest.fixture
def full(shop: NamespaceLine, cluster: FakeCluster, token: Path) -> NamespaceLine:
    """A site with a link, a claim, a service and its credential, which knows owners of names."""
    shop.ok("link", "create", str(token), "--name", "east", "--cost", "7")
    shop.ok(
        "token", "create", str(token.parent / "mine"), "--name", "mine", "--ingress-host", "h:1"
    )
    cluster.put("Secret", "db-tls", data=encoded({"tls.crt": b"c", "tls.key": b"k"}))
    shop.ok("service", "create", "db", "5432")
    text = cluster.found("ConfigMap", "spillway-service-db")["data"]["service-db.yaml"]
    text = text.replace("spec:\n", "spec:\n  tlsCert: db-tls\n")
    cluster.found("ConfigMap", "spillway-service-db")["data"]["service-db.yaml"] = text
    cluster.put("Secret", "spillway-link-east", **_kept_link(cluster))
    pem = data_of(cluster.found("Secret", names.IDENTITY_SECRET))["identity.key"].decode()
    made = owners_map(SiteIdentity.from_pem(pem, "identity").site_id, OWNERS)
    cluster.put("ConfigMap", names.OWNERS_CONFIGMAP, metadata=made["metadata"], data=made["data"])
    return shop


def _kept_link(cluster: FakeCluster) -> dict[str, Any]:
    found = cluster.found("Secret", "east")
    token = load(text_of(found, "token-claim"), "east", costs=ANY_COST)
    files = {"token.yaml": dump(token).encode(), "client.key": b"key of east"}
    made = link_secret("east", files, found["metadata"]["uid"])
    return {"metadata": made["metadata"], "data": made["data"]}


def test_a_namespace_without_a_registry_says_so_as_for_init(
    full: NamespaceLine, cluster: FakeCluster
) -> None:
    file = saved(full)
    cluster.objects.clear()
    assert restored(full, file, "--image", "local/r:1", "--image-pull-policy", "never")
    (router,) = cluster.found("Deployment", "spillway-router")["spec"]["template"]["spec"][
        "containers"
    ]
    assert (router["image"], router["imagePullPolicy"]) == ("local/r:1", "Never")


def saved(line: NamespaceLine) -> Path:
    line.state.mkdir(exist_ok=True)
    file = line.state / "shop.backup"
    line.ok("backup", str(file), "--passphrase-file", "-", "--force", stdin=WORDS)
    return file


def restored(line: NamespaceLine, file: Path, *flags: str) -> Any:
    words = ("restore", str(file), "--passphrase-file", "-", "-o", "json", *flags)
    return json.loads(line.ok(*words, stdin=WORDS).stdout)["item"]


def refused(line: NamespaceLine, file: Path, *flags: str) -> str:
    return line.fails(5, "restore", str(file), "--passphrase-file", "-", *flags, stdin=WORDS)


def emptied(cluster: FakeCluster) -> Objects:
    """Forget every object, as in another namespace; what there was."""
    before = copy.deepcopy(cluster.objects)
    cluster.objects.clear()
    return before


def test_a_namespace_comes_back_as_it_was_but_for_its_open_claims(
    full: NamespaceLine, cluster: FakeCluster
) -> None:
    file = saved(full)
    before = emptied(cluster)
    assert restored(full, file)["change"] == "created"
    assert set(cluster.objects) == set(before) - {("Secret", grant_name("mine"))}
    identity = cluster.found("Secret", names.IDENTITY_SECRET)["data"]
    assert int(base64.b64decode(identity.pop("restored"))) > 0
    for key, found in before.items():
        if key in cluster.objects and "data" in found and key[1] != names.SITE_CONFIGMAP:
            assert cluster.objects[key]["data"] == found["data"], key
    site = cluster.found("ConfigMap", names.SITE_CONFIGMAP)
    assert site["data"] == {"ingress": "none", "name": "shop"}
    token, link = cluster.found("Secret", "east"), cluster.found("Secret", link_name("east"))
    assert owner_uid(link) == token["metadata"]["uid"], "else the cluster would collect it"
    assert token["metadata"]["annotations"]["skupper.io/cost"] == "7"
    assert full.json("get", "link")[0]["name"] == "east"


def test_a_backup_leaves_damaged_owners_out_and_a_restore_mends_them(
    full: NamespaceLine, cluster: FakeCluster
) -> None:
    file = saved(full)
    found = cluster.found("ConfigMap", names.OWNERS_CONFIGMAP)
    before, found["data"] = found["data"], {"owners.json": "{"}
    words = ("backup", str(file.parent / "other"), "--passphrase-file", "-")
    assert "owners.json" in full.ok(*words, stdin=WORDS).stderr
    restored(full, file, "--force")
    assert cluster.found("ConfigMap", names.OWNERS_CONFIGMAP)["data"] == before


def test_restored_again_nothing_is_written(full: NamespaceLine, cluster: FakeCluster) -> None:
    file = saved(full)
    emptied(cluster)
    restored(full, file)
    cluster.calls.clear()
    assert restored(full, file)["change"] == "unchanged"
    assert {method for method, _ in cluster.calls} == {"GET"}


@pytest.mark.parametrize("written", range(0, 12, 2))
def test_a_restore_that_broke_off_is_finished_by_the_next(
    full: NamespaceLine, cluster: FakeCluster, written: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = saved(full)
    emptied(cluster)
    original, left = FakeCluster.call, written

    def call(self: FakeCluster, method: str, *rest: Any) -> Any:
        nonlocal left
        if method != "GET":
            left -= 1
        if left < 0:
            self.is_down = True
        return original(self, method, *rest)

    with monkeypatch.context() as patch:
        patch.setattr(FakeCluster, "call", call)
        words = ("restore", str(file), "--passphrase-file", "-")
        assert full(*words, stdin=WORDS).exit_code == 8
    cluster.is_down = False
    restored(full, file)
    assert {"east", "db-tls", "spillway-identity"} <= cluster.names("Secret")
    assert restored(full, file)["change"] == "unchanged"


def test_another_site_is_never_overwritten(
    full: NamespaceLine, cluster: FakeCluster, token: Path
) -> None:
    file = saved(full)
    emptied(cluster)
    full.ok("init", "--ingress", "none")
    full.ok("token", "create", str(token.parent / "n"), "--ingress-host", "h:1")
    before = copy.deepcopy(cluster.objects)
    assert "another site" in refused(full, file, "--force")
    assert cluster.objects == before


def test_over_the_same_site_its_router_must_rest_and_revocations_grow(
    full: NamespaceLine, cluster: FakeCluster
) -> None:
    file = saved(full)
    revoked = encoded({REVOKED_FILE: b'{"serials":["1f"],"sites":[],"version":1}'})
    labels = {"labels": {names.TYPE_LABEL: "revoked", **names.PART_OF}}
    cluster.put("Secret", names.REVOKED_SECRET, metadata=labels, data=revoked)
    full.ok("service", "delete", "db")
    cluster.run_router()
    assert "runs here" in refused(full, file, "--force")
    del cluster.objects["Pod", "spillway-router-1"]
    assert restored(full, file, "--force")["change"] == "updated"
    assert cluster.found("Secret", names.REVOKED_SECRET)["data"] == revoked
    assert "spillway-service-db" in cluster.names("ConfigMap")
    grant = data_of(cluster.found("Secret", grant_name("mine")))[GRANT_FILE]
    assert decode(grant, "").uses_left == 1, "the grants of a site that is here are its own"


def test_a_dry_run_writes_nothing(full: NamespaceLine, cluster: FakeCluster) -> None:
    file = saved(full)
    emptied(cluster)
    item = restored(full, file, "--dry-run")
    assert item["change"] == "created"
    assert "ConfigMap/skupper-site" in item["objects"]
    assert not cluster.objects


def test_marks_of_tools_of_the_old_cluster_stay_there(
    full: NamespaceLine, cluster: FakeCluster
) -> None:
    site = cluster.found("ConfigMap", names.SITE_CONFIGMAP)
    site["metadata"]["annotations"] = {"kubectl.kubernetes.io/last-applied-configuration": "x"}
    site["metadata"].setdefault("labels", {})["argocd.argoproj.io/instance"] = "y"
    file = saved(full)
    emptied(cluster)
    restored(full, file)
    metadata = cluster.found("ConfigMap", names.SITE_CONFIGMAP)["metadata"]
    assert "annotations" not in metadata
    assert "argocd.argoproj.io/instance" not in metadata["labels"]


def test_a_site_without_an_identity_cannot_be_backed_up(shop: NamespaceLine) -> None:
    shop.state.mkdir(exist_ok=True)
    said = shop.fails(1, "backup", str(shop.state / "x"), "--passphrase-file", "-", stdin=WORDS)
    assert "no identity yet" in said


def test_a_site_of_a_directory_moves_into_a_namespace_and_back(
    empty: NamespaceLine, cluster: FakeCluster, token: Path, tmp_path: Path
) -> None:
    host = CommandLine(tmp_path / "host")
    host.ok(
        "--platform", "process", "init", "west", "--no-enable-service-sync", "--sharing", "strict"
    )
    process = ("--platform", "process")
    host.ok(*process, "link", "create", str(token), "--name", "east", "--cost", "7")
    host.ok(*process, "service", "create", "db", "5432")
    host.ok(*process, "service", "bind", "db", "host", "10.0.0.5", "--target-port", "5432")
    file = tmp_path / "west.backup"
    host.ok(*process, "backup", str(file), "--passphrase-file", "-", stdin=WORDS)
    assert restored(empty, file)["change"] == "created"
    site = cluster.found("ConfigMap", names.SITE_CONFIGMAP)
    assert site["data"]["name"] == "west"
    assert site["data"]["service-sync"] == "false"
    assert site["data"]["sharing"] == "strict"
    assert ("Deployment", names.ROUTER) in cluster.objects
    assert cluster.found("Secret", "east")["metadata"]["annotations"]["skupper.io/cost"] == "7"
    (connector,) = empty.json("get", "connector")
    assert connector["spec"]["targets"][0]["host"] == "10.0.0.5"
    assert restored(empty, file)["change"] == "unchanged"

    back = saved(empty)
    there = CommandLine(tmp_path / "there")
    there.ok(*process, "restore", str(back), "--passphrase-file", "-", stdin=WORDS)
    secrets = "west/secrets/identity.key"
    assert (there.state / secrets).read_bytes() == (host.state / secrets).read_bytes()
    (link,) = there.json(*process, "get", "link")
    assert (link["name"], link["spec"]["cost"]) == ("east", 7)
    assert there.json(*process, "get", "service")[0]["name"] == "db"
    (site,) = there.json(*process, "get", "site")
    assert site["spec"].get("bindIp", "127.0.0.1") == "127.0.0.1"


def test_targets_that_a_host_does_not_have_are_named(
    full: NamespaceLine, cluster: FakeCluster, tmp_path: Path
) -> None:
    text = (
        "apiVersion: spillway/v1\nkind: Connector\nname: db-here\n"
        "spec: {service: db, workload: deployment/db}\n"
    )
    labels = {names.DOCUMENTS_LABEL: names.DOCUMENTS}
    cluster.put("ConfigMap", "own", metadata={"labels": labels}, data={"own.yaml": text})
    there = CommandLine(tmp_path / "there")
    words = ("--platform", "process", "restore", str(saved(full)), "--passphrase-file", "-")
    assert "deployment/db is no target here" in there.ok(*words, stdin=WORDS).output
