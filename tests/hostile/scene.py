"""Two honest sites, which a member joins."""

from tests.scenario.harness import Network, Site


def started_pair(net: Network) -> tuple[Site, Site]:
    """Alpha with service shop and a target of it, and beta, linked to it; both are ready."""
    alpha, beta = net.site("alpha"), net.site("beta")
    net.link(beta, alpha, 1)
    alpha.declare("shop")
    alpha.connect("shop", net.http("alpha"), capacity=50)
    net.start()
    net.see_each_other()
    net.ready("shop", {"alpha": 1})
    return alpha, beta
