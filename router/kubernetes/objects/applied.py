"""Whether an object is still as it was applied, ignoring additions of the API and of others.

The object carries a digest of the applied content: it shows that a field was removed since, which a
comparison alone could not.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from router.kubernetes.objects import names, texts
from router.kubernetes.objects.objects import Object, annotations

_KEYS: Final = ("name", "mountPath", "containerPort", "port", "ip", "uid")
"""Keys that identify the elements of a list, as in server-side apply."""
_QUANTITIES: Final = ("cpu", "memory", "sizeLimit")
_DIGEST_CHARS: Final = 16


def stamped(wanted: Object) -> Object:
    """``wanted`` with its digest."""
    text = json.dumps(wanted, sort_keys=True, separators=(",", ":"))
    digest = hashlib.sha256(text.encode()).hexdigest()[:_DIGEST_CHARS]
    metadata = wanted["metadata"]
    notes = {**metadata.get("annotations", {}), names.APPLIED: digest}
    return {**wanted, "metadata": {**metadata, "annotations": notes}}


def is_stamped(found: Object) -> bool:
    """Whether `stamped` made it."""
    return names.APPLIED in annotations(found)


def is_as_applied(found: Object, wanted: Object) -> bool:
    """Whether applying ``wanted``, stamped, would leave ``found`` unchanged."""
    return _holds(found, wanted, "")


def _holds(found: object, wanted: object, key: str) -> bool:
    if isinstance(wanted, Mapping):
        return isinstance(found, Mapping) and all(
            name in found and _holds(found[name], value, name) for name, value in wanted.items()
        )
    if isinstance(wanted, Sequence) and not isinstance(wanted, str):
        return isinstance(found, Sequence) and _holds_all(found, wanted, key)
    if key in _QUANTITIES and isinstance(found, str) and isinstance(wanted, str):
        return texts.amount(found) == texts.amount(wanted)  # The API writes 1000m as 1.
    return found == wanted


def _holds_all(found: Sequence[Any], wanted: Sequence[Any], key: str) -> bool:
    names_of = [_name_of(element) for element in wanted]
    if None in names_of:
        return len(found) == len(wanted) and all(
            _holds(*pair, key) for pair in zip(found, wanted, strict=True)
        )
    there = {_name_of(element): element for element in found}
    return all(
        name in there and _holds(there[name], element, key)
        for name, element in zip(names_of, wanted, strict=True)
    )


def _name_of(element: object) -> object:
    if not isinstance(element, Mapping):
        return None
    return next((element[key] for key in _KEYS if key in element), None)
