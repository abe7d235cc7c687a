"""The site's identity: Secret `IDENTITY_SECRET`, copied to the site directory before the start.

The Secret is the truth, and the directory dies with its pod. All replicas share one identity
forever: the second router takes the identity that the first one made. A damaged identity is
reported and never made again, since every link of every neighbor leads to the old one.
"""

import asyncio
import logging
import random
import shutil
import time
from math import inf
from pathlib import Path

from certs import files
from certs.ca.authority import Authority
from certs.ca.ca_files import CaFiles
from certs.ca.rotation import CaState
from certs.errors import CertError
from certs.identity import SiteIdentity
from router.kubernetes.client.api import Api
from router.kubernetes.client.errors import (
    CONFLICT,
    FORBIDDEN,
    NO_ANSWER,
    TOO_MANY,
    ApiError,
    backoff_s,
)
from router.kubernetes.codecs import identity as codec
from router.kubernetes.codecs.identity import CODE, SOURCE, Identity
from router.kubernetes.codecs.secrets import IDENTITY_KEY, RESTORED, SecretError
from router.kubernetes.objects.names import IDENTITY_SECRET, ROUTER, SITE_CONFIGMAP
from router.kubernetes.objects.objects import Object, uid_of
from router.kubernetes.trust.trust_calls import SECRET, refusal, until_written
from router.model import limits
from router.model.errors import ConfigError

log = logging.getLogger("router.kubernetes")


async def prepare(api: Api, site_dir: Path, rng: random.Random) -> str:
    """Put the site's identity into ``site_dir/secrets``; returns its site id.

    Reads the Secret, or makes it first. Waits as long as the API does not answer, unless the
    directory has an identity already, which then counts. Raises ConfigError SW0440 if the Secret is
    damaged, SW0443 if it may not be read or made for more than a moment.
    """
    secrets = site_dir / "secrets"
    files.make_private_directory(secrets)
    here = _read_directory(secrets)
    loop = asyncio.get_running_loop()
    attempt, refused_since = 0, inf
    while True:
        try:
            found = await until_written(lambda: _find_or_make(api, here))
            break
        except ApiError as error:
            # A starting API server refuses everything until it has read the Roles.
            refused_since = min(refused_since, loop.time()) if error.status == FORBIDDEN else inf
            may_pass = refused_since <= loop.time() < refused_since + limits.API_AWAY_S
            is_judged = error.status not in (NO_ANSWER, CONFLICT, TOO_MANY) and error.status < 500
            if is_judged and not may_pass:
                raise refusal(error, SOURCE, "read or make the site's identity") from error
            if here is not None and not may_pass:
                log.warning("the identity in %s is used: %s", secrets, error)
                return here.site_id
            log.warning("waiting for the site's identity: %s", error)
        except SecretError as error:
            raise error.finding from error
        await asyncio.sleep(backoff_s(attempt, rng, None, limits.WATCH_BACKOFF_MAX_S))
        attempt += 1
    if found != here:
        _write_directory(secrets, found, here)
    return found.site_id


async def keep(
    api: Api, site_dir: Path, seen: Object | None, site_uid: str = ""
) -> ConfigError | None:
    """Check that the Secret, last ``seen`` so, still has this router's identity.

    Returns the finding if it does not. If the Secret was deleted by mistake, it is put back while
    the site exists: the next pod would be another site. ``site_uid``: of the ConfigMap that this
    router began with. With another one it is not put back: a site that was deleted and made again
    while this router drains has a new identity.
    """
    here = _read_directory(site_dir / "secrets")
    if here is None:
        return None  # Readers of the files judge them.
    if seen is None:
        try:
            seen = await api.find(SECRET, IDENTITY_SECRET)
            site = None if seen is not None else await api.find("ConfigMap", SITE_CONFIGMAP)
            if site is not None and site_uid not in ("", uid_of(site)):
                return _not_put_back()
            if site is not None:
                seen = await api.create(codec.secret(here))
                log.warning("%s was deleted and is put back", SOURCE)
        except ApiError as error:
            return refusal(error, SOURCE, "put the site's identity back, which was deleted")
    try:
        if seen is None or codec.decode(seen).key_pem == here.key_pem:
            return None
    except SecretError as error:
        return error.finding
    return ConfigError(
        SOURCE,
        "data",
        "holds another identity than the one this router runs with",
        hint=f"Restore it, or become that site: kubectl rollout restart deployment {ROUTER}",
        code=CODE,
    )


def _not_put_back() -> ConfigError:
    """A router that starts in the same pod puts it back (`prepare`)."""
    return ConfigError(
        SOURCE,
        "",
        "is missing: without it the next pod becomes another site. This router does not put it "
        f"back, since ConfigMap/{SITE_CONFIGMAP} was deleted and made again meanwhile",
        hint="To keep this site, restart the router in its pod: "
        f"kubectl exec deployment/{ROUTER} -- sh -c 'kill 1'. Or restore a backup",
        code=CODE,
    )


async def propose_ca(api: Api, before: CaState, after: CaState) -> ConfigError | None:
    """Make ``after`` the CA in the Secret if ``before`` is; a finding if that is not permitted.

    If another writer was faster, the watch delivers its CA.
    """
    try:
        found = await api.find(SECRET, IDENTITY_SECRET)
        if found is not None and codec.ca(found) == before:
            await api.replace(codec.with_ca(found, after))
    except ApiError as error:
        return None if error.status == CONFLICT else refusal(error, SOURCE, "replace the CA")
    except SecretError:
        return None  # `keep` reports it.
    return None


def follow(site_dir: Path, seen: Object | None) -> bool:
    """Take the CA from the Secret, if it holds this identity. True: the CA changed."""
    here = _read_directory(site_dir / "secrets")
    if seen is None or here is None:
        return False
    try:
        found = codec.decode(seen)
        return found.key_pem == here.key_pem and CaFiles(site_dir / "secrets").set(found.ca)
    except CertError:
        return False


async def _find_or_make(api: Api, here: Identity | None) -> Identity:
    """The identity in the Secret; if there is none, it is made of ``here`` or of new keys."""
    found = await api.find(SECRET, IDENTITY_SECRET)
    if found is not None:
        return codec.decode(found)
    made = here or _new()
    await api.create(codec.secret(made))
    return made


def _new() -> Identity:
    site, key_pem = SiteIdentity.generate()
    authority, ca_key_pem = Authority.generate(site.site_id, time.time())
    return codec.made_of(key_pem, CaState(ca_key_pem, authority.ca_pem))


def _read_directory(secrets: Path) -> Identity | None:
    """The identity that an earlier start of this pod left; None unless it is complete."""
    try:
        key_pem = files.read_secret(secrets / IDENTITY_KEY).decode("ascii", "replace")
        restored = secrets / RESTORED
        return codec.made_of(
            key_pem,
            CaFiles(secrets).load(),
            files.read_secret(restored) if restored.exists() else b"",
        )
    except (FileNotFoundError, CertError):
        return None


def _write_directory(secrets: Path, found: Identity, here: Identity | None) -> None:
    """Write ``found``. Credentials of links belong to identity ``here`` and go if it differs."""
    if here is None or found.key_pem != here.key_pem:
        shutil.rmtree(secrets / "links", ignore_errors=True)
    (secrets / RESTORED).unlink(missing_ok=True)
    files.write_secret(secrets / IDENTITY_KEY, found.key_pem.encode())
    if found.restored:
        files.write_secret(secrets / RESTORED, found.restored)
    CaFiles(secrets).set(found.ca)
