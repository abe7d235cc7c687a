"""Claims in the form of Skupper v2's AccessToken: ``url``, ``code`` and ``ca``.

The URL holds all other fields of a claim, since tools of v2 copy only these three fields. Its path
is our mark: a token of a Skupper site has another path and is not redeemed here. The claim itself
and its redemption are those of `tokens`.
"""

from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

import msgspec
import yaml

from certs import certificates, limits, names
from certs.errors import CertError
from certs.token_files import secretyaml, tokens
from certs.token_files.tokens import Token

API_VERSION: Final = "skupper.io/v2alpha1"
KIND: Final = "AccessToken"
PATH: Final = "/spillway/claims/"
_COPY_AGAIN: Final = "Copy the AccessToken again, unchanged"
_SITE, _NAME, _UNTIL, _ALSO, _COST, _SUM = "site", "name", "until", "also", "cost", "sum"


class _Dumper(yaml.SafeDumper):
    """Writes texts of several lines as blocks."""

    def represent_text(self, text: str) -> yaml.ScalarNode:
        style = "|" if "\n" in text else None
        return self.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _Dumper.represent_text)


def url_of(token: Token) -> str:
    """The URL of a claim: its first endpoint, and all its fields but secret and CA."""
    also = [names.format_endpoint(endpoint) for endpoint in token.endpoints[1:]]
    query = {_SITE: token.site_id, _NAME: token.site_name, _UNTIL: str(token.expires_at)}
    query |= {_ALSO: ",".join(also)} if also else {}
    query |= {_COST: str(token.cost)} if token.cost is not None else {}
    query[_SUM] = tokens.checksum(token)
    place = names.format_endpoint(token.endpoints[0])
    return f"https://{place}{PATH}{quote(token.name)}?{urlencode(query, safe=':,[]')}"


def as_object(token: Token, name: str) -> dict[str, Any]:
    """A claim as an AccessToken of that name."""
    cost = {} if token.cost is None else {"linkCost": token.cost}
    return {
        "apiVersion": API_VERSION,
        "kind": KIND,
        "metadata": {"name": name},
        "spec": {"url": url_of(token), "code": token.secret, "ca": token.ca_pem, **cost},
    }


def dump(token: Token, name: str) -> str:
    """`as_object` in YAML."""
    return yaml.dump(as_object(token, name), Dumper=_Dumper, sort_keys=False, width=1 << 20)


def load(text: str, source: str) -> Token:
    """The token of a file in either form. `CertError`: it is none of ours."""
    document = secretyaml.parse(text, source)
    if document.text("kind") != KIND:
        return tokens.load(text, source)
    spec = document.mapping("spec")
    if not is_ours(spec.text("url")):
        reason = "is no token of a Spillway site (Skupper's routers speak another protocol)"
        raise CertError(source, reason, tokens.ASK_SPILLWAY, line=spec.line_of("url"))
    return read(spec.text("url"), spec.text("code"), spec.text("ca"), source)


def read_file(path: Path) -> Token:
    """Like `tokens.read_file`, for both forms."""
    return load(tokens.text_of_file(path), str(path))


def is_ours(url: str) -> bool:
    """Whether the URL of an AccessToken bears our mark."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme == "https" and parts.path.startswith(PATH)


def read(url: str, code: str, ca_pem: str, source: str) -> Token:
    """The claim in one of our AccessTokens. `CertError`: it was changed since it was issued."""
    if not is_ours(url):
        raise CertError(source, "its url is not whole", _COPY_AGAIN)
    token = _stated(url, source)
    if tokens.is_secret(code):
        ca_pem = ca_pem.strip() + "\n"  # Tools write the surrounding block differently.
        certificates.read_all(ca_pem, f"{source}: ca")
        token = msgspec.structs.replace(token, secret=code, ca_pem=ca_pem)
        if tokens.checksum(token) == _query(url).get(_SUM):
            return token
    reason = "was changed after it was made: its url, code and ca do not fit each other"
    raise CertError(source, reason, _COPY_AGAIN)


def _stated(url: str, source: str) -> Token:
    parts, query = urlsplit(url), _query(url)
    texts = [parts.netloc, *filter(None, query.get(_ALSO, "").split(","))]
    endpoints = [endpoint for text in texts if (endpoint := names.parse_endpoint(text)) is not None]
    name, until = parts.path.removeprefix(PATH), query.get(_UNTIL, "")
    cost = query.get(_COST)
    is_good = (
        len(endpoints) == len(texts) <= limits.TOKEN_ENDPOINTS_MAX
        and names.is_name(name)
        and names.is_site_id(query.get(_SITE, ""))
        and names.is_site_name(query.get(_NAME, ""))
        and _is_number(until, 15)
        and (cost is None or _is_number(cost, 5))
    )
    if not is_good:
        raise CertError(source, "its url is not whole", _COPY_AGAIN)
    return Token(
        kind="claim",
        name=name,
        site_id=query[_SITE],
        site_name=query[_NAME],
        endpoints=tuple(endpoints),
        ca_pem="",
        expires_at=int(until),
        cost=None if cost is None else int(cost),
    )


def _query(url: str) -> dict[str, str]:
    return dict(parse_qsl(urlsplit(url).query))


def _is_number(text: str, digits: int) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= digits
