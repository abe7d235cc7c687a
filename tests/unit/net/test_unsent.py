"""Bytes that wait for the kernel, over a pair of sockets."""

import contextlib
import socket
from types import SimpleNamespace
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.net.poller import Poller
from router.net.unsent import UnsentBytes


def counting() -> Poller:
    """As much of a poller as is counted on."""
    return cast("Poller", SimpleNamespace(bytes_out=0, unsent_bytes=0))


@given(
    parts=st.lists(st.binary(max_size=9), max_size=6).map(tuple), data=st.data(), more=st.binary()
)
def test_what_was_not_sent_leaves_in_its_order_and_is_counted(
    parts: tuple[bytes, ...], data: st.DataObject, more: bytes
) -> None:
    whole = b"".join(parts)
    sent = data.draw(st.integers(0, len(whole)))
    poller, (ours, theirs) = counting(), socket.socketpair()
    with ours, theirs:
        unsent = UnsentBytes(poller)
        unsent.add(parts, sent)
        unsent.add((more,))
        rest = whole[sent:] + more
        assert unsent.size_bytes == poller.unsent_bytes == len(rest)
        if rest:
            unsent.send(ours)
            assert theirs.recv(10_000) == rest
        assert unsent.size_bytes == poller.unsent_bytes == 0
        assert poller.bytes_out == len(rest)


def test_of_many_bytes_so_many_leave_as_the_kernel_takes() -> None:
    poller, (ours, theirs) = counting(), socket.socketpair()
    with ours, theirs:
        ours.setblocking(False)
        unsent = UnsentBytes(poller)
        unsent.add((bytes(3_000_000), b"end"))
        unsent.send(ours)
        assert 0 < unsent.size_bytes == poller.unsent_bytes < 3_000_003
        with pytest.raises(BlockingIOError):
            unsent.send(ours)
        got = bytearray()
        while unsent.size_bytes:
            got += theirs.recv(1_000_000)
            with contextlib.suppress(BlockingIOError):
                unsent.send(ours)
        while len(got) < 3_000_003:
            got += theirs.recv(1_000_000)
        assert got.endswith(b"end")


def test_dropped_bytes_count_no_more() -> None:
    poller = counting()
    unsent = UnsentBytes(poller)
    unsent.add((b"abc", b"", b"def"), 2)
    assert poller.unsent_bytes == 4
    unsent.drop()
    assert unsent.size_bytes == poller.unsent_bytes == 0
