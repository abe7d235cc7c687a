"""The request to a proxy and its answer (CONNECT; RFC 9110, 9.3.6), as bytes. No I/O.

Only the status of an answer is ever shown to operators: the proxy knows the password.
"""

import base64
import re
from http import HTTPStatus

import msgspec

from router.model.limits import PROXY_ANSWER_BYTES_MAX
from router.net.ports import Address, DialCode, Proxy

_END = b"\r\n\r\n"
_VERSION = b"HTTP/1."
_STATUS_LINE = re.compile(rb"HTTP/1\.[01] ([1-9][0-9]{2})(?: [^\r\n]*)?")
_HOST = re.compile(r"[A-Za-z0-9._:%-]{1,253}")
_CHECK_PASSWORD = "Is its user and password right? sitectl link set NAME --proxy URL"
_CHECK_RULES = "May this host connect there through the proxy?"


class Through(msgspec.Struct, frozen=True):
    """The proxy has connected; every further byte is the destination's."""


class ProxyRefusal(msgspec.Struct, frozen=True):
    """The proxy has not connected. ``reason`` completes a sentence that begins with "the proxy"."""

    code: DialCode
    reason: str


Answer = Through | ProxyRefusal


def basic(user: str, password: str) -> str:
    """The value of Proxy-Authorization (RFC 7617), in UTF-8."""
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def request(host: str, port: int, proxy: Proxy) -> bytes:
    """The request for a connection to ``host``. ValueError: ``host`` is not valid in a request."""
    if not _HOST.fullmatch(host):
        raise ValueError("the endpoint has characters that are not allowed")
    target = Address(host=host, port=port)
    lines = [f"CONNECT {target} HTTP/1.1", f"Host: {target}"]
    if proxy.authorization:
        lines.append(f"Proxy-Authorization: {proxy.authorization}")
    return "".join(f"{line}\r\n" for line in (*lines, "")).encode("latin-1")


class AnswerReader:
    """Reads one answer from any cut of its bytes, and no byte beyond its head."""

    __slots__ = ("_head", "_spent")

    def __init__(self) -> None:
        self._head = b""
        self._spent = 0  # Bytes of earlier 1xx answers.

    def receive_data(self, data: bytes) -> tuple[int, Answer | None]:
        """The number of bytes of ``data`` that belong to the answer; and the answer, once
        complete."""
        taken = 0
        while True:
            before = len(self._head)
            known = self._head + data[taken:]
            end = known.find(_END)
            size = end + len(_END) if end >= 0 else len(known)
            if self._spent + size > PROXY_ANSWER_BYTES_MAX:
                words = f"answered with a head of more than {PROXY_ANSWER_BYTES_MAX} bytes"
                return taken, ProxyRefusal("proxy", words)
            if not known.startswith(_VERSION[: len(known)]):
                return taken, _NOT_HTTP
            taken += size - before
            if end < 0:
                self._head = known
                return taken, None
            found = _STATUS_LINE.fullmatch(known[:end].partition(b"\r\n")[0])
            if found is None:
                return taken, _NOT_HTTP
            status = int(found[1])
            if status >= 200:
                return taken, _judge(status)
            self._head, self._spent = b"", self._spent + size  # 1xx: the answer is still to come.
            if status == HTTPStatus.SWITCHING_PROTOCOLS:
                return taken, _NOT_HTTP

    def receive_eof(self) -> ProxyRefusal:
        """The proxy closed before its answer was complete."""
        return ProxyRefusal("refused", "closed the connection before it had answered CONNECT")


_NOT_HTTP = ProxyRefusal("proxy", "gave an answer that is not HTTP. Is it an HTTP proxy?")

_OF_PASSWORDS = (HTTPStatus.PROXY_AUTHENTICATION_REQUIRED, HTTPStatus.UNAUTHORIZED)
"""tinyproxy requests a password with the first, and refuses a wrong one with the second."""


def _judge(status: int) -> Answer:
    if status < 300:
        return Through()
    try:
        named = f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        named = str(status)
    if status in _OF_PASSWORDS:
        return ProxyRefusal("proxy", f"wants another authentication ({named}). {_CHECK_PASSWORD}")
    if status < 400:
        words = f"answered CONNECT with a redirect ({named}), which is not followed"
        return ProxyRefusal("proxy", f"{words}. Is it an HTTP proxy?")
    if status < 500:
        return ProxyRefusal("proxy", f"refused to connect ({named}). {_CHECK_RULES}")
    return ProxyRefusal("unreachable", f"could not connect ({named})")
