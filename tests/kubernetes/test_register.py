"""Who may link to a site in a namespace: known to every replica, to the next pod and to sitectl."""

import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from certs import certificates
from certs.links import register
from router.kubernetes.codecs.secrets import admitted_name, data_of
from router.kubernetes.objects.names import IDENTITY_SECRET
from tests.kubernetes.cluster import Cluster
from tests.kubernetes.commands import Commands
from tests.kubernetes.routers import (
    LINK_PORT,
    Router,
    Start,
    certificate,
    kubectl,
    manifest,
    soon,
)


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    with Cluster(tmp_path / "cluster", without=("kubelet",)) as made:
        yield made


def entry(cluster: Cluster, site: str) -> register.Admitted | None:
    """What the namespace ``east`` knows of ``site``."""
    found = cluster.get("Secret", admitted_name(site), "east")
    data = {} if found is None else data_of(found)
    return register.decode(data[site], "entry") if site in data else None


def linked(cluster: Cluster, start: Start) -> tuple[Router, Router]:
    """``west`` links to ``east`` by a certificate token, and is in the register."""
    east, west = start("east"), start("west")
    east.serves(), west.serves()
    token = certificate(cluster, "east", ((east.address, LINK_PORT),))
    kubectl(cluster, "west", "create", "-f", "-", given=manifest(token, "link1"))
    soon(partial(west.is_up, "link1"), "linked", east, west)
    soon(lambda: entry(cluster, west.site_id), "it is kept", east)
    return east, west


def shown(cluster: Cluster, root: Path) -> list[dict[str, str]]:
    listed: list[dict[str, str]] = json.loads(
        Commands(cluster, "east", root).ok("link", "access", "-o", "json")
    )["items"]
    return listed


def test_who_came_by_a_certificate_token_rejoins_a_new_pod_after_another_ca_came_and_went(
    cluster: Cluster, start: Start
) -> None:
    east, west = linked(cluster, start)
    site = west.site_id
    west.admin.command("renew", link="link1")

    def is_renewed() -> bool:
        found = entry(cluster, site)
        return found is not None and len(found.issued) == 2

    soon(is_renewed, "the renewed certificate is kept", east, west)
    west.kill()  # It hears nothing of later changes.
    old = ca_of(cluster)
    Commands(cluster, "east", east.directory / "tool").ok("ca", "rotate", "--now")
    soon(lambda: ca_phase(east) == "one" and ca_of(cluster) != old, "done", east, within_s=200.0)
    east.kill()
    east, west = start("east", east.address), start("west")
    east.serves(), west.serves()
    soon(lambda: west.link("link1").get("state") == "refused", "the old CA is gone", east, west)
    west.admin.command("renew", link="link1")
    soon(partial(west.is_up, "link1"), "rejoined", east, west, within_s=20.0)  # Not its next try.
    soon(lambda: (e := entry(cluster, site)) and len(e.issued) == 3, "it is entered", east)


def ca_phase(router: Router) -> str:
    return str(router.get("ca")["phase"])


def ca_of(cluster: Cluster) -> str:
    found = cluster.get("Secret", IDENTITY_SECRET, "east")
    assert found is not None
    return str(found["data"]["ca.crt"])


def test_access_is_shown_and_revoked_by_name_though_the_pod_is_new(
    cluster: Cluster, start: Start, tmp_path: Path
) -> None:
    east, west = linked(cluster, start)
    other = start("east").serves()
    soon(lambda: other.directory.joinpath("secrets/admitted").exists(), "followed", other)
    site = west.site_id
    west.kill()
    east.kill()
    (listed,) = shown(cluster, tmp_path / "tool")
    assert site in json.dumps(listed) and "token" in json.dumps(listed)
    Commands(cluster, "east", tmp_path / "tool").ok("revoke-access", "--link", "west")
    known = entry(cluster, site)
    assert known is not None
    revoked = cluster.get("Secret", "spillway-revoked", "east")
    assert revoked is not None
    barred = json.loads(data_of(revoked)["revoked.json"])
    assert barred["sites"] == [site] and set(known.serials) <= set(barred["serials"])


def test_another_ca_empties_the_register_at_every_replica(
    cluster: Cluster, start: Start, tmp_path: Path
) -> None:
    east, west = linked(cluster, start)
    other = start("east").serves()
    there = other.directory / "secrets" / "admitted" / f"{west.site_id}.json"
    soon(there.exists, "the replica knows it", east, other)
    Commands(cluster, "east", tmp_path / "tool").ok("revoke-access", "--yes")
    soon(lambda: not there.exists(), "the replica forgets it", east, other)
    soon(lambda: not west.is_up("link1"), "the link ended", east, west)
    assert entry(cluster, west.site_id) is None


def test_links_come_back_though_a_tool_puts_the_old_ca_back_in_the_midst_of_a_rotation(
    cluster: Cluster, start: Start, tmp_path: Path
) -> None:
    east, west = linked(cluster, start)
    first = cluster.get("Secret", IDENTITY_SECRET, "east")
    assert first is not None
    absent = certificate(cluster, "east", ((east.address, LINK_PORT),), "absent")
    north = start("north").serves()
    kubectl(cluster, "north", "create", "-f", "-", given=manifest(absent, "link1"))
    soon(lambda: entry(cluster, north.site_id), "it is kept", east)
    soon(partial(north.is_up, "link1"), "linked", east, north)
    Commands(cluster, "east", tmp_path / "tool").ok("ca", "rotate")
    soon(lambda: ca_phase(east) == "switched", "the new CA issues", east, west, within_s=60.0)
    north.kill()  # So that the rotation waits in this phase.
    kubectl(
        cluster,
        "east",
        "patch",
        "secret",
        IDENTITY_SECRET,
        "--type=merge",
        "-p",
        json.dumps({"data": first["data"]}),
    )
    soon(lambda: ca_phase(east) == "one", "it was put back", east)
    east.kill()  # So that every link must be made again.
    east = start("east", east.address).serves()
    assert ca_of(cluster) == first["data"]["ca.crt"]
    west.admin.command("renew", link="link1")
    soon(partial(west.is_up, "link1"), "rejoined", east, west, within_s=100.0)
    assert certificates.fingerprint(shown_ca(east)) in json.dumps(east.get("ca"))
    assert "SW0440" not in east.codes()


def shown_ca(router: Router) -> str:
    return (router.directory / "secrets" / "ca.crt").read_text()
