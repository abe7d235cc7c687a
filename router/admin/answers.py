"""Shapes of API answers: the envelope of an item or items, and of an error."""

from collections.abc import Sequence

import msgspec
from aiohttp import web

from router.model.specs import API_VERSION

encode = msgspec.json.Encoder().encode


class ErrorView(msgspec.Struct, frozen=True):
    """The shape of every error."""

    code: str
    message: str
    hint: str = ""
    retryable: bool = False


def json(value: object, status: int = 200) -> web.Response:
    return web.Response(body=encode(value), status=status, content_type="application/json")


def item(kind: str, item: object) -> web.Response:
    return json({"apiVersion": API_VERSION, "kind": kind, "item": item})


def items(kind: str, items: Sequence[object], **facts: object) -> web.Response:
    """``facts``: fields of the answer that concern all of its items."""
    return json({"apiVersion": API_VERSION, "kind": kind, "items": items, **facts})


def failure(status: int, code: str, message: str, hint: str = "") -> web.Response:
    return json(ErrorView(code, message, hint), status)


def refusal(error: web.HTTPException) -> web.Response:
    """An aiohttp error in our shape: no such path, wrong method, body too large."""
    answer = failure(error.status, error.reason.lower().replace(" ", "-"), error.reason)
    if "Allow" in error.headers:
        answer.headers["Allow"] = error.headers["Allow"]
    return answer
