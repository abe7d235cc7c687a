"""Rooms that most routers never enter: imported when something in them is needed.

What they bring along is resident for good, and takes a third of a second of the interpreter's time.
So they are imported in a thread, where data goes on beside them; who awaits `loaded` then imports
the names that it wants in the function that needs them.

- the console's door: aiohttp, 12 MiB; when the Site document has a console
- webhooks of bursts: aiohttp; before one is sent

`tests/scenario/test_memory_at_rest.py` holds what a plain router has not imported.
"""

import asyncio
import importlib
from typing import Final

CONSOLE: Final = ("router.admin.console.door", "router.admin.console.serving")
WEBHOOKS: Final = ("router.control.bursts.webhook",)


async def loaded(modules: tuple[str, ...]) -> None:
    """Return when ``modules`` are imported."""
    for module in modules:
        await asyncio.to_thread(importlib.import_module, module)
