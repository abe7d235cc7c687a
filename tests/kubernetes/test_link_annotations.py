"""What annotations and flags say of links and services in namespaces, end to end."""

import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from router.kubernetes.codecs.secrets import data_of, proxy_name
from tests.kubernetes.cluster import Cluster
from tests.kubernetes.commands import Commands
from tests.kubernetes.routers import (
    LINK_PORT,
    Router,
    Start,
    claim,
    kubectl,
    manifest,
    soon,
)
from tests.scenario.proxies import HttpProxy

PASSWORD = "open-sesame-42"
WORDS = "correct horse battery"


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    with Cluster(tmp_path / "cluster", without=("kubelet",)) as made:
        yield made


@pytest.fixture
def proxy() -> Iterator[HttpProxy]:
    with HttpProxy(user="me", password=PASSWORD) as made:
        yield made


def by_proxy(cluster: Cluster, start: Start, proxy: HttpProxy) -> tuple[Router, Router]:
    """``west`` links to ``east`` through ``proxy``, as its token's Secret says."""
    east, west = start("east"), start("west")
    east.serves(), west.serves()
    login = {"username": "me", "password": PASSWORD}
    words = [f"--from-literal={key}={value}" for key, value in login.items()]
    kubectl(cluster, "west", "create", "secret", "generic", "corp", *words)
    kubectl(cluster, "west", "label", "secret", "corp", "spillway.dev/type=proxy")
    token = json.loads(manifest(claim(cluster, "east", ((east.address, LINK_PORT),)), "link1"))
    token["metadata"]["annotations"] |= {
        "spillway.dev/link-proxy": proxy.url,
        "spillway.dev/link-proxy-secret": "corp",
    }
    kubectl(cluster, "west", "create", "-f", "-", given=json.dumps(token))
    soon(partial(west.is_up, "link1"), "linked", east, west)
    return east, west


def test_a_link_goes_through_the_proxy_of_its_annotation_and_nothing_tells_the_password(
    cluster: Cluster, start: Start, proxy: HttpProxy
) -> None:
    east, west = by_proxy(cluster, start, proxy)
    soon(lambda: len(proxy.asked) >= 3, "the claim and both lanes are seen", east, west)
    assert set(proxy.asked) == {f"{east.address}:{LINK_PORT}"}
    assert west.link("link1")["via"] == proxy.url
    kubectl(
        cluster,
        "west",
        "patch",
        "secret",
        "corp",
        "-p",
        json.dumps({"stringData": {"password": "wrong-" + PASSWORD}}),
    )

    def is_refused() -> bool:
        """Established links stay; the next dial uses the other password."""
        proxy.cut()
        return bool(west.link("link1").get("error_code") == "proxy")

    soon(is_refused, "it is refused", west)
    told = json.dumps([west.get(what) for what in ("links", "status", "events")])
    objects = [cluster.list(kind, "west") for kind in ("ConfigMap", "Event")]
    assert PASSWORD not in told + json.dumps(objects) + west.log()
    kubectl(cluster, "west", "annotate", "secret", "link1", "spillway.dev/link-proxy-")
    soon(partial(west.is_up, "link1"), "it goes without", east, west)
    soon(lambda: west.link("link1")["via"] == "", "the way is told", west)


def test_a_backup_has_the_logins_of_proxies_and_the_register(
    cluster: Cluster, start: Start, proxy: HttpProxy, tmp_path: Path
) -> None:
    east, west = by_proxy(cluster, start, proxy)
    site, holder = east.site_id, west.site_id
    soon(lambda: _admitted(cluster, "east"), "west is in the register", east)
    rotate = Commands(cluster, "east", tmp_path / "rotates")
    west.kill()  # The rotation waits for it.
    rotate.ok("ca", "rotate")
    soon(lambda: east.get("ca")["phase"] == "announced", "it waits", east)
    cas = {ca["fingerprint"] for ca in east.get("ca")["certificates"]}
    files = {}
    for namespace in ("east", "west"):
        files[namespace] = str(tmp_path / f"{namespace}.backup")
        Commands(cluster, namespace, tmp_path / namespace).ok(
            "backup", files[namespace], "--passphrase-file", "-", stdin=WORDS
        )
        kubectl(cluster, namespace, "delete", "namespace", namespace)
    east.kill()
    soon(lambda: not cluster.get("Namespace", "east"), "gone")
    for namespace, file in files.items():
        new = f"new-{namespace}"
        cluster.create("Namespace", new)
        there = Commands(cluster, new, tmp_path / new)
        words = ("restore", file, "--passphrase-file", "-", "-o", "json")
        assert json.loads(there.ok(*words, stdin=WORDS))["item"]["change"] == "created"
        assert json.loads(there.ok(*words, stdin=WORDS))["item"]["change"] == "unchanged"
    corp = cluster.get("Secret", "corp", "new-west")
    assert corp is not None and data_of(corp)["password"].decode() == PASSWORD
    assert _admitted(cluster, "new-east") == [holder]
    east = start("new-east", east.address).serves()
    assert east.site_id == site
    assert {ca["fingerprint"] for ca in east.get("ca")["certificates"]} == cas
    before = len(proxy.asked)
    west = start("new-west").serves()
    soon(partial(west.is_up, "link1"), "linked through the proxy", east, west)
    assert len(proxy.asked) > before
    soon(lambda: east.get("ca")["phase"] == "one", "the rotation goes on", east, within_s=60.0)
    assert west.is_up("link1") and {c["fingerprint"] for c in east.get("ca")["certificates"]} < cas


def test_a_site_that_was_a_directory_takes_its_proxies_into_a_namespace(
    cluster: Cluster, tmp_path: Path, proxy: HttpProxy
) -> None:
    cluster.create("Namespace", "there")
    there = Commands(cluster, "there", tmp_path / "there")
    here = partial(there, SITECTL_PLATFORM="process")
    assert here("init", "laptop").returncode == 0
    assert here("init", "far", "--ingress-host", "127.0.0.1:5671").returncode == 0
    token, file = str(tmp_path / "t.yaml"), str(tmp_path / "b")
    words = ("--site", "far", "token", "create", token)
    assert here(*words).returncode == 0
    url = proxy.url.replace("//", "//me@")
    made = here(
        "--site",
        "laptop",
        "link",
        "create",
        token,
        "--name",
        "far",
        "--proxy",
        url,
        "--proxy-password-file",
        "-",
        stdin=PASSWORD,
    )
    assert made.returncode == 0, made.stderr
    sealed = here("--site", "laptop", "backup", file, "--passphrase-file", "-", stdin=WORDS)
    assert sealed.returncode == 0, sealed.stderr
    there.ok("restore", file, "--passphrase-file", "-", stdin=WORDS)
    login = cluster.get("Secret", proxy_name("far"), "there")
    assert login is not None and data_of(login)["password"].decode() == PASSWORD
    secret = cluster.get("Secret", "far", "there")
    assert secret is not None
    assert secret["metadata"]["annotations"]["spillway.dev/link-proxy"] == proxy.url


def _admitted(cluster: Cluster, namespace: str) -> list[str]:
    found = [s for s in cluster.list("Secret", namespace) if "-admitted-" in s["metadata"]["name"]]
    return [site for one in found for site in data_of(one)]
