"""An exception of our own code is a problem until the router starts again."""

from router.net.epoll import EpollNetwork
from router.node.news.own_faults import CODE, OwnFaults
from tests.unit.journal import Journal
from tests.unit.net.self_host import SelfHost


def fail() -> None:
    raise RuntimeError("with a secret in it")


def test_what_a_timer_raises_is_told_with_its_place_and_without_its_words() -> None:
    host, journal = SelfHost(), Journal()
    network = EpollNetwork(host)
    faults = OwnFaults(network.now, journal.tell)
    network.hear_handler_errors(faults.happened)
    assert faults.problems(str) == []

    network.call_at(network.now(), fail)
    host.run_while(lambda: network.handler_errors == 0)
    first_at = network.now()
    network.call_at(network.now(), fail)
    host.run_while(lambda: network.handler_errors == 1)
    network.close()

    assert journal.told() == ["internal-error", "internal-error"]
    (problem,) = faults.problems(str)
    assert problem.code == CODE
    assert "2 errors of its own: the last a RuntimeError in test_own_faults.py" in problem.message
    assert "secret" not in problem.message
    assert float(problem.since) <= first_at
