"""Gateways made with the commands that a user types on the database's host."""

from tests.scenario.harness import Network, Site, own_address


class Gateway(Site):
    """A gateway of ``site``, of type process: it runs as soon as it is made."""

    def __init__(self, net: Network, name: str, site: Site, *flags: str) -> None:
        super().__init__(name, site.state / "gateways.d", own_address(), forks=site.forks)
        self._site = site
        net.sites.append(self)  # It ends with the others.
        self.verb("init", "--type", "process", *flags)
        self.note_pid()

    def verb(self, word: str, *words: str) -> None:
        """`sitectl gateway WORD … --name NAME`, within this process."""
        self._site.quick("gateway", word, *words, "--name", self.name)

    def bind(self, service: str, host: str, port: int, service_port: int | None = None) -> None:
        """Offer a port of ``host`` as a service; declares it when no site does."""
        self.verb("bind", service, host, f"{service_port or port}:{port}")

    def forward(self, service: str, port: int) -> None:
        """Let clients of the gateway's host reach a service of the network."""
        self.verb("forward", service, str(port), "--bind-ip", self.address)
