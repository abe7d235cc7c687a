"""What bytes raise that are not what they should be. Apart from `errors`: it loads msgspec."""

from typing import Final

import msgspec

# UnicodeDecodeError is no DecodeError: bytes within a text that are none raise it.
UNREADABLE_JSON: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What `msgspec.json.decode` raises for bytes that somebody damaged or made up."""
