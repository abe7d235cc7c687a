"""Secrets that carry a token of another site, and those that request one of this site."""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from router.kubernetes.objects import findings, names, texts
from router.kubernetes.objects.findings import ObjectFindings
from router.kubernetes.objects.objects import (
    Object,
    annotations,
    is_going,
    labels,
    name_of,
    part,
    uid_of,
)
from router.kubernetes.objects.picture import TokenSecret
from router.kubernetes.objects.texts import InvalidText
from router.kubernetes.services import skupper_coexistence
from router.model import limits
from router.model.errors import ConfigError
from router.model.specs import Document, LinkSpec

_TOKENS: Final = (names.CONNECTION_TOKEN, names.TOKEN_CLAIM)
_HOSTS: Final = frozenset(("inter-router-host", "inter-router-port", "edge-host", "edge-port"))
_COST = texts.integer(limits.COST_MIN, limits.COST_WRITTEN_MAX)


class Tokens(msgspec.Struct, frozen=True):
    """Tokens by link name, a Link document for each, and the names of Secrets with requests."""

    tokens: dict[str, TokenSecret]
    documents: tuple[Document, ...]
    requests: tuple[str, ...]
    errors: tuple[ConfigError, ...]


def read(
    secrets: Mapping[str, Object],
    own_site_id: str,
    skupper_runs: bool,
    documented: Mapping[str, Document],
) -> Tokens:
    """Sort the Secrets of a namespace; ``documented``: Link documents by name."""
    tokens: dict[str, TokenSecret] = {}
    documents: list[Document] = []
    requests: list[str] = []
    errors: list[ConfigError] = []
    for name, found in sorted(secrets.items()):
        kind = labels(found).get(names.SKUPPER_TYPE)
        if is_going(found):
            continue
        if kind == names.CONNECTION_TOKEN_REQUEST:
            if _is_filled_elsewhere(found, own_site_id):
                kind = names.CONNECTION_TOKEN
            else:
                requests.append(name)
        if kind not in _TOKENS:
            continue
        noted = ObjectFindings(f"Secret/{name}")
        if _is_link(found, kind, own_site_id, skupper_runs, noted):
            tokens[name] = TokenSecret(
                name=name,
                uid=uid_of(found),
                text=text_of(found, kind),
                proxy_secret=annotations(found).get(names.LINK_PROXY_SECRET, "").strip(),
            )
            spec = _link(found, documented.get(name), noted)
            if name not in documented:
                documents.append(Document(kind="Link", name=name, spec=spec, source=noted.source))
        errors += noted.errors
    return Tokens(tokens, tuple(documents), tuple(requests), tuple(errors))


def _is_link(
    found: Object, kind: str, own_site_id: str, skupper_runs: bool, noted: ObjectFindings
) -> bool:
    """Whether a token is one for a link of this site."""
    issuer = annotations(found).get(names.GENERATED_BY)
    if own_site_id and issuer == own_site_id:
        if annotations(found).get(names.FILLED) != uid_of(found):  # Else it was filled here.
            noted.annotation(
                names.GENERATED_BY,
                "this token was made by this very site; no link is made of it",
                "Apply it at another site, and delete it here",
                findings.TOKEN,
                "info",  # Tools copy tokens back to where they came from.
            )
        return False
    if skupper_runs and skupper_coexistence.is_skuppers_token(found):
        noted.annotation(
            names.SITE_VERSION,
            "a token of a Skupper site is left to Skupper, which runs here",
            "For a link of Spillway, at the other site: sitectl token create FILE",
            findings.LEFT_TO_SKUPPER,
            "info",
        )
        return False
    name = texts.name(name_of(found))
    if isinstance(name, InvalidText):
        noted.add(
            "metadata.name",
            f"a link is named as its Secret, but {name.reason}",
            name.hint or "Give the Secret another name",
            findings.TOKEN,
        )
        return False
    return True


def _is_filled_elsewhere(found: Object, own_site_id: str) -> bool:
    """Whether a request was copied here after another site had filled it.

    Its label may say *request* again: some tools restore their manifest's label.
    """
    issuer = annotations(found).get(names.GENERATED_BY, "")
    has_certificate = bool(part(found, "data", "tls.crt"))
    return has_certificate and bool(issuer) and bool(own_site_id) and issuer != own_site_id


def _link(found: Object, documented: Document | None, noted: ObjectFindings) -> LinkSpec:
    """Cost and state from the Secret's annotations."""
    notes = annotations(found)
    disabled_text, cost_text = notes.get(names.DISABLED, ""), notes.get(names.COST, "").strip()
    disabled = texts.boolean(disabled_text) if disabled_text else False
    if isinstance(disabled, InvalidText):
        noted.annotation(names.DISABLED, disabled.reason, disabled.hint, findings.TOKEN)
        disabled = False
    cost = _COST(cost_text) if cost_text else None
    if isinstance(cost, InvalidText):
        noted.annotation(
            names.COST, f"{cost.reason}; the token's own is used", "Write 1 or more", findings.TOKEN
        )
        cost = None
    elif cost is not None and cost > limits.COST_MAX:
        noted.annotation(
            names.COST,
            f"{cost} is above {limits.COST_MAX}, the highest cost; {limits.COST_MAX} is used",
            f"Write {limits.COST_MAX} or less",
            findings.TOKEN,
            "warning",
        )
        cost = limits.COST_MAX
    spec = LinkSpec(cost=cost, disabled=disabled, proxy=_proxy(notes, noted))
    if documented is not None and spec not in (LinkSpec(), documented.spec):
        noted.annotation(
            _first_said(spec),
            f"{documented.source} has a Link of that name, which counts",
            "Say it at one of the two",
            findings.TOKEN,
            "warning",
        )
    return spec


def _proxy(notes: Mapping[str, str], noted: ObjectFindings) -> str:
    """The link's proxy; empty: that of the site. An invalid proxy counts as none: no bypass."""
    said = texts.proxy(notes.get(names.LINK_PROXY, "").strip())
    if isinstance(said, InvalidText):
        hint = f"Password and CA are in a Secret that {names.LINK_PROXY_SECRET} names"
        noted.annotation(names.LINK_PROXY, said.reason, hint, findings.TOKEN)
        return ""
    return said


def _first_said(spec: LinkSpec) -> str:
    if spec.cost is not None:
        return names.COST
    return names.DISABLED if spec.disabled else names.LINK_PROXY


def text_of(found: Object, kind: str) -> str:
    """The Secret as a token file of ``kind``: its token fields as JSON, which is YAML.

    Annotations of other tools are left out: kubectl's doubles the size, and others change by the
    hour.
    """
    data = part(found, "data")
    kept: dict[str, Any] = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": name_of(found),
            "labels": {names.SKUPPER_TYPE: kind},
            "annotations": {
                key: value
                for key, value in sorted(annotations(found).items())
                if key in _HOSTS or key.startswith((names.SKUPPER_PREFIX, names.PREFIX))
            },
        },
        "data": {key: data[key] for key in sorted(data, key=str) if isinstance(data[key], str)}
        if isinstance(data, dict)
        else {},
    }
    return msgspec.json.encode(kept).decode()
