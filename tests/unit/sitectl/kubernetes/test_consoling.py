"""The console of a namespace's site: the objects that lead to it, their status, their removal."""

import json

from router.kubernetes.objects.names import CONSOLE
from tests.unit.sitectl.kubernetes.conftest import NamespaceLine
from tests.unit.sitectl.kubernetes.fakes import FakeCluster

SERVICE = ("Service", CONSOLE)


def test_a_console_is_switched_on_and_off(empty: NamespaceLine, cluster: FakeCluster) -> None:
    empty.ok("init", "--ingress", "none")
    assert SERVICE not in cluster.objects
    empty.ok("update", "--enable-console")
    assert SERVICE in cluster.objects
    assert empty.json("update")["change"] == "unchanged"
    empty.ok("update", "--no-enable-console")
    assert SERVICE not in cluster.objects
    assert ("Service", "spillway-router") in cluster.objects


def test_deleting_the_site_takes_what_leads_to_its_console(
    empty: NamespaceLine, cluster: FakeCluster
) -> None:
    empty.ok("init", "--ingress", "none", "--enable-console")
    empty.ok("delete", "--yes")
    assert SERVICE not in cluster.objects


def test_status_tells_where_the_console_is_and_who_may_log_in(
    empty: NamespaceLine, cluster: FakeCluster
) -> None:
    empty.ok("init", "--ingress", "loadbalancer", "--enable-console")
    found = cluster.found("Service", CONSOLE)
    found["status"] = {"loadBalancer": {"ingress": [{"hostname": "lb.example.org"}]}}
    shown = empty("status", "-o", "json")  # Exit 3: there is no router.
    console = json.loads(shown.stdout)["item"]["console"]
    assert console == {
        "url": "https://lb.example.org:8010/",
        "auth": "internal",
        "secret": "Secret/skupper-console-users",
    }


def test_flags_of_hosts_are_refused_in_a_namespace(empty: NamespaceLine) -> None:
    assert "console-ingress" in empty.fails(2, "init", "--console-bind", "0.0.0.0:8010")
