"""A grant that is withdrawn or ends takes its open connections with it, and nothing else."""

import math
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import pytest

from tests.scenario.clients import Load, fetch
from tests.scenario.granting import (
    CALL,
    OFFER,
    Stream,
    be_strict,
    callers,
    downloaded,
    echoed,
    grant,
    share_with_all,
)
from tests.scenario.harness import SHOP_PORT, Network, Site
from tests.scenario.waiting import until

DB_PORT, MAIL_PORT, NEWS_PORT = SHOP_PORT + 1, SHOP_PORT + 2, SHOP_PORT + 3
PORTS = {"shop": SHOP_PORT, "db": DB_PORT, "mail": MAIL_PORT, "news": NEWS_PORT}
WITHDRAWN_S, ENDED_S = 5.0, 7.0
"""Generous: on an idle machine it is some tenths of a second, and 1 s more for an end."""
AHEAD_S = 6


class Three:
    """All strict. Alpha owns the services, beta has the targets of most, gamma the clients."""

    def __init__(self, net: Network) -> None:
        self.net = net
        self.alpha, self.beta, self.gamma = (net.site(n) for n in ("alpha", "beta", "gamma"))
        for site in net.sites:
            be_strict(site)
            share_with_all(site)
        tcp = net.tcp("beta")
        for service, port in PORTS.items():
            self.alpha.declare(service, port, protocol="tcp" if service == "db" else "http")
        self.beta.connect("shop", net.http("beta"), capacity=50)
        self.beta.connect("db", tcp, capacity=50)
        self.beta.connect("mail", net.http("beta"), capacity=50)
        self.alpha.connect("news", net.http("alpha"), capacity=50)
        net.link(self.beta, self.alpha)
        net.link(self.gamma, self.alpha)
        net.link(self.gamma, self.beta)
        for service in ("shop", "db", "mail"):
            grant(self.alpha, service, OFFER, self.beta)
        net.start()
        net.see_each_other()
        for service in ("shop", "db", "mail"):
            net.ready(service, {"beta": 1})
            until(partial(self.is_taken, service), f"gamma takes {service} from beta")
        net.ready("news", {"alpha": 1})
        until(partial(serves, self.gamma), "shop is served")

    def is_taken(self, service: str) -> bool:
        found = self.gamma.json("why", service)["candidates"]
        return all(one["verdict"] != "excluded" for one in found)

    def others(self) -> Load:
        """Clients of other services, at gamma, and of the same ones where beta needs no grant."""
        return Load(
            [
                (self.gamma.address, MAIL_PORT),
                (self.gamma.address, NEWS_PORT),
                (self.beta.address, SHOP_PORT),
            ],
            40,
        )


@pytest.fixture
def three(tmp_path: Path) -> Iterator[Three]:
    with Network(tmp_path) as net:
        yield Three(net)


def serves(site: Site) -> bool:
    """Whether clients of shop at ``site`` get answers."""
    return fetch(site.address, SHOP_PORT).status == 200


def end_within(streams: Sequence[Stream], since_unix: float, bound_s: float, what: str) -> None:
    for stream in streams:
        until(stream.ended.is_set, f"what is open by {what} ends", bound_s)
    late = max(stream.ended_unix for stream in streams) - since_unix
    print(f"{what}: the last of {len(streams)} was reset after {late:.3f} s")


def test_an_offer_that_is_granted_no_more_ends_what_is_open_there_and_nothing_else(
    three: Three,
) -> None:
    with ExitStack() as stack:
        load = stack.enter_context(three.others())
        cut = [
            stack.enter_context(echoed(three.gamma, DB_PORT)),
            stack.enter_context(downloaded(three.gamma, SHOP_PORT, "shop")),
        ]
        kept = [
            stack.enter_context(downloaded(three.gamma, MAIL_PORT, "mail")),
            stack.enter_context(echoed(three.beta, DB_PORT)),
        ]
        since = time.time()
        for service in ("shop", "db"):
            grant(three.alpha, service, OFFER)
        end_within(cut, since, WITHDRAWN_S, "offers that were withdrawn")
        assert fetch(three.gamma.address, SHOP_PORT).status == 503
        assert all(stream.flows() for stream in kept)
        grant(three.alpha, "shop", OFFER, three.beta)
        until(partial(serves, three.gamma), "it is granted again")
    assert load.answers and not load.failed


def test_a_call_that_is_granted_no_more_ends_what_the_site_has_open_and_nothing_else(
    three: Three,
) -> None:
    for service in ("shop", "db"):
        grant(three.beta, service, CALL, three.alpha, three.gamma, exportTo=[])
    both = {"alpha", "gamma"}
    for service in ("shop", "db"):
        until(lambda name=service: callers(three.beta, name) == both, "the grants count")  # type: ignore[misc]
    for site in (three.alpha, three.gamma):
        until(partial(site.offers, "db", {"beta": 1}), f"{site.name} may call")
        until(partial(serves, site), f"clients at {site.name} may call")
    with ExitStack() as stack:
        load = stack.enter_context(three.others())
        cut = [
            stack.enter_context(echoed(three.gamma, DB_PORT)),
            stack.enter_context(downloaded(three.gamma, SHOP_PORT, "shop")),
        ]
        kept = [
            stack.enter_context(downloaded(three.gamma, MAIL_PORT, "mail")),
            stack.enter_context(echoed(three.alpha, DB_PORT)),
            stack.enter_context(downloaded(three.alpha, SHOP_PORT, "shop")),
        ]
        since = time.time()
        for service in ("shop", "db"):
            grant(three.beta, service, CALL, three.alpha, exportTo=[])
        end_within(cut, since, WITHDRAWN_S, "calls that were withdrawn")
        assert fetch(three.gamma.address, SHOP_PORT).status == 503
        assert all(stream.flows() for stream in kept)
    assert load.answers and not load.failed


@pytest.mark.parametrize("verb", [OFFER, CALL])
def test_a_grant_that_ends_takes_what_is_open_with_it(three: Three, verb: str) -> None:
    ends = math.ceil(time.time()) + AHEAD_S
    for service in ("shop", "db"):
        if verb == OFFER:
            grant(three.alpha, service, OFFER, three.beta, until_unix=ends)
        else:
            grant(three.beta, service, CALL, three.gamma, until_unix=ends, exportTo=[])
    with ExitStack() as stack:
        load = stack.enter_context(three.others())
        kept = stack.enter_context(downloaded(three.gamma, MAIL_PORT, "mail"))
        cut = [
            stack.enter_context(echoed(three.gamma, DB_PORT)),
            stack.enter_context(downloaded(three.gamma, SHOP_PORT, "shop")),
        ]
        before = [stream.ended.is_set() for stream in cut]
        assert time.time() >= ends or not any(before), "it ended before its end"
        end_within(cut, ends, max(0.0, ends - time.time()) + ENDED_S, f"{verb}, whose time came")
        assert all(stream.ended_unix >= ends for stream in cut)
        assert fetch(three.gamma.address, SHOP_PORT).status == 503
        assert kept.flows()
    assert load.answers and not load.failed
