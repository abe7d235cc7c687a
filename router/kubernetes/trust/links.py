"""Links from token Secrets: tokens into the site directory, redeemed credentials back into Secrets.

`look` takes the Secrets, at once and without the API; `step` does everything that needs the API. A
claim is redeemed only after its key was saved in Secret `LINK_PREFIX`NAME. So a restarted router,
or a second replica, redeems with the same key and gets the same certificate. Secrets of users are
never written.
"""

from collections import Counter
from collections.abc import Callable, Collection, Mapping
from typing import Any, Literal, NamedTuple

import msgspec

from certs import certificates, keys, names
from certs.errors import CertError
from certs.links.credentials import Credential, LinkStore
from certs.token_files import tokens
from certs.token_files.tokens import Token
from router.kubernetes.client.api import Api
from router.kubernetes.client.errors import ApiError
from router.kubernetes.codecs import link as codec
from router.kubernetes.codecs.link import LinkKey
from router.kubernetes.codecs.secrets import (
    CODE,
    SecretError,
    data_of,
    is_type,
    link_name,
    owner_uid,
)
from router.kubernetes.objects.names import TYPE_LABEL
from router.kubernetes.objects.objects import Object, uid_of, version_of
from router.kubernetes.objects.picture import TokenSecret
from router.kubernetes.trust.trust_calls import SECRET, refusal, side_by_side, until_written
from router.model.errors import ConfigError

TOKEN_CODE, LINK_CODE = "SW0441", CODE


class _Wanted(msgspec.Struct, frozen=True):
    """A link that a token Secret asks for; ``said`` is the content of the Secret."""

    token: Token
    uid: str
    fingerprint: str
    said: str

    def __repr__(self) -> str:
        return f"_Wanted({self.token!r})"  # `said` contains a secret.


class _Together(NamedTuple):
    """A link's Secret, token and directory that were seen to agree."""

    secret: Object
    wanted: _Wanted
    stamp: int


class TokenObstacle(msgspec.Struct, frozen=True):
    """Why a wanted link has no token in the site directory (yet).

    ``error_code``: ``token``, the error is also a problem of its Secret; otherwise empty.
    """

    state: Literal["connecting", "refused"]
    error: str
    error_code: Literal["", "token"] = ""


class LinkSecrets:
    """Owns the links of the site directory. ``clock``: Unix seconds."""

    def __init__(
        self, api: Api, store: LinkStore, own_site_id: str, clock: Callable[[], float]
    ) -> None:
        self._api = api
        self._store = store
        self._own_site_id = own_site_id
        self._clock = clock
        self._wanted: dict[str, _Wanted] = {}
        self._here = {name: self._fingerprint_of(name) for name in store.names()}
        """Fingerprints of the tokens in the directory, by link; empty: damaged."""
        self._restored: Counter[str] = Counter()
        """How often each link was put into the directory."""
        self._kept: Mapping[str, Object] = {}
        self._together: dict[str, _Together] = {}
        self._token_errors: dict[str, ConfigError] = {}
        self._api_errors: dict[str, ConfigError] = {}

    @property
    def errors(self) -> tuple[ConfigError, ...]:
        """Problems of tokens and failures to save."""
        found = self._token_errors | self._api_errors
        return tuple(found[name] for name in sorted(found))

    def hindrance(self, name: str) -> TokenObstacle | None:
        """Why the wanted link ``name`` cannot be dialed; None: no reason is known here."""
        if name in self._here:
            return None
        error = self._token_errors.get(name)
        if error is not None:
            return TokenObstacle("refused", str(error), "token")
        wanted = self._wanted.get(name)
        if wanted is None:
            absent = f"there is no {SECRET}/{name} with a token of another site"
            return TokenObstacle("refused", f"{absent}. Apply one: sitectl link create FILE")
        error = self._api_errors.get(name)
        if error is None:
            waiting = "the key for its claim is not kept in a Secret yet"
            return TokenObstacle("connecting", waiting)
        is_late = self._clock() >= wanted.token.expires_at
        return TokenObstacle("refused" if is_late else "connecting", str(error))

    # Without the API ------------------------------------------------------------------------

    def look(
        self,
        asked: Mapping[str, TokenSecret],
        secrets: Mapping[str, Object],
        linked: Collection[str] | None = None,
    ) -> bool:
        """Take the tokens ``asked`` for. ``secrets``: ours. True: a link is new or lost its token.

        A changed token makes a new link; an unreadable one keeps the old link.
        ``linked``: the links that documents ask for, None: unknown. The loss of a token counts only
        for those links: another link ends with its document, like a deleted link.
        """
        self._kept = secrets
        self._token_errors = {}
        wanted: dict[str, _Wanted] = {}
        for name, secret in asked.items():
            try:
                found = self._read(name, secret)
            except CertError as error:
                self._token_errors[name] = _token_error(name, error)
                if name in self._wanted:
                    wanted[name] = self._wanted[name]
                continue
            if found.token.site_id != self._own_site_id:  # Else some tool copied it back.
                wanted[name] = found
        self._wanted = wanted
        self._api_errors = {n: e for n, e in self._api_errors.items() if n in wanted}
        self._together = {n: seen for n, seen in self._together.items() if n in wanted}
        removed = self._remove_unwanted()
        changed = bool(removed if linked is None else removed.intersection(linked))
        for name, found in wanted.items():
            try:
                changed |= self._take(name, found)
            except (CertError, OSError) as error:  # `step` tries again.
                self._api_errors[name] = _link_error(name, error)
        return changed

    def _read(self, name: str, secret: TokenSecret) -> _Wanted:
        if not names.is_name(name):
            raise CertError(
                name, "is no name for a link", "Use at most 63 of a-z, 0-9, '-' and '.'"
            )
        before = self._wanted.get(name)
        if before is not None and (before.uid, before.said) == (secret.uid, secret.text):
            return before
        token = tokens.load(secret.text, f"{SECRET}/{name}", self._costs(name))
        return _Wanted(token, secret.uid, tokens.fingerprint(token), secret.text)

    def _costs(self, name: str) -> list[int | None]:
        """Costs that the issuer may have written before the user changed the cost in the Secret."""
        costs: list[int | None] = [None]
        before = self._wanted.get(name)
        if before is not None:
            costs.append(before.token.cost)
        kept = self._kept_token(name)
        if kept is not None:
            costs.append(kept.cost)
        return costs

    def _kept_token(self, name: str) -> Token | None:
        kept = _kept(self._kept.get(link_name(name)))
        return None if kept is None else kept.token

    def _remove_unwanted(self) -> set[str]:
        unwanted = self._here.keys() - self._wanted.keys()
        for name in unwanted:
            self._remove(name)
        return unwanted

    def _remove(self, name: str) -> bool:
        self._here.pop(name, None)
        return self._store.remove(name)

    def _restore(
        self, name: str, wanted: _Wanted, key_pem: str = "", credential: Credential | None = None
    ) -> None:
        self._here.pop(name, None)
        self._store.restore(name, wanted.token, key_pem, credential)
        self._here[name] = wanted.fingerprint
        self._restored[name] += 1

    def _take(self, name: str, wanted: _Wanted) -> bool:
        """Put the link into the directory if its key is saved already or not needed."""
        if self._has(name, wanted):
            return False
        kept = _kept(self._kept.get(link_name(name)))
        if wanted.token.kind == "certificate":
            self._restore(name, wanted)
            return True
        if kept is not None and _fits(kept, wanted):
            self._restore(name, wanted, kept.key_pem, kept.credential)
            return True
        return self._remove(name)  # The directory has another token: that link ends now.

    def _has(self, name: str, wanted: _Wanted) -> bool:
        """Whether the directory has this link."""
        return self._here.get(name) == wanted.fingerprint

    def _fingerprint_of(self, name: str) -> str:
        try:
            return tokens.fingerprint(self._store.load(name).token)
        except CertError:
            return ""

    # With the API ---------------------------------------------------------------------------

    async def step(self, changed: Callable[[], None]) -> None:
        """Save keys and credentials of claims in Secrets. ``changed``: some link is new.

        Failures are in `errors`; the next call tries again.
        """

        async def keep(link: tuple[str, _Wanted]) -> None:
            if await self._step(*link):
                changed()

        await side_by_side(self._wanted.items(), keep)

    async def _step(self, name: str, wanted: _Wanted) -> bool:
        if self._wanted.get(name) is not wanted:
            return False  # Replaced meanwhile.
        error: ConfigError | None = None
        is_new = False
        try:
            is_new = await self._keep(name, wanted)
        except ApiError as refused:
            doing = "keep what the link's claim is redeemed with"
            error = refusal(refused, f"{SECRET}/{link_name(name)}", doing)
        except (CertError, ConfigError, OSError) as wrong:
            error = _link_error(name, wrong)
        if error is None:
            self._api_errors.pop(name, None)
        elif self._wanted.get(name) is wanted:
            self._api_errors[name] = error
        return is_new

    async def _keep(self, name: str, wanted: _Wanted) -> bool:
        known = self._kept.get(link_name(name))
        if wanted.token.kind == "certificate":
            if known is not None and is_type(known, "link"):  # From the earlier claim.
                await self._api.delete(SECRET, link_name(name), version=version_of(known))
            return self._take(name, wanted)
        if known is not None and self._are_together(name, wanted, known):
            return False
        before = self._restored[name]
        await until_written(lambda: self._write(name, wanted))
        return self._restored[name] != before

    def _are_together(self, name: str, wanted: _Wanted, known: Object) -> bool:
        stamp = self._store.stamp(name)
        before = self._together.get(name)
        if before is not None and before.secret is known and before[1:] == (wanted, stamp):
            return True
        held = self._held(name, wanted)
        if held is None or not _says_same(known, codec.secret(name, held, wanted.uid)):
            return False
        self._together[name] = _Together(known, wanted, stamp)
        return True

    async def _write(self, name: str, wanted: _Wanted) -> None:
        """Synchronize Secret and directory: both get all that either has of this token."""
        found = await self._api.find(SECRET, link_name(name))
        if self._wanted.get(name) is not wanted:
            return  # Replaced meanwhile.
        if found is not None and not is_type(found, "link"):
            raise _not_ours(name)
        kept = _kept(found)
        if kept is not None:
            self._take_kept(name, wanted, kept)
        held = self._held(name, wanted)
        if held is None:
            now = self._clock()
            tokens.check_usable(wanted.token, self._own_site_id, now, is_asked_again=True)
            held = LinkKey(wanted.token, keys.to_pem(keys.generate()))
        await self._put(found, codec.secret(name, held, wanted.uid))
        if self._wanted.get(name) is wanted and not self._has(name, wanted):
            self._restore(name, wanted, held.key_pem)

    def _take_kept(self, name: str, wanted: _Wanted, kept: LinkKey) -> None:
        """Copy parts of this token that only the Secret has into the directory."""
        if not _fits(kept, wanted):
            return
        has_key = self._has(name, wanted) and self._store.has_key(name)
        ours = self._store.load(name).credential if has_key else None
        if not has_key or (kept.credential is not None and _is_newer(kept.credential, ours)):
            self._restore(name, wanted, kept.key_pem, kept.credential)

    async def _put(self, found: Object | None, made: dict[str, Any]) -> None:
        """Create the Secret, or replace ``found`` if it differs."""
        if found is None:
            await self._api.create(made)
        elif not _says_same(found, made):
            made["metadata"] |= {"resourceVersion": version_of(found), "uid": uid_of(found)}
            await self._api.replace(made)

    def _held(self, name: str, wanted: _Wanted) -> LinkKey | None:
        """The content for the link's Secret, from the directory; None: there is no key yet."""
        if not self._has(name, wanted) or not self._store.has_key(name):
            return None
        credential = self._store.load(name).credential
        key = self._store.redeeming_key(name) if credential is None else credential.leaf.key_pem
        return LinkKey(wanted.token, key, credential)


def _kept(secret: Object | None) -> LinkKey | None:
    """A link's Secret, decoded; a malformed one counts as missing and is made again."""
    try:
        return None if secret is None else codec.decode(secret)
    except SecretError:
        return None


def _fits(kept: LinkKey, wanted: _Wanted) -> bool:
    return tokens.fingerprint(kept.token) == wanted.fingerprint


def _is_newer(kept: Credential, ours: Credential | None) -> bool:
    """Whether another replica renewed the credential: all use the one that lasts longest."""
    if ours is None:
        return True
    ends = certificates.expires_at(ours.leaf.chain_pem)
    return certificates.expires_at(kept.leaf.chain_pem) > ends


def _says_same(found: Object, made: Object) -> bool:
    try:
        return data_of(found) == data_of(made) and owner_uid(found) == owner_uid(made)
    except SecretError:
        return False


def _token_error(name: str, error: CertError) -> ConfigError:
    reason = error.reason
    if error.subject not in (name, f"{SECRET}/{name}"):
        reason = f"{error.subject.removeprefix(f'{SECRET}/{name}: ')} {reason}"
    return ConfigError(
        f"{SECRET}/{name}",
        "",
        f"no link is made of it: it {reason}"
        if reason.startswith(("is ", "has ", "lacks "))
        else f"no link is made of it: {reason}",
        hint=error.hint,
        code=TOKEN_CODE,
    )


def _not_ours(name: str) -> ConfigError:
    return ConfigError(
        f"{SECRET}/{link_name(name)}",
        f"metadata.labels[{TYPE_LABEL}]",
        f"is not ours, since it lacks {TYPE_LABEL}: link, and the key of link {name} is kept there",
        hint="Give that Secret, or the token's, another name",
        code=LINK_CODE,
    )


def _link_error(name: str, error: CertError | ConfigError | OSError) -> ConfigError:
    if isinstance(error, ConfigError):
        return error
    if isinstance(error, OSError):
        reason = f"its credential cannot be kept in this pod: {error.strerror or error}"
        hint = "Free some space, or raise the pod's limit of ephemeral storage"
        return ConfigError(f"{SECRET}/{name}", "", reason, hint=hint, code=LINK_CODE)
    return ConfigError(f"{SECRET}/{name}", "", error.reason, hint=error.hint, code=TOKEN_CODE)
