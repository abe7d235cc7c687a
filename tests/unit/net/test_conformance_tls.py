"""What every network that speaks TLS does alike, beside what all do (`test_conformance`)."""

import msgspec
import pytest

from router.net.ports import DialFailure
from tests.unit.net.certificates import client_tls as real_client_tls
from tests.unit.net.recorder import Recorder
from tests.unit.net.worlds import TlsWorld


@pytest.mark.parametrize("required", [True, False])
def test_who_offers_no_protocol_is_welcome_where_none_is_required(
    tls_world: TlsWorld, required: bool
) -> None:
    world, server_tls, client_tls = tls_world
    left, right = Recorder(), Recorder()
    server = msgspec.structs.replace(server_tls, alpn_with_certificate=(), alpn_required=required)
    is_real = client_tls.context is not None
    client = real_client_tls(alpn=()) if is_real else msgspec.structs.replace(client_tls, alpn=())
    listener = world.right.listen(world.right_ip, 0, right.take, tls=server)
    failures: list[DialFailure] = []
    world.left.dial(
        world.right_ip,
        listener.address.port,
        left.take,
        failures.append,
        timeout_s=2.0,
        tls=client,
    )
    world.run_while(lambda: not (failures or left.losses or right.connection))
    assert (right.connection is None) is required
    if right.connection is not None:
        assert right.wire.alpn == ""


def test_a_listener_shakes_hands_by_what_it_was_told_last(tls_world: TlsWorld) -> None:
    world, server_tls, client_tls = tls_world
    left, right = Recorder(), Recorder()
    listener = world.right.listen(world.right_ip, 0, right.take, tls=server_tls)
    listener.set_tls(msgspec.structs.replace(server_tls, alpn=("other",)))
    failures: list[DialFailure] = []
    world.left.dial(
        world.right_ip,
        listener.address.port,
        left.take,
        failures.append,
        timeout_s=2.0,
        tls=client_tls,
    )
    world.run_while(lambda: not (failures or left.losses))
    assert right.connection is None


def test_a_peer_that_expects_a_handshake_breaks_off_at_a_preface(tls_world: TlsWorld) -> None:
    world, server_tls, client_tls = tls_world
    left, right = Recorder(), Recorder()
    listener = world.right.listen(world.right_ip, 0, right.take, tls=server_tls)
    failures: list[DialFailure] = []
    world.left.dial(
        world.right_ip,
        listener.address.port,
        left.take,
        failures.append,
        timeout_s=2.0,
        tls=msgspec.structs.replace(client_tls, preface=b"PROXY"),
    )
    world.run_while(lambda: not failures)
    assert failures[0].code in ("tls", "refused")  # OpenSSL says nothing to some prefaces.
    assert left.connection is None and right.connection is None
