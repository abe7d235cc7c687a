"""Wanted state -> running state: where documents are kept, and who hears when they change.

`directory` reads ``config/*.yaml`` of a process site and keeps the last good state of each file.
`Wanted` and `resolve` are the pure room's (`router.documents.wanted`), since `sitectl` judges
documents by the same code and may not import this room.
"""

from router.control.acceptance import SourcesReading
from router.control.directory import ConfigDirectory, watch
from router.documents import Wanted, resolve

__all__ = ["ConfigDirectory", "SourcesReading", "Wanted", "resolve", "watch"]
