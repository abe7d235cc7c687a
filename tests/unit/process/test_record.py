"""The record of a router passes its events to the store."""

import asyncio
from pathlib import Path

from router.model.events import Event
from router.process.opened_store import DirectoryStore
from router.process.record import FollowedRecord


class Store(DirectoryStore):
    """``heard``: the sentences that would become Events of a namespace."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.router_name = "west-0"
        self.heard: list[str] = []

    def hear(self, event: Event) -> None:
        self.heard.append(event.message)


def test_an_event_with_the_figures_of_one_router_names_its_pod(tmp_path: Path) -> None:
    async def story() -> None:
        store = Store(tmp_path)
        record = FollowedRecord(tmp_path, tmp_path, store, asyncio.get_running_loop())
        several = "Service shop:80 at this router overflowed for 12 s."
        for message in (several, "Service shop:80 overflowed for 12 s."):
            record.journal.tell("info", "overflow-ended", "shop:80", message)
        named = f"Router west-0: {several}"
        assert store.heard == [named, "Service shop:80 overflowed for 12 s."]
        shown = [event.message for _, event in record.events.after(0)]
        assert several in shown, "readers of the journal know the router"

    asyncio.run(story())
