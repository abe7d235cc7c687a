import time
from tests.kubernetes.test_upgrades import *
def test_rbac(cluster):
    west = installed(cluster, "west")
    until(west.router_pods, "ready", 30)
    time.sleep(8)
    print([p["code"] for p in west.router("status")["problems"]])
    cluster.delete("RoleBinding", names.ROUTER, "west")
    t=time.monotonic()
    until(lambda: "SW0432" in {p["code"] for p in west.router("status")["problems"]}, "told", 80)
    print(time.monotonic()-t, west.router("status")["problems"])
    assert 0
