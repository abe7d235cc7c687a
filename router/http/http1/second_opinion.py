"""The verdict of llhttp on unusual heads that our grammar accepted: a second opinion."""

from typing import Any

import httptools

_NOBODY = object()  # A parser's callbacks are optional; only its verdict is needed.


def takes_request(head: bytes) -> bool:
    """Whether llhttp takes ``head`` as a request's."""
    return _takes(httptools.HttpRequestParser(_NOBODY), head)


def takes_response(head: bytes) -> bool:
    """Whether llhttp takes ``head`` as a response's."""
    return _takes(httptools.HttpResponseParser(_NOBODY), head)


def _takes(parser: Any, head: bytes) -> bool:
    try:
        parser.feed_data(head)
    except httptools.HttpParserUpgrade:
        return True
    except httptools.HttpParserError:
        return False
    return True
