"""Read a request's body as a typed server does, before anything is decided."""

import base64
from typing import Final

import msgspec

from tests.kubernetes import custom_schemas, schemas, validation
from tests.kubernetes.failures import bad_request
from tests.kubernetes.resources import Json, Resource, duplicate


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """The query of a write."""

    dry_run: bool = False
    manager: str = "unknown"
    force: bool = False
    validation: str = "Warn"  # fieldValidation


NOTHING_ASKED: Final = Asked()


def read(resource: Resource, given: Json, asked: Asked) -> tuple[Json, list[str]]:
    """A copy of the body, and warnings. Unknown fields are dropped, named or refused (400)."""
    if not isinstance(given, dict):
        raise bad_request("the request body is no object")
    kind, version = given.get("kind", resource.kind), given.get("apiVersion")
    if kind != resource.kind or version not in (None, resource.api_version):
        raise bad_request(
            f"the API version in the data ({version}) or its kind ({kind}) does not match "
            f"the expected {resource.api_version}, Kind={resource.kind}"
        )
    found, unknown = schemas.cleaned(resource, given)
    texts = [f'unknown field "{path}"' for path in unknown]
    if texts and asked.validation == "Strict":
        raise bad_request(
            f'{kind} in version "{resource.version}" cannot be handled as a {kind}: strict '
            f"decoding error: {', '.join(texts)}"
        )
    found = duplicate(custom_schemas.pruned(resource, found))
    found["kind"], found["apiVersion"] = resource.kind, resource.api_version
    found.setdefault("metadata", {})
    _decode_data(found)
    return found, texts if asked.validation == "Warn" else []


def _decode_data(found: Json) -> None:
    kind = found["kind"]
    bad_key = validation.base64_failure(found) if kind in ("Secret", "ConfigMap") else ""
    if bad_key:
        raise bad_request(
            f'{kind} in version "v1" cannot be handled as a {kind}: illegal base64 data at input '
            f"byte 0 (data.{bad_key})"
        )
    if kind == "Secret" and "stringData" in found:
        texts = found.pop("stringData")
        encoded = {key: base64.b64encode(text.encode()).decode() for key, text in texts.items()}
        found["data"] = {**(found.get("data") or {}), **encoded}


def place(resource: Resource, namespace: str, metadata: Json) -> None:
    """Write the request's namespace into the object; 400 when it states another."""
    if not resource.namespaced:
        metadata.pop("namespace", None)
        return
    if metadata.get("namespace", namespace) != namespace:
        raise bad_request(
            "the namespace of the provided object does not match the namespace sent on the request"
        )
    metadata["namespace"] = namespace
