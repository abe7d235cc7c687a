"""Wanted state -> running state: the store of documents and the notification of changes.

`directory` reads ``config/*.yaml`` of a process site and keeps the last good state of each file.
`Wanted` and `resolve` belong to the pure room `router.documents.wanted`: `sitectl` checks documents
with the same code and may not import this room.
"""

from router.control.acceptance import SourcesReading
from router.control.directory import ConfigDirectory, watch
from router.documents import Wanted, resolve

__all__ = ["ConfigDirectory", "SourcesReading", "Wanted", "resolve", "watch"]
