"""Wanted state as text: reads YAML documents into `model.specs` values, and locates each error.

Pure: takes text, returns values or `ConfigError`s. Both the router (`control`) and `sitectl` read
and write documents through this room, so there is only one grammar.

`text.read` and `text.write` are the two directions, `schema` is the single table of fields behind
them, `wanted.resolve` joins the documents of a site and checks them against each other, `in_force`
is the form in which documents outlive a restart beside a text that became wrong.

Error codes: SW0101 field, SW0102 YAML syntax, SW0103 refused YAML feature, SW0104 capacity kind,
SW0105 policy, SW0106 duplicate document, SW0107 documents that contradict, SW0108 own address,
SW0109 no Site, SW0110 a file that cannot be read; of `control.directory` SW0111 too many files.
"""

from router.documents.text import KINDS, file_name, plain, read, read_bytes, unreadable, write
from router.documents.wanted import (
    CapacityDivision,
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
    "CapacityDivision",
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
