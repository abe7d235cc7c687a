"""The exceptions of malformed bytes. Separate from `errors`, because it loads msgspec."""

from typing import Final

import msgspec

# UnicodeDecodeError is not a DecodeError; invalid bytes within a text raise it.
UNREADABLE_JSON: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""Exceptions of `msgspec.json.decode` for damaged or forged bytes."""
