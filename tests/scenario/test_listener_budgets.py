"""A member that declares thousands of ports, and a router that can open nothing."""

import contextlib
import http.client
import resource
import subprocess
import threading
from functools import partial

from tests.scenario.clients import fetch
from tests.scenario.harness import ROOT, SHOP_PORT, Network, Site
from tests.scenario.test_hostile_process import command, descriptors
from tests.scenario.waiting import own_time, stays, until

SERVICES, PORTS_EACH = 320, 64  # As many ports as a document may have.
FREE_PORT = 20_900
FIRST_PORT = 21_000
LISTENERS_PER_SITE = 64
STATUS_S = 2.0
RECOVERY_S = 5.0
APART_S = 0.01


def start(site: Site, descriptors_max: int) -> int:
    """Start a router that may have so many descriptors; its process id."""

    def limited() -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (descriptors_max, descriptors_max))

    subprocess.run(command(site, "start"), check=True, cwd=ROOT, preexec_fn=limited)
    return site.note_pid()


class Clients:
    """Clients of one address, one request soon after the other, until the test ends them."""

    def __init__(self, *places: tuple[str, int]) -> None:
        self.served = 0
        self.failed: list[str] = []
        self._done = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=place) for place in places]
        for thread in self._threads:
            thread.start()

    def _run(self, address: str, port: int) -> None:
        while not self._done.wait(APART_S):
            answer = fetch(address, port)
            if answer.status == 200:
                self.served += 1
            else:
                self.failed.append(f"{address}: {answer.status} {answer.error} {answer.code}")

    def end(self) -> None:
        """Returns when each has its last answer."""
        self._done.set()
        for thread in self._threads:
            thread.join()


def listeners_of(site: Site, first: str) -> int:
    """How many ports of the services whose names begin so have a listener at ``site``."""
    return sum(
        item["name"].startswith(first) and item["listener"]["state"] == "bound"
        for item in site.get("services")
    )


def told(site: Site) -> list[str]:
    """What ``site`` says about budgets of listeners."""
    return [p["message"] for p in site.get("status")["problems"] if p["code"] == "SW0320"]


def has_no_listener_of(site: Site, first: str) -> bool:
    """Whether ``site`` listens for no service whose name begins so."""
    return not listeners_of(site, first) and not told(site)


def declare_many(site: Site) -> None:
    """Declare 20,480 ports, as a person who means harm would."""
    documents = [
        f"apiVersion: spillway/v1\nkind: Service\nname: bulk-{number}\nspec: "
        f"{{ports: {list(range(first, first + PORTS_EACH))}}}\n"
        for number in range(SERVICES)
        for first in [FIRST_PORT + number * PORTS_EACH]
    ]
    (site.directory / "config" / "bulk.yaml").write_text("---\n".join(documents))


def reports_all_ports(site: Site) -> bool:
    """Whether ``site`` names the member and each port of it that has no listener."""
    beyond = SERVICES * PORTS_EACH - LISTENERS_PER_SITE
    counts = unlistened(site, "mallory")
    return len(counts) == 2 and sum(counts) >= beyond - 1


def unlistened(site: Site, member: str) -> list[int]:
    """By reason, how many ports of ``member`` have no listener of ``site``, as it says."""
    begin = f"Site {member} declares "
    return [
        int(text.removeprefix(begin).split()[0]) for text in told(site) if text.startswith(begin)
    ]


def listens(site: Site, service: str, address: str) -> bool:
    """Whether a port of ``service`` has a listener of ``site`` at ``address``."""
    return any(
        item["name"] == service and listener["state"] == "bound"
        for item in site.get("services")
        if f"{(listener := item['listener'])['host']}:{listener['port']}" == address
    )


def is_without(site: Site, other: str) -> bool:
    """Whether ``other`` can no longer be reached from ``site``."""
    return not any(one["name"] == other and one["reachable"] for one in site.get("network"))


def served_by(*sites: Site) -> bool:
    """Whether clients of all these sites are served."""
    return all(fetch(site.address, SHOP_PORT).status == 200 for site in sites)


def test_a_member_with_20_000_ports_takes_nothing_from_others(net: Network) -> None:
    """Neither where a router may have few descriptors nor where it has room for all ports."""
    alpha, beta, mallory = net.site("alpha"), net.site("beta"), net.site("mallory")
    net.link(beta, alpha, 1)
    net.link(mallory, alpha, 1)
    alpha.declare("shop")
    alpha.connect("shop", net.http("alpha"), capacity=50)
    beta.declare("late", FIRST_PORT + 7)  # A port that mallory declares, too.
    beta.connect("late", net.http("beta"), capacity=50)
    pids = [start(alpha, 1_024), start(beta, 20_000)]
    mallory.start()
    net.see_each_other()
    net.ready("shop", {"alpha": 1})
    before = [descriptors(pid) for pid in pids]
    clients = Clients(
        (alpha.address, SHOP_PORT), (beta.address, SHOP_PORT), (alpha.address, FIRST_PORT + 7)
    )
    try:
        declare_many(mallory)
        for site in (alpha, beta):
            until(partial(reports_all_ports, site), f"{site.name} reports all ports")
            assert LISTENERS_PER_SITE - 1 <= listeners_of(site, "bulk-") <= LISTENERS_PER_SITE
            began = own_time()
            site.ctl("status", code=3)
            assert own_time() - began < STATUS_S
        left_out = next(text for text in told(alpha) if "no document here names" in text)
        key = left_out.partition(" (")[2].partition(",")[0]
        name, address = key.partition(":")[0], f"{alpha.address}:{FREE_PORT}"
        assert name.startswith("bulk-")
        alpha.ctl("service", "set", key, "--listen", str(FREE_PORT))  # As its hint says.
        until(partial(listens, alpha, name, address), f"{key} has a listener")
        alpha.ctl("service", "set", key, "--listen", "none")
        until(lambda: not listens(alpha, name, address), f"{key} has no listener")
        stays(lambda: not clients.failed, "honest services are served", 2.0)
        alpha.ctl("revoke-access", "--link", "mallory")
        until(partial(is_without, alpha, "mallory"), "the member is out", RECOVERY_S)
        for site in (alpha, beta):
            until(
                partial(has_no_listener_of, site, "bulk-"), f"{site.name} is rid of it", RECOVERY_S
            )
        until(lambda: served_by(alpha, beta), "all are served as before", RECOVERY_S)
        for site, pid, count in zip((alpha, beta), pids, before, strict=True):
            assert descriptors(pid) < count + 20, site.name
    finally:
        clients.end()
    assert not clients.failed, clients.failed[:5]
    assert clients.served > 100


def test_a_router_that_can_open_nothing_goes_on(net: Network) -> None:
    """No socket, no file: when all descriptors are taken, a router neither ends nor forgets."""
    alpha, beta = net.site("alpha"), net.site("beta")
    net.link(beta, alpha, 1)
    alpha.declare("shop")
    alpha.connect("shop", net.http("alpha"), capacity=50)
    net.start()
    net.see_each_other()
    net.ready("shop", {"alpha": 1})
    pid = alpha.note_pid()
    soft, hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    with contextlib.closing(http.client.HTTPConnection(beta.address, SHOP_PORT)) as client:
        client.request("GET", "/")
        assert client.getresponse().read() is not None
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (0, hard))
        try:
            alpha.document("Service", "more", {"protocol": "http", "ports": [SHOP_PORT + 1]})
            stays(lambda: is_served(client), "a connection that is there is served", 4.0)
        finally:
            resource.prlimit(pid, resource.RLIMIT_NOFILE, (soft, hard))
    until(lambda: alpha.get("status")["ready"], "the operator is served")
    until(lambda: served_by(alpha, beta), "clients are served")
    until(lambda: alpha.service("more"), "what was declared meanwhile is there")
    assert alpha.note_pid() == pid
    assert "Traceback" not in (alpha.directory / "run" / "router.log").read_text()


def is_served(client: http.client.HTTPConnection) -> bool:
    """Whether one more request on this connection is answered by the target."""
    client.request("GET", "/")
    response = client.getresponse()
    response.read()
    return response.status == 200


def test_a_member_cannot_take_the_ports_of_a_site_s_own_doors(net: Network) -> None:
    """While a router starts, its doors for the operator are not bound yet."""
    alpha, mallory = net.site("alpha"), net.site("mallory")
    net.link(alpha, mallory, 1)
    admin, console = FIRST_PORT + 1, FIRST_PORT + 2
    site = alpha.directory / "config" / "site-alpha.yaml"
    site.write_text(
        f"{site.read_text().rstrip()}\n"
        f"  admin: '{alpha.address}:{admin}'\n"
        f"  console: {{bind: '{alpha.address}:{console}', auth: unsecured}}\n"
    )
    mallory.document("Service", "mine", {"protocol": "http", "ports": [admin, console, 21_500]})
    net.start()
    net.see_each_other()
    until(lambda: any("mine:21001" in text for text in told(alpha)), "its ports are refused")
    alpha.ctl("stop")
    mallory.ctl("stop")
    alpha.start()  # It remembers declarations, and asks no site.
    until(lambda: any("mine:21001" in text for text in told(alpha)), "they are refused again")
    assert fetch(alpha.address, admin, "/healthz").status == 200
    assert fetch(alpha.address, console, "/healthz").status == 200
