"""Who the site is: Secret `IDENTITY_SECRET`, put into the site directory before anything starts.

The Secret is the truth and the directory dies with its pod. There is one identity for all replicas
and for ever: whoever comes second takes what the first has made, and what is damaged is named and
never made anew, since every link of every neighbour goes to the old one.
"""

import asyncio
import logging
import random
import shutil
import time
from collections.abc import Mapping
from pathlib import Path

from certs import files
from certs.authority import Authority
from certs.errors import CertError
from certs.identity import SiteIdentity
from router.control.kubernetes.errors import CONFLICT, NO_ANSWER, TOO_MANY, ApiError, backoff_s
from router.control.kubernetes.trust_calls import SECRET, Secrets, refusal, uid_of
from router.kubernetes.names import IDENTITY_SECRET, ROUTER, SITE_CONFIGMAP
from router.kubernetes.objects import Object
from router.kubernetes.secrets import (
    CA_CERTIFICATE,
    CA_KEY,
    IDENTITY_FILES,
    IDENTITY_KEY,
    KEPT_FILES,
    RESTORED,
    data_of,
    identity_secret,
)
from router.model import limits
from router.model.errors import ConfigError

log = logging.getLogger("router.control.kubernetes")

SOURCE = f"Secret/{IDENTITY_SECRET}"
CODE = "SW0440"


async def prepare(api: Secrets, site_dir: Path, rng: random.Random) -> str:
    """Put the site's identity into ``site_dir/secrets``; its site id.

    Read from the Secret, or made there first. Waits for as long as the API does not answer, unless
    the directory has an identity already: then that counts. Raises ConfigError SW0440 for a Secret
    that is damaged, SW0443 for one that we may not read or make.
    """
    secrets = site_dir / "secrets"
    files.make_private_directory(secrets)
    here = _read_directory(secrets)
    attempt = 0
    while True:
        try:
            found = await _find_or_make(api, here)
            break
        except ApiError as error:
            if error.status not in (NO_ANSWER, CONFLICT, TOO_MANY) and error.status < 500:
                raise refusal(error, SOURCE, "read or make the site's identity") from error
            if here is not None:
                log.warning("the identity in %s is used: %s", secrets, error)
                return check(here)
            log.warning("waiting for the site's identity: %s", error)
        await asyncio.sleep(backoff_s(attempt, rng, None, limits.WATCH_BACKOFF_MAX_S))
        attempt += 1
    site_id = check(found)
    if found != here:
        _write_directory(secrets, found)
    return site_id


async def keep(
    api: Secrets, site_dir: Path, seen: Object | None, site_uid: str = ""
) -> ConfigError | None:
    """See that the Secret, ``seen`` like that, still is who this router says it is.

    One that was deleted by mistake is put back while the site exists: the next pod would be
    another site. ``site_uid``: of the ConfigMap that this router began with; a site that was
    deleted and made anew while this router drains has an identity of its own. What is wrong with
    it, if anything.
    """
    here = _read_directory(site_dir / "secrets")
    if here is None:
        return None  # Files are judged by who reads them.
    if seen is None:
        try:
            seen = await api.find(SECRET, IDENTITY_SECRET)
            site = None if seen is not None else await api.find("ConfigMap", SITE_CONFIGMAP)
            if site is not None and site_uid in ("", uid_of(site)):
                seen = await api.create(identity_secret(here))
                log.warning("%s was deleted and is put back", SOURCE)
        except ApiError as error:
            return refusal(error, SOURCE, "put the site's identity back, which was deleted")
    if seen is None or _is_identity(seen, here):
        return None
    return ConfigError(
        SOURCE,
        "data",
        "holds another identity than the one this router runs with",
        hint=f"Restore it, or become that site: kubectl rollout restart deployment {ROUTER}",
        code=CODE,
    )


def _is_identity(found: Object, here: Mapping[str, bytes]) -> bool:
    try:
        data = data_of(found, CODE)
    except ConfigError:
        return False
    return all(data.get(key) == here[key] for key in IDENTITY_FILES)


def check(found: Mapping[str, bytes]) -> str:
    """The site id of what the Secret holds. ConfigError SW0440 names the key that is not right."""
    for key in IDENTITY_FILES:
        if not found.get(key):
            raise _damaged(key, "is missing")
    try:
        identity = SiteIdentity.from_pem(_text(found, IDENTITY_KEY), IDENTITY_KEY)
    except CertError as error:
        raise _damaged(IDENTITY_KEY, error.reason) from error
    try:
        Authority.from_pem(_text(found, CA_KEY), _text(found, CA_CERTIFICATE), SOURCE)
    except CertError as error:
        raise _damaged(error.subject.removeprefix(f"{SOURCE}: "), error.reason) from error
    return identity.site_id


def _damaged(key: str, reason: str) -> ConfigError:
    return ConfigError(
        SOURCE,
        f"data[{key}]",
        reason,
        hint="Restore the Secret from a backup. Deleting it makes another site here, which none of"
        " its neighbours knows",
        code=CODE,
    )


def _text(found: Mapping[str, bytes], key: str) -> str:
    return found[key].decode("ascii", "replace")


async def _find_or_make(api: Secrets, here: Mapping[str, bytes] | None) -> dict[str, bytes]:
    """What the Secret holds, made of ``here`` or of new keys if there is none."""
    for tries_left in reversed(range(limits.SECRET_TRIES_MAX)):
        found = await api.find(SECRET, IDENTITY_SECRET)
        if found is not None:
            data = data_of(found, CODE)
            return {key: data[key] for key in KEPT_FILES if key in data}
        made = dict(here) if here is not None else _new()
        try:
            await api.create(identity_secret(made))
        except ApiError as error:
            if error.status != CONFLICT:
                raise  # Perhaps it was made all the same: then the next look finds it.
            if not tries_left:
                raise
            continue  # Another replica was first.
        return made
    raise AssertionError("unreachable: the last try returns or raises")


def _new() -> dict[str, bytes]:
    identity, key_pem = SiteIdentity.generate()
    authority, ca_key_pem = Authority.generate(identity.site_id, time.time())
    return {
        IDENTITY_KEY: key_pem.encode(),
        CA_KEY: ca_key_pem.encode(),
        CA_CERTIFICATE: authority.ca_pem.encode(),
    }


def _read_directory(secrets: Path) -> dict[str, bytes] | None:
    """What an earlier start of this pod left; None unless it is whole."""
    try:
        found = {name: files.read_secret(secrets / name) for name in IDENTITY_FILES}
        check(found)
        if (secrets / RESTORED).exists():
            found[RESTORED] = files.read_secret(secrets / RESTORED)
    except (FileNotFoundError, CertError, ConfigError):
        return None
    return found


def _write_directory(secrets: Path, found: Mapping[str, bytes]) -> None:
    """Credentials of links were given to the identity that was here before: they go with it."""
    shutil.rmtree(secrets / "links", ignore_errors=True)
    (secrets / RESTORED).unlink(missing_ok=True)
    for name, data in found.items():
        files.write_secret(secrets / name, data)
