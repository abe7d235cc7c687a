"""A host with a site that accepts links and gateways whose routers are played."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from certs.ca.authority import Authority
from certs.joining.claims import GrantStore
from sitectl.gateway import services
from sitectl.runtimes.process import ProcessRuntime
from sitectl.site.directory import DirectorySite
from tests.unit.sitectl.conftest import CommandLine
from tests.unit.sitectl.fakes import FakeAdmin


class Host:
    """The command line of one host. ``running``: gateways whose router was started."""

    def __init__(self, line: CommandLine) -> None:
        self.line = line
        self.running: set[str] = set()

    def gateway(self, name: str = "gw") -> DirectorySite:
        """The site directory of a gateway."""
        return DirectorySite(self.line.state / "gateways.d" / name)

    def documents(self, name: str = "gw") -> set[str]:
        """The files in its ``config/``, except for its site and its link."""
        own = {f"site-{name}.yaml", "link-site.yaml"}
        return {path.name for path in self.gateway(name).config.iterdir()} - own

    def grants(self) -> GrantStore:
        """The claims that the site ``here`` granted."""
        secrets = self.line.state / "here" / "secrets"
        return GrantStore(secrets / "grants", Authority.load(secrets))


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """A test's router gives its final answer at once, so shorten the waits."""
    monkeypatch.setattr(services, "ASK_WAIT_S", 0.05)
    monkeypatch.setattr(services, "LINK_WAIT_S", 0.05)


@pytest.fixture
def host(here: CommandLine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Host:
    """A host with the site ``here``; starting a router only notes it."""
    made = Host(here)

    def start(runtime: ProcessRuntime, timeout_s: float) -> bool:
        name = runtime.site.name
        is_new = name not in made.running
        made.running.add(name)
        return is_new

    def stop(runtime: ProcessRuntime, timeout_s: float) -> bool:
        made.running.discard(runtime.site.name)
        return True

    monkeypatch.setattr(ProcessRuntime, "start", start)
    monkeypatch.setattr(ProcessRuntime, "stop", stop)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("HOME", str(tmp_path))
    for variable in ("KUBECONFIG", "KUBERNETES_SERVICE_HOST", "SITECTL_PLATFORM"):
        monkeypatch.delenv(variable, raising=False)
    return made


@pytest.fixture
def gw(host: Host) -> CommandLine:
    """The command line of a host with one gateway, ``gw``."""
    host.line.ok("gateway", "init", "--name", "gw", "--type", "process")
    return host.line


@pytest.fixture
def router(gw: CommandLine, host: Host) -> Iterator[FakeAdmin]:
    """The router of the gateway: its link is up, and it knows no service until a test adds one."""
    with FakeAdmin(host.gateway().run / "admin.sock") as admin:
        status = {"name": "gw", "id": "a" * 32, "ready": True, "version": "1", "problems": []}
        admin.item("/api/v1/status", status)
        admin.items("/api/v1/links", link("up"))
        admin.items("/api/v1/services")
        yield admin


def link(state: str, error: str = "") -> dict[str, object]:
    """The link of a gateway as its router reports it."""
    return {
        "name": "site",
        "neighbour": {"name": "here", "id": "b" * 32},
        "direction": "outgoing",
        "cost": 1,
        "state": state,
        "since": "2026-01-01T00:00:00Z",
        "rtt_ms": 1.0,
        "error": error,
        "certificate_expires": "2027-01-01T00:00:00Z",
    }


def service(name: str, port: int, protocol: str = "tcp", **fields: object) -> dict[str, object]:
    """One port of a service as a router reports it."""
    return {
        "name": name,
        "port": port,
        "protocol": protocol,
        "sites": [],
        "targets": [],
        "listener": {"host": "", "port": 0, "state": "none", "error": ""},
        **fields,
    }
