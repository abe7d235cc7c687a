"""Commands of the admin API, and what each does."""

from collections.abc import Callable, Mapping
from typing import get_args

from certs.errors import CertError
from router.admin.ports import CommandFailed
from router.model.bursts import BurstState
from router.operate.bursts.burst_runs import Bursting
from router.trust.trust import SiteTrust


class Orders:
    """Carries them out. ``stop`` begins to drain, ``leave`` has that be for good, ``reload`` reads
    wanted state again.

    ``adopt`` makes a site the owner of a service, ``rebalance`` moves connections of one to where
    its policy would place them now; both tell what was done.
    """

    def __init__(
        self,
        trust: SiteTrust,
        bursting: Bursting,
        stop: Callable[[], None],
        leave: Callable[[], None],
        reload: Callable[[], None],
        adopt: Callable[[str, str], str],
        rebalance: Callable[[Mapping[str, str]], str],
    ) -> None:
        self._trust, self._bursting, self._adopt = trust, bursting, adopt
        self._stop, self._leave, self._reload = stop, leave, reload
        self._orders: dict[str, tuple[frozenset[str], Callable[[Mapping[str, str]], str]]] = {
            "stop": (frozenset(), self._begin_to_stop),
            "leave": (frozenset(), self._begin_to_leave),
            "reload": (frozenset(), self._read_again),
            "revoke": (frozenset({"site"}), self._revoke),
            "adopt": (frozenset({"service", "site"}), self._make_owner),
            "renew": (frozenset({"link"}), self._renew),
            "rebalance": (frozenset({"service"}), rebalance),
            "burst-test": (frozenset({"burst", "event"}), self._test_burst),
        }

    def carry_out(self, name: str, arguments: Mapping[str, str]) -> str | None:
        """What was done; None: no such command, or it needs other words."""
        if name not in self._orders:
            return None
        needed, carry_out = self._orders[name]
        takes_more = name == "rebalance"  # And judges it itself.
        fits = needed <= arguments.keys() if takes_more else needed == arguments.keys()
        return carry_out(arguments) if fits else None

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
            raise CommandFailed(f"cannot revoke {site}: {error}") from error
        return f"Revoked {site}; its sessions are closed."

    def _make_owner(self, arguments: Mapping[str, str]) -> str:
        return self._adopt(arguments["service"], arguments["site"])

    def _renew(self, arguments: Mapping[str, str]) -> str:
        link = arguments["link"]
        if not self._trust.renew_link(link):
            raise CommandFailed(f"link {link} is not dialled here, or waits")
        return f"Link {link} asks for another certificate."

    def _test_burst(self, arguments: Mapping[str, str]) -> str:
        event = arguments["event"]
        for known in get_args(BurstState):
            if event == known:
                return self._bursting.test(arguments["burst"], known)
        raise CommandFailed(f"a burst is {' or '.join(get_args(BurstState))}, not {event[:20]!r}")
