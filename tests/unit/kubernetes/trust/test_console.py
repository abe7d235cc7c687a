"""Users of the console: what the router says while it may not read their Secret."""

import asyncio
import random
from pathlib import Path

from router.kubernetes.objects.picture import SiteOptions
from router.kubernetes.trust.console import ConsoleUsers
from tests.unit.kubernetes.trust.fake_secrets import FORBIDDEN
from tests.unit.kubernetes.trust.test_tls import Secrets

SETTLED_TURNS = 20


async def _settled(users: ConsoleUsers) -> str:
    """The code of its problem once it has done all it can; empty: it has none."""
    for _ in range(SETTLED_TURNS):
        await users.step()
        await asyncio.sleep(0)
    return "" if users.error is None else users.error.code


def test_a_right_that_comes_back_counts_at_once(tmp_path: Path) -> None:
    async def story() -> None:
        api = Secrets()
        api.put("skupper-console-users", {"eve": b"secret"})
        api.fault = FORBIDDEN
        async with asyncio.TaskGroup() as tasks:
            users = ConsoleUsers(api, tmp_path / "users", tasks, random.Random(1), lambda: None)
            users.look(SiteOptions(name="west", console=True))
            assert await _settled(users) == "SW0443"
            api.fault = None
            assert await _settled(users) == "SW0443", "it asks again after a while"
            users.note_rights()
            assert await _settled(users) == ""
            assert (tmp_path / "users" / "eve").read_bytes() == b"secret"
            users.look(SiteOptions(name="west"))  # Ends its watch.

    asyncio.run(story())
