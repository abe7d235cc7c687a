"""A link over a way of 600 ms that loses a quarter of all packets: it comes up, stays, returns."""

from pathlib import Path

from tests.scenario.harness import LINK_PORT, Network
from tests.scenario.satellite import THERE, satellite
from tests.scenario.waiting import stays, until

UP_WITHIN_S = 60.0
STAYS_S = 12.0  # Longer than any silence is borne.


def test_a_link_over_a_lossy_satellite_stays_and_comes_back_after_silence(tmp_path: Path) -> None:
    with satellite(loss=0.1) as (way, here, there), Network(tmp_path / "state") as net:
        net.state.mkdir()
        east, west = net.planned("east"), net.planned("west")
        east.quick("init", "east", "--ingress-bind-ip", "0.0.0.0", "--bind-port", str(LINK_PORT))
        west.quick("init", "west", "--ingress", "none")
        east.run({}, there)
        west.run({}, here)
        token = net.token(east, "--ingress-host", f"{THERE}:{LINK_PORT}")
        west.quick("link", "create", str(token), "--name", "east")
        until(lambda: west.is_up("east"), "the link is up", UP_WITHIN_S)
        until(lambda: west.link("east")["rtt_ms"] is not None, "it was measured", UP_WITHIN_S)
        stays(lambda: west.is_up("east"), "the link is up", STAYS_S)
        assert west.link("east")["rtt_ms"] >= 600.0
        way.loss = 1.0
        until(lambda: not west.is_up("east"), "the silence is noticed", UP_WITHIN_S)
        way.loss = 0.1
        until(lambda: west.is_up("east"), "the link is back", UP_WITHIN_S)
        assert way.lost > 0.04 * way.sent
