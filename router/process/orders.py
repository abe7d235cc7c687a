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

    ``adopt`` makes a site the owner of a service, and tells what was done.
    """

    def __init__(
        self,
        trust: SiteTrust,
        bursting: Bursting,
        stop: Callable[[], None],
        leave: Callable[[], None],
        reload: Callable[[], None],
        adopt: Callable[[str, str], str],
    ) -> None:
        self._adopt = adopt
        self._trust, self._bursting = trust, bursting
        self._stop, self._leave, self._reload = stop, leave, reload

    def carry_out(self, name: str, arguments: Mapping[str, str]) -> str | None:
        """What was done; None: no such command."""
        if name == "stop":
            self._stop()
            return "Draining."
        if name == "leave":
            self._leave()
            return "Neighbors will learn that this site was deleted."
        if name == "reload":
            self._reload()
            return "Reading everything again."
        if name == "revoke" and arguments.keys() == {"site"}:
            try:
                self._trust.revoke(arguments["site"])
            except (CertError, OSError) as error:
                raise CommandFailed(f"cannot revoke {arguments['site']}: {error}") from error
            return f"Revoked {arguments['site']}; its sessions are closed."
        if name == "adopt" and arguments.keys() == {"service", "site"}:
            return self._adopt(arguments["service"], arguments["site"])
        if name == "renew" and arguments.keys() == {"link"}:
            if not self._trust.renew_link(arguments["link"]):
                raise CommandFailed(f"link {arguments['link']} is not dialled here, or waits")
            return f"Link {arguments['link']} asks for another certificate."
        if name == "burst-test" and arguments.keys() == {"burst", "event"}:
            for event in get_args(BurstState):
                if arguments["event"] == event:
                    return self._bursting.test(arguments["burst"], event)
        return None
