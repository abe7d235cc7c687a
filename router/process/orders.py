"""The commands of the admin API, and their actions."""

from collections.abc import Callable, Mapping
from typing import NamedTuple, get_args

from certs.errors import CertError
from router.admin.ports import CommandFailed
from router.model.bursts import BurstState
from router.model.wording.system_errors import text_of
from router.operate.bursts.burst_runs import BurstRunner
from router.trust.trust import SiteTrust


class _Order(NamedTuple):
    """``needs``: required arguments; ``takes_more``: the command checks further ones itself."""

    carry_out: Callable[[Mapping[str, str]], str]
    needs: frozenset[str] = frozenset()
    takes_more: bool = False


class Orders:
    """Carries out commands. ``stop`` begins to drain, ``leave`` makes that final, ``reload`` reads
    the wanted state again.

    ``adopt`` makes a site the owner of a service, ``rebalance`` moves a service's connections to
    where its policy would place them now; both return a confirmation.
    """

    def __init__(
        self,
        trust: SiteTrust,
        burst_runner: BurstRunner,
        stop: Callable[[], None],
        leave: Callable[[], None],
        reload: Callable[[], None],
        adopt: Callable[[str, str], str],
        rebalance: Callable[[Mapping[str, str]], str],
    ) -> None:
        self._trust, self._burst_runner, self._adopt = trust, burst_runner, adopt
        self._stop, self._leave, self._reload = stop, leave, reload
        self._orders = {
            "stop": _Order(self._begin_to_stop, takes_more=True),
            "leave": _Order(self._begin_to_leave, takes_more=True),
            "reload": _Order(self._read_again, takes_more=True),
            "revoke": _Order(self._revoke, frozenset({"site"})),
            "adopt": _Order(self._make_owner, frozenset({"service", "site"})),
            "renew": _Order(self._renew, frozenset({"link"})),
            "rebalance": _Order(rebalance, frozenset({"service"}), takes_more=True),
            "burst-test": _Order(self._test_burst, frozenset({"burst", "event"})),
        }

    def carry_out(self, name: str, arguments: Mapping[str, str]) -> str | None:
        """A confirmation; None: no such command, or wrong arguments."""
        if name not in self._orders:
            return None
        order, words = self._orders[name], arguments.keys()
        fits = order.needs <= words if order.takes_more else order.needs == words
        return order.carry_out(arguments) if fits else None

    def _begin_to_stop(self, _: Mapping[str, str]) -> str:
        self._stop()
        return "Draining."

    def _begin_to_leave(self, _: Mapping[str, str]) -> str:
        self._leave()
        return "Neighbors will learn that this site was deleted."

    def _read_again(self, _: Mapping[str, str]) -> str:
        self._reload()
        return "Reading everything again."

    def _revoke(self, arguments: Mapping[str, str]) -> str:
        site = arguments["site"]
        try:
            self._trust.revoke(site)
        except (CertError, OSError) as error:
            raise CommandFailed(f"cannot revoke {site}: {text_of(error)}") from error
        return f"Revoked {site}; its sessions are closed."

    def _make_owner(self, arguments: Mapping[str, str]) -> str:
        return self._adopt(arguments["service"], arguments["site"])

    def _renew(self, arguments: Mapping[str, str]) -> str:
        link = arguments["link"]
        try:
            is_dialed = self._trust.renew_link(link)
        except OSError as error:
            raise CommandFailed(
                f"link {link} cannot be renewed: {error.filename}: {error.strerror}"
            ) from error
        if not is_dialed:
            raise CommandFailed(f"link {link} is not dialed here, or waits")
        return f"Link {link} asks for another certificate."

    def _test_burst(self, arguments: Mapping[str, str]) -> str:
        event = arguments["event"]
        for known in get_args(BurstState):
            if event == known:
                return self._burst_runner.test(arguments["burst"], known)
        raise CommandFailed(f"a burst is {' or '.join(get_args(BurstState))}, not {event[:20]!r}")
