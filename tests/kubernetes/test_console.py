"""The console of a site in a namespace: its users in Skupper's Secret, and their view."""

import base64
import json
import ssl
import urllib.error
import urllib.request
from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path

import pytest

from router.kubernetes.objects.names import CONSOLE_USERS_SECRET, SITE_CONFIGMAP
from tests.kubernetes.cluster import Cluster
from tests.kubernetes.routers import Router, Start, allow, soon

PORT = 8010
UNVERIFIED = ssl.create_default_context()
UNVERIFIED.check_hostname, UNVERIFIED.verify_mode = False, ssl.CERT_NONE


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    with Cluster(tmp_path / "cluster", without=("kubelet",)) as made:
        yield made


def users(cluster: Cluster) -> dict[str, str]:
    found = cluster.get("Secret", CONSOLE_USERS_SECRET, "west")
    data = {} if found is None else found["data"]
    return {name: base64.b64decode(text).decode() for name, text in data.items()}


def ask(router: Router, user: str, password: str) -> int:
    """The status of an answer of the API; 0: no answer.

    The console needs no TLS at a loopback address. Pods of a real cluster have other addresses.
    """
    packed = base64.b64encode(f"{user}:{password}".encode()).decode()
    scheme = "http" if ip_address(router.address).is_loopback else "https"
    request = urllib.request.Request(
        f"{scheme}://{router.address}:{PORT}/api/v1/status",
        headers={"Authorization": f"Basic {packed}"},
    )
    try:
        with urllib.request.urlopen(request, timeout=5, context=UNVERIFIED) as answer:
            assert json.load(answer)["item"]["name"] == "west"
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return 0


def secret(**passwords: str) -> dict[str, dict[str, str]]:
    return {"data": {k: base64.b64encode(v.encode()).decode() for k, v in passwords.items()}}


def test_a_console_makes_its_user_once_and_follows_the_secret(
    cluster: Cluster, start: Start
) -> None:
    west = start("west", console="true", **{"console-user": "eve"}).serves()
    soon(lambda: users(cluster), "the Secret is made", west)
    made = users(cluster)
    assert list(made) == ["eve"] and len(made["eve"]) >= 20
    soon(lambda: ask(west, "eve", made["eve"]) == 200, "eve is let in", west)
    assert ask(west, "eve", "another") == 401
    console = west.get("status")["console"]
    assert console["secret"] == f"Secret/{CONSOLE_USERS_SECRET}"
    cluster.patch("Secret", CONSOLE_USERS_SECRET, secret(eve="changed", adam="new"), "west")
    soon(lambda: ask(west, "adam", "new") == 200, "adam is let in", west)
    assert ask(west, "eve", "changed") == 200
    assert ask(west, "eve", made["eve"]) in (401, 429)
    log = west.log()
    assert made["eve"] not in log and "changed" not in log
    cluster.patch("ConfigMap", SITE_CONFIGMAP, {"data": {"console": "false"}}, "west")
    soon(lambda: ask(west, "adam", "new") == 0, "the console is gone", west)
    assert users(cluster)


def test_a_secret_that_is_there_is_used_as_it_is(cluster: Cluster, start: Start) -> None:
    cluster.create("Namespace", "west")
    cluster.create("Secret", CONSOLE_USERS_SECRET, "west", **secret(admin="skuppers"))
    data = {"name": "west", "ingress": "none", "console": "true", "console-password": "another"}
    cluster.create("ConfigMap", SITE_CONFIGMAP, "west", data=data)
    allow(cluster, "west", "none")
    west = start("west").serves()
    soon(lambda: ask(west, "admin", "skuppers") == 200, "its user is let in", west)
    assert users(cluster) == {"admin": "skuppers"}


def test_without_openshift_passwords_are_asked_for_and_status_says_so(
    cluster: Cluster, start: Start
) -> None:
    west = start("west", console="true", **{"console-authentication": "openshift"}).serves()
    soon(lambda: users(cluster), "the Secret is made", west)
    password = users(cluster)["admin"]
    soon(lambda: ask(west, "admin", password) == 200, "its user is let in", west)
    status = west.get("status")
    assert status["console"]["auth"] == "internal"
    told = [one["message"] for one in status["problems"] if one["code"] == "SW0472"]
    assert len(told) == 1 and "The console asks for passwords" in told[0]
