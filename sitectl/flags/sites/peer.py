"""``--peer``: the other routers of a site on hosts."""

from collections.abc import Callable
from typing import Any, Final

import click

from sitectl.base.failure import usage

NOBODY: Final = ("none",)
"""As the value of the flag: there are no others."""


def peer_flag(text: str) -> Callable[[Any], Any]:
    """The flag as argument ``peers``."""
    return click.option("--peer", "peers", metavar="HOST:PORT", multiple=True, help=text)


def refuse_peers(peers: tuple[str, ...]) -> None:
    """Raise Failure if peers are given: on Kubernetes, routers find their peers themselves."""
    if peers:
        raise usage("--peer is for sites on hosts; Pods find each other", "--routers 2")


def judged_peers(peers: tuple[str, ...]) -> tuple[str, ...]:
    """As a document has them. Failure: one is none."""
    from router.documents.addresses import split_host_port

    if peers == NOBODY:
        return ()
    for peer in peers:
        parts = split_host_port(peer)
        if parts is None or parts[1] is None:
            raise usage(f"--peer {peer}: expected HOST:PORT", "--peer west2.example.org:55671")
    return peers
