"""Wanted state as text: YAML documents in, `model.specs` values out, with the place of each error.

Pure: text in, values or `ConfigError`s out. Both the router (`control`) and `sitectl` read and
write documents through this room, so that one grammar exists.

`text.read` and `text.write` are the two directions, `schema` the one table of fields behind them,
`wanted.resolve` puts the documents of a site together and checks them against each other.
Error codes: SW0101 field, SW0102 YAML syntax, SW0103 refused YAML feature, SW0104 capacity kind,
SW0105 policy, SW0106 duplicate document, SW0107 documents that contradict, SW0108 own address,
SW0109 no Site, SW0110 a file that cannot be read; of `control.directory` SW0111 too many files.
"""

from router.documents.text import KINDS, file_name, plain, read, read_bytes, unreadable, write
from router.documents.wanted import (
    Agreement,
    Listening,
    RefusedPods,
    UnreadyPod,
    Wanted,
    clashes,
    listening_addresses,
    resolve,
)

__all__ = [
    "KINDS",
    "Agreement",
    "Listening",
    "RefusedPods",
    "UnreadyPod",
    "Wanted",
    "clashes",
    "file_name",
    "listening_addresses",
    "plain",
    "read",
    "read_bytes",
    "resolve",
    "unreadable",
    "write",
]
