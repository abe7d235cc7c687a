"""The content of ``SITE/runtime.yaml``: the runtime of a site's router. Pure."""

from typing import Final, Literal

import msgspec

RUNTIME_FILE: Final = "runtime.yaml"
Kind = Literal["process", "systemd", "podman", "docker"]
IN_CONTAINERS: Final[tuple[Kind, ...]] = ("podman", "docker")
HOST_NETWORK: Final = "host"
Scope = Literal["user", "system"]
PullPolicy = Literal["always", "missing", "never", "newer"]


class RuntimeSpec(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel", kw_only=True
):
    """How a site's router runs. ``name``: its unit or container (``spillway-SITE``, …).

    ``scope``: the systemd manager, the user's or the system's. ``network`` of a container:
    ``host``, or the name of a network. In a network the listeners are published, those of services
    on ``publish_ip``; ``publish``: ports with another place, each ``[IP:]PORT:PORT``.
    """

    kind: Kind = "process"
    name: str = ""
    scope: Scope = "user"
    image: str = ""  # Empty: `SITECTL_IMAGE`, else this version's.
    pull_policy: PullPolicy = "missing"
    network: str = HOST_NETWORK
    publish: tuple[str, ...] = ()
    publish_ip: str = "127.0.0.1"

    @property
    def has_own_network(self) -> bool:
        """Whether the router runs in a network of containers."""
        return self.kind in IN_CONTAINERS and self.network != HOST_NETWORK

    def outside(self, port: int) -> tuple[str, int] | None:
        """The host's address and port that lead to ``port`` of the container; an empty address:
        all of them. None: they are the same, as on the host's network.
        """
        if not self.has_own_network:
            return None
        for text in self.publish:
            place, _, inside = text.rpartition(":")
            if int(inside) == port:
                host, _, number = place.rpartition(":")
                return host.strip("[]"), int(number)
        return self.publish_ip, port
