"""Routing keys in sentences, in place of the names of the services that carry them.

A routing key of Skupper v2 may have any text. The service of one that is no DNS label is named by a
hash (`router.documents.skupper2.keys`), which tells a reader nothing. Commands take that name.
"""

import re
from collections.abc import Callable

_NAME = re.compile(r"(?<![\w.-])(k-[0-9a-f]{20})(?::1\b)?(?![\w-])")


def with_keys(text: str, key_of: Callable[[str], str]) -> str:
    """``text`` with the keys of services, without their nominal port.

    ``key_of``: the routing key that a service carries, empty: none, or there is no such service.
    """
    if "k-" not in text:
        return text
    return _NAME.sub(lambda found: key_of(found[1]) or found[0], text)
