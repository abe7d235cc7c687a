"""Link, AccessToken and AccessGrant of Skupper v2: links by our tokens, and grants of tokens."""

from collections.abc import Iterable, Mapping
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec

from router.documents.skupper2.objects import GROUP, V2Object
from router.documents.skupper2.spec_reader import SpecReader
from router.model import limits

ACCESS_PATH: Final = "/spillway/claims/"
"""The path of an AccessToken's URL if a site of Spillway made it; other tokens are Skupper's."""
GRANT_WINDOW_S: Final = 600.0
"""How long a grant of Skupper v2 without a window lasts."""
_TOKEN: Final = "Have that site make a token of Spillway, then here: sitectl link create FILE"


class TokenRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A link by a token of ours: for a Link its ``secret`` as in the text; for an AccessToken its
    ``url``, ``code`` and ``ca`` (`certs.token_files.access_tokens`), and no secret.
    """

    name: str
    secret: Mapping[str, Any] = {}
    cost: int | None = None
    proxy_secret: str = ""
    url: str = ""
    code: str = ""
    ca: str = ""
    source: str = ""
    line: int = 0

    def __repr__(self) -> str:
        return f"TokenRequest({self.name!r})"


class GrantRequest(msgspec.Struct, frozen=True, kw_only=True):
    """An AccessGrant: a claim of ours for ``uses`` redemptions, which lasts ``window_s``."""

    name: str
    uses: int = 1
    window_s: float = GRANT_WINDOW_S
    source: str = ""
    line: int = 0


class LinkReader:
    """Reads these kinds; stores the text's Secrets by name."""

    def __init__(self, objects: Iterable[V2Object]) -> None:
        self.tokens: list[TokenRequest] = []
        self.grants: list[GrantRequest] = []
        self._secrets = {
            one.name: one
            for one in objects
            if one.kind == "Secret" and one.api_version.partition("/")[0] != GROUP
        }

    def take_link(self, one: V2Object, reader: SpecReader) -> None:
        """A Link, whose Secret must be one of ours."""
        cost = _cost(reader, "cost")
        name = reader.text("tlsCredentials") or ""
        secret = self._secrets.get(name)
        proxy = reader.mapping("settings").get("proxy-configuration")
        if secret is None:
            text = f"there is no Secret {name[:80]!r} with a token of Spillway"
            reason = text if name else "there is no Secret"
            reader.wrong("spec.tlsCredentials", reason, f"Put it beside the Link. {_TOKEN}")
        elif not any(str(key).startswith("spillway.dev/") for key in secret.annotations):
            reader.wrong(
                "spec.tlsCredentials",
                f"Secret {name!r} was issued by a Skupper site, whose routers speak another "
                "protocol; nothing is dialed",
                _TOKEN,
            )
        if reader.errors or secret is None:
            return
        reader.mappings("endpoints")  # The token contains them, signed.
        token = TokenRequest(
            name=one.name,
            secret=secret.whole,
            cost=cost,
            proxy_secret=proxy if isinstance(proxy, str) else "",
            source=one.source,
            line=one.line,
        )
        self.tokens.append(token)

    def take_token(self, one: V2Object, reader: SpecReader) -> None:
        """An AccessToken: only ours are redeemed, because redeeming uses a token up."""
        url = reader.text("url", required=True)
        if url is not None and not is_ours(url):
            reader.wrong(
                "spec.url",
                "this token was issued by a Skupper site and is not redeemed here, since that "
                "would use it up",
                _TOKEN,
            )
            return
        code, ca = reader.text("code", required=True), reader.text("ca", required=True)
        cost = _cost(reader, "linkCost")
        if reader.errors or url is None or code is None or ca is None:
            return
        self.tokens.append(
            TokenRequest(
                name=one.name,
                cost=cost,
                url=url,
                code=code,
                ca=ca,
                source=one.source,
                line=one.line,
            )
        )

    def take_grant(self, one: V2Object, reader: SpecReader) -> None:
        """An AccessGrant, which creates a claim of this site."""
        uses = reader.integer("redemptionsAllowed") or 1  # As in Skupper: 0 means one.
        if not 1 <= uses <= limits.ACCESS_REDEMPTIONS_MAX:
            reader.wrong(
                "spec.redemptionsAllowed",
                f"a token can have 1 to {limits.ACCESS_REDEMPTIONS_MAX} redemptions, not {uses}",
                "Give fewer, or make several AccessGrants",
            )
        window_s = reader.duration_s("expirationWindow")
        if window_s is not None and window_s < 1:
            reader.wrong(
                "spec.expirationWindow", "no site could redeem it in time", "Give it some time: 15m"
            )
        if window_s is not None and window_s > limits.ACCESS_WINDOW_S_MAX:
            reader.wrong("spec.expirationWindow", "is longer than ten years", "Give less: 720h")
        if reader.text("code"):
            reader.note("spec.code", "has no effect: each token has a code of its own, at random")
        if reader.errors:
            return
        self.grants.append(
            GrantRequest(
                name=one.name,
                uses=uses,
                window_s=GRANT_WINDOW_S if window_s is None else window_s,
                source=one.source,
                line=one.line,
            )
        )


def is_ours(url: str) -> bool:
    """Whether the URL of an AccessToken has our path, so that we can redeem it."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme == "https" and parts.path.startswith(ACCESS_PATH)


def _cost(reader: SpecReader, field: str) -> int | None:
    cost = reader.integer(field)
    return None if cost is None else min(max(cost, limits.COST_MIN), limits.COST_MAX)
