"""When tasks of an idle router wake."""

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path

import pytest

from router.admin.admin_socket import AdminSocket
from router.process.lag_probe import LagProbe
from router.process.run_folder import RunFolder
from router.process.startup import site_lock


class Loop(asyncio.SelectorEventLoop):
    """Its clock moves only when a test moves it."""

    now = 1234.56

    def time(self) -> float:
        return self.now


async def lag_probe(_: Path) -> None:
    await LagProbe(lambda _: None).run()


async def admin_socket(site: Path) -> None:
    await AdminSocket(asyncio.Protocol, site / "admin.sock").run()


async def run_folder(site: Path) -> None:
    with site_lock(site / "lock") as lock:
        await RunFolder(site, lock, lambda: None).run()


@pytest.mark.parametrize("run", [lag_probe, admin_socket, run_folder])
def test_work_of_each_second_is_done_at_the_same_moment_of_it(
    run: Callable[[Path], Coroutine[None, None, None]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "admin.sock").touch()
    wakes: list[float] = []
    with asyncio.Runner(loop_factory=Loop) as runner:
        loop = runner.get_loop()
        assert isinstance(loop, Loop)

        async def slept(seconds: float) -> None:
            wakes.append(loop.now + seconds)
            loop.now = wakes[-1] + 0.004 * len(wakes)  # The later, the busier.
            if len(wakes) == 5:
                raise asyncio.CancelledError

        monkeypatch.setattr(asyncio, "sleep", slept)
        with pytest.raises(asyncio.CancelledError):
            runner.run(run(tmp_path))
    assert wakes == pytest.approx([1235, 1236, 1237, 1238, 1239], abs=0.001)
