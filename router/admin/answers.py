"""Shapes of what the API answers: the envelope of an item or items, and of an error."""

from collections.abc import Sequence

import msgspec

from router.admin.http import Response
from router.model.specs import API_VERSION

encode = msgspec.json.Encoder().encode


class Failure(msgspec.Struct, frozen=True):
    """The shape of every error."""

    code: str
    message: str
    hint: str = ""
    retryable: bool = False


def json(value: object, status: int = 200) -> Response:
    return Response(body=encode(value), status=status, content_type="application/json")


def item(kind: str, item: object) -> Response:
    return json({"apiVersion": API_VERSION, "kind": kind, "item": item})


def items(kind: str, items: Sequence[object]) -> Response:
    return json({"apiVersion": API_VERSION, "kind": kind, "items": items})


def failure(status: int, code: str, message: str, hint: str = "") -> Response:
    return json(Failure(code, message, hint), status)
