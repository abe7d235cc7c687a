"""A shop at two sites, with clients at one of them: where most faults happen."""

from pathlib import Path
from typing import Any, Final, Self

from tests.scenario.clients import LOAD_AT_ONCE_MAX, TIMEOUT_S, Load
from tests.scenario.harness import SHOP_PORT, Network, Site
from tests.scenario.tls import keep

PER_S = 20
COST = 5
CONSOLE_PORT: Final = 8010


class Stage(Network):
    """A network with one site or more whose surfaces are looked at."""

    def watched(self, name: str) -> Site:
        """A site that is, here a directory of a host, with a console."""
        site = self.site(name)
        place = f"{site.address}:{CONSOLE_PORT}"
        words = ("--enable-console", "--console-auth", "unsecured", "--console-bind", place)
        site.quick("update", *words)
        return site

    def keep(self, site: Site, name: str, folder: Path) -> None:
        """Give a site a certificate of services."""
        keep(site, name, folder)

    def add_service(self, site: Site, name: str, port: int) -> None:
        """Declare one in a document that is there, which needs no more of its disk."""
        document = site.directory / "config" / "own-service-shop.yaml"
        added = (
            f'apiVersion: "spillway/v1"\nkind: Service\nname: {name}\nspec: {{ports: [{port}]}}\n'
        )
        document.write_text(f"{document.read_text()}\n---\n{added}")


def door(site: Site) -> tuple[str, int]:
    """Where its clients of ``shop`` connect: in a namespace its Service leads there."""
    return site.address, site.service("shop")["listener"]["port"]


class Shop:
    """``near`` has two targets, or so many, and the clients, ``far`` one target; change it, then
    `start`."""

    def __init__(
        self,
        net: Stage,
        *,
        capacity: int | None = 50,
        far_capacity: int | None = None,
        here: int = 2,
        **spec: Any,
    ) -> None:
        """``capacity``: of each target; ``far_capacity``: of that at ``far``, if another one."""
        self.net = net
        self.near, self.far = net.watched("near"), net.site("far")
        self.targets = [net.http("near") for _ in range(here)]
        self.far_target = net.http("far")
        self.near.declare("shop", SHOP_PORT, **spec)
        if self.targets:
            self.near.connect("shop", *self.targets, capacity=capacity)
        self.far.connect("shop", self.far_target, capacity=far_capacity or capacity)
        net.link(self.near, self.far, COST)

    def start(self, *sites: Site) -> Self:
        """These sites (all); returns when all is well."""
        self.net.start(*sites)
        self.net.see_each_other(*sites)
        here = {"near": len(self.targets)} if self.targets else {}
        self.net.ready("shop", {**here, "far": 1}, *sites)
        return self

    def load(
        self,
        per_s: float = PER_S,
        timeout_s: float = TIMEOUT_S,
        at_once: int = LOAD_AT_ONCE_MAX,
        path: str = "/",
    ) -> Load:
        """Clients of ``near``."""
        return Load([door(self.near)], per_s, path, timeout_s=timeout_s, at_once=at_once)

    def now(self) -> Any:
        """What the console's picture says of the last seconds."""
        (now,) = self.near.get("live")["now"]
        return now

    def codes(self) -> set[str]:
        """Codes of problems and notes in `status`."""
        status = self.near.get("status")
        return {one["code"] for one in (*status["problems"], *status["notes"])}

    def metric(self, name: str, **labels: str) -> float:
        """The sum of the series of ``name`` that have ``labels``."""
        total = 0.0
        for line in self.near.metrics().splitlines():
            told, _, number = line.rpartition(" ")
            if told.startswith(f"{name}{{") and all(
                f'{k}="{v}"' in told for k, v in labels.items()
            ):
                total += float(number)
        return total
