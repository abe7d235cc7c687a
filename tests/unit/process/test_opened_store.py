"""The store of a site that is a directory."""

import asyncio
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

from router.documents import Wanted
from router.model.errors import ConfigError
from router.process.opened_store import DirectoryStore

SITE = "apiVersion: spillway/v1\nkind: Site\nname: west\n"
SHOP = "apiVersion: spillway/v1\nkind: Service\nname: shop\nspec: {ports: [80]}\n"


class NoThread(ThreadPoolExecutor):
    """No process is left for another thread."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        raise RuntimeError("can't start new thread")


def test_documents_are_read_until_the_end_though_no_other_thread_can_be_started(
    tmp_path: Path,
) -> None:
    config = tmp_path / "config"
    config.mkdir()
    (config / "site.yaml").write_text(SITE)

    async def story() -> None:
        store = DirectoryStore(tmp_path)
        store.load()
        loop = asyncio.get_running_loop()
        loop.set_default_executor(NoThread())
        heard: asyncio.Future[Wanted] = loop.create_future()

        def changed(wanted: Wanted, errors: list[ConfigError]) -> None:
            heard.set_result(wanted)

        with closing(store.caller_names):
            async with asyncio.timeout(20), asyncio.TaskGroup() as tasks:
                watching = tasks.create_task(store.watch(changed))
                (config / "shop.yaml").write_text(SHOP)
                store.poke()
                assert list((await heard).services) == ["shop"]
                watching.cancel()
                (config / "shop.yaml").unlink()
                assert not (await store.last()).wanted.services

    asyncio.run(story())
