"""Clients that speak another version of HTTP than the service: no target is blamed."""

from tests.scenario.clients import Load
from tests.scenario.harness import SHOP_PORT, Network
from tests.scenario.waiting import until

PER_S = 20


def test_a_client_of_http1_at_a_service_of_http2_is_not_said_to_meet_failing_targets(
    net: Network,
) -> None:
    """As java.net.http, which tries `Upgrade: h2c` first. The targets serve, and get nothing."""
    site = net.site("alone")
    site.declare("shop", protocol="http2")
    site.connect("shop", net.http("one"), capacity=10)
    site.start()
    net.ready("shop", {"alone": 1}, site)

    def problems() -> list[str]:
        return [one["message"] for one in site.get("status")["problems"]]

    with Load([(site.address, SHOP_PORT)], PER_S):
        until(problems, "it is noticed")
        (message,) = problems()
        assert "they speak another version of HTTP than the service" in message
        failed = 'spillway_failed_requests_total{code="version-not-supported"'
        assert failed in site.metrics()
        told = site.ctl("status", code=3).out
        assert "Its clients must speak its protocol: " in told
        assert "service status shop" in told
