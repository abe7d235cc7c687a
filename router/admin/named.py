"""Service ports in a request's path or query, and answers for unknown services."""

from collections.abc import Iterable, Iterator, Sequence
from difflib import SequenceMatcher
from typing import Final, Protocol

from aiohttp import web

from router.admin.answers import failure
from router.admin.slices import sliced
from router.model.ids import ServiceKey
from router.model.wording.routing_key_names import NOMINAL_PORT, hashed_name

PORT_DIGITS = 5
_SHOWN_CHARS = 100
_ALL: Final = "sitectl service status"
_ALIKE: Final = 0.6
"""As `difflib.get_close_matches`."""


class ServiceNames(Protocol):
    """The services that are known here."""

    def service_keys(self) -> Sequence[ServiceKey]:
        """The known service ports, in order."""

    def routing_key_of(self, service: str) -> str:
        """The routing key of Skupper v2 that a service carries; empty: none, or unknown service."""


def named_port(text: str, names: ServiceNames) -> tuple[str, int | None] | web.Response:
    """Service and port of ``NAME``, ``NAME:PORT`` or a routing key; or an error answer.

    A routing key may have any text. If it reads as the port of a known service, it means that. An
    unknown name is returned as it is: ports are checked only for known services.
    """
    name, colon, port = text.partition(":")
    is_port = port.isascii() and port.isdigit() and len(port) <= PORT_DIGITS
    carrier = _carrier(text, names)
    if carrier and not (is_port and ServiceKey(name, int(port)) in names.service_keys()):
        return carrier, None
    if carrier := _with_port(text, names):
        return carrier, NOMINAL_PORT
    if is_port:
        return name, int(port)
    if colon and any(known.name == name for known in names.service_keys()):
        return failure(400, "bad-port", f"{port!r} is not a port number.", "A number: 8080")
    return text, None


def service_meant(text: str, names: ServiceNames) -> str:
    """The service that carries routing key ``text``, also with its nominal port; otherwise ``text``
    itself."""
    return _carrier(text, names) or _with_port(text, names) or text


def not_known(text: str, hint: str = _ALL) -> web.Response:
    """404, without a suggestion of another service."""
    return failure(404, "not-found", f"No service {text[:_SHOWN_CHARS]!r} is known here.", hint)


async def no_service(text: str, names: ServiceNames) -> web.Response:
    """404, with the most similar known name or routing key.

    Comparing ``text`` with a thousand names takes 0.2 s: it runs in slices, between which traffic
    goes on.
    """
    known = sorted({key.name for key in names.service_keys()})
    shown = (names.routing_key_of(name) or name for name in known)
    near = max((await sliced(_alike(text, shown))).items, default=None)
    return not_known(text, f"Did you mean {near[1]}? See {_ALL}" if near is not None else _ALL)


def _alike(text: str, known: Iterable[str]) -> Iterator[tuple[float, str] | None]:
    """Each of ``known`` with its similarity to ``text``; None: not similar enough."""
    matcher = SequenceMatcher(b=text)
    for one in known:
        matcher.set_seq1(one)
        may_be = matcher.real_quick_ratio() >= _ALIKE and matcher.quick_ratio() >= _ALIKE
        ratio = matcher.ratio() if may_be else 0.0  # It is no greater than either.
        yield (ratio, one) if ratio >= _ALIKE else None


def _carrier(key: str, names: ServiceNames) -> str:
    """The service that carries routing key ``key`` under another name; empty: none."""
    hashed = hashed_name(key)
    return hashed if names.routing_key_of(hashed) == key else ""


def _with_port(text: str, names: ServiceNames) -> str:
    """The service of a routing key with its nominal port, as tables show it; empty: none."""
    key, _, port = text.rpartition(":")
    return _carrier(key, names) if key and port == str(NOMINAL_PORT) else ""
