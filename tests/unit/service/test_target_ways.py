"""Connections to targets whose TLS settings change while requests are under way."""

from router.model.specs import ServiceProtocol, ServiceSpec
from router.net.ports import Tls
from router.service.ports import TargetConfig
from tests.unit.exchange.fakes import answer_ok
from tests.unit.service.test_ejection import GET, KEY, Shop, is_silent

OLD, NEW, ROTATED = (
    Tls(object(), b"", alpn, server_name=name)
    for alpn, name in ((("http/1.1",), ""), (("h2",), ""), (("h2",), "other"))
)


class SwitchedShop(Shop):
    """One target that has not answered a request when the service is configured anew."""

    def __init__(self) -> None:
        super().__init__(is_silent, targets=1)
        self.configure(OLD, "http")
        self.client = self.send(GET)

    def configure(self, tls: Tls, protocol: ServiceProtocol) -> None:
        self.forwarder.set_service(KEY, ServiceSpec(ports=(8080,), protocol=protocol))
        config = TargetConfig(connector="main", tls=tls)
        self.forwarder.set_targets(KEY, {str(self.bad): config})
        self.network.advance(5.0)

    def reset(self) -> Tls | None:
        """Break the request's connection; the TLS settings of the next try."""
        self.answer = answer_ok
        next(party for party in self.bad.serving if party.got).abort()
        self.network.run()
        return self.network.dialled_tls[-1]


def test_what_is_under_way_in_a_switch_to_http2_is_tried_again_in_its_own_protocol() -> None:
    shop = SwitchedShop()
    shop.configure(NEW, "http2")
    assert shop.reset() == OLD
    assert shop.client.got.startswith(b"HTTP/1.1 200 ")


def test_former_credentials_are_not_used_once_others_have_come() -> None:
    shop = SwitchedShop()
    shop.configure(NEW, "http2")
    shop.configure(ROTATED, "http2")
    assert shop.reset() == ROTATED


def test_former_credentials_stay_while_nothing_else_changes() -> None:
    shop = SwitchedShop()
    shop.configure(NEW, "http2")
    shop.configure(NEW, "http2")
    assert shop.reset() == OLD
