"""A network that one mesh file describes, as processes of this host."""

import json
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import Any

import yaml

from tests.scenario import forking
from tests.scenario.harness import COMMAND_TIMEOUT_S, PYTHON, ROOT, Done, Network, Site
from tests.scenario.started import Started


def routers_of(site: Site) -> list[int]:
    """Processes that are routers of that site, or wait to be one after another."""
    found: list[int] = []
    for path in Path("/proc").glob("[0-9]*/cwd"):
        with suppress(OSError):  # It has just ended.
            if path.readlink() == site.directory:  # Where it works: if forked, it has no words.
                found.append(int(path.parent.name))
    return found


class MeshNetwork:
    """``spec`` of the file; call `write` after a change."""

    def __init__(self, net: Network) -> None:
        self.net = net
        self.file = net.state / "mesh.yaml"
        self.spec: dict[str, Any] = {"sites": {}, "links": [], "services": {}}
        self.name = "net"

    def site(self, name: str, state: Path | None = None, **fields: Any) -> Site:
        """A site of the file, with an address; ``state``: where its host has sites."""
        site = self.net.planned(name)
        if state is not None:
            site = Site(name, state, site.address)
            self.net.sites[-1] = site
        settings = {
            "bindIp": site.address,
            "ingressBindIp": site.address,
            "bindPort": site.link_port,
            "ingressHosts": [site.link_door],
        }
        settings |= fields.pop("settings", {})
        self.spec["sites"][name] = {"settings": settings, **fields}
        return site

    def link(self, dialer: str, acceptor: str, **fields: Any) -> None:
        """A link of the file."""
        self.spec["links"].append({"from": dialer, "to": acceptor, **fields})

    def write(self) -> Path:
        """The file as `spec` is now, in one step."""
        document = {
            "apiVersion": "spillway/v1",
            "kind": "Mesh",
            "name": self.name,
            "spec": {key: value for key, value in self.spec.items() if value},
        }
        whole = self.file.with_suffix(".new")
        whole.write_text(yaml.safe_dump(document, sort_keys=False))
        return whole.replace(self.file)

    def environment(self, state: Path | None = None) -> dict[str, str]:
        """Of a command on the host whose sites are in ``state``."""
        place = Site("", state or self.net.state, "")
        return {**place.paths(), **place.place(), "NO_COLOR": "1"}

    def ctl(self, *words: str, code: int = 0, state: Path | None = None) -> Done:
        """Run a command on that host; AssertionError unless it exits with ``code``."""
        environment = self.environment(state)
        if forking.PYTHON.suits():
            done = Done(*forking.sitectl(words, None, ROOT, environment, COMMAND_TIMEOUT_S))
        else:
            ended = subprocess.run(
                [PYTHON, "-m", "sitectl", *words],
                capture_output=True,
                text=True,
                timeout=COMMAND_TIMEOUT_S,
                cwd=ROOT,
                env=environment,
            )
            done = Done(ended.returncode, ended.stdout, ended.stderr)
        assert done.code == code, f"sitectl {words}: exit {done.code}\n{done.out}{done.err}"
        return done

    def mesh(self, verb: str, *words: str, code: int = 0, state: Path | None = None) -> Done:
        """``sitectl mesh VERB -f`` with the file."""
        return self.ctl("mesh", verb, "-f", str(self.file), *words, code=code, state=state)

    def apply(self, *words: str, code: int = 0) -> Done:
        """Write the file and apply it."""
        self.write()
        return self.mesh("apply", *words, code=code)

    def started(self, *words: str, state: Path | None = None) -> Started:
        """A command that goes on beside the test; its caller ends it."""
        return Started(words, ROOT, self.environment(state))

    def changes(self, verb: str = "plan", code: int = 0) -> list[tuple[str, str, str, str]]:
        """What `plan` or `drift` finds: site, change, kind, name."""
        done = self.mesh(verb, "-o", "json", code=code)
        items = json.loads(done.out)["items"]
        return [(one["site"], one["change"], one["kind"], one["name"]) for one in items]
