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

from certs import certificates, files, rotation
from certs.authority import Authority
from certs.ca_files import CaFiles
from certs.errors import CertError
from certs.identity import SiteIdentity
from certs.rotation import CaState
from router.control.kubernetes.errors import CONFLICT, NO_ANSWER, TOO_MANY, ApiError, backoff_s
from router.control.kubernetes.trust_calls import SECRET, Secrets, refusal, uid_of
from router.kubernetes.names import IDENTITY_SECRET, ROUTER, SITE_CONFIGMAP
from router.kubernetes.objects import Object
from router.kubernetes.secrets import (
    CA_CERTIFICATE,
    CA_KEY,
    CA_ROTATION,
    IDENTITY_FILES,
    IDENTITY_KEY,
    KEPT_FILES,
    RESTORED,
    data_of,
    identity_secret,
    with_data,
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
        _write_directory(secrets, found, here or {})
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
    try:
        check(data)
    except ConfigError:
        return False
    return data[IDENTITY_KEY] == here[IDENTITY_KEY]


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
        Authority.of_state(ca_of(found), SOURCE)
    except CertError as error:
        raise _damaged(error.subject.removeprefix(f"{SOURCE}: "), error.reason) from error
    return identity.site_id


def ca_of(found: Mapping[str, bytes]) -> CaState:
    """The CA in what the Secret holds, as it is meant. Raises CertError."""
    data = found.get(CA_ROTATION)
    under_way = rotation.decode(data, f"{SOURCE}: {CA_ROTATION}") if data else None
    state = CaState(_text(found, CA_KEY), _text(found, CA_CERTIFICATE), under_way)
    certificates.read(state.ca_pem, f"{SOURCE}: {CA_CERTIFICATE}")
    return rotation.whole(state)


def with_ca(found: Mapping[str, bytes], state: CaState) -> dict[str, bytes]:
    """What the Secret holds, but for its CA, which is ``state``."""
    data = {key: value for key, value in found.items() if key != CA_ROTATION}
    data |= {CA_KEY: state.key_pem.encode(), CA_CERTIFICATE: state.ca_pem.encode()}
    if state.rotation is not None:
        data[CA_ROTATION] = rotation.encode(state.rotation)
    return data


async def propose_ca(api: Secrets, before: CaState, after: CaState) -> ConfigError | None:
    """Make ``after`` the CA in the Secret if ``before`` is; why not, if we may not.

    Who was faster is heard of by the watch.
    """
    try:
        found = await api.find(SECRET, IDENTITY_SECRET)
        if found is not None and ca_of(data_of(found, CODE)) == before:
            await api.replace(with_data(found, with_ca(data_of(found, CODE), after)))
    except ApiError as error:
        return None if error.status == CONFLICT else refusal(error, SOURCE, "replace the CA")
    except (CertError, ConfigError):
        return None  # `keep` says so.
    return None


def follow(site_dir: Path, seen: Object | None) -> bool:
    """Take up the CA that the Secret of this identity has now. True: it is another one."""
    here = _read_directory(site_dir / "secrets")
    if seen is None or here is None:
        return False
    try:
        data = data_of(seen, CODE)
        if data.get(IDENTITY_KEY) != here[IDENTITY_KEY]:
            return False
        check(data)
        return CaFiles(site_dir / "secrets").set(ca_of(data))
    except (ConfigError, CertError):
        return False


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
        found = {IDENTITY_KEY: files.read_secret(secrets / IDENTITY_KEY)}
        found = with_ca(found, CaFiles(secrets).load())
        check(found)
        if (secrets / RESTORED).exists():
            found[RESTORED] = files.read_secret(secrets / RESTORED)
    except (FileNotFoundError, CertError, ConfigError):
        return None
    return found


def _write_directory(secrets: Path, found: Mapping[str, bytes], here: Mapping[str, bytes]) -> None:
    """Credentials of links were given to the identity ``here``: with another one they go."""
    if found[IDENTITY_KEY] != here.get(IDENTITY_KEY):
        shutil.rmtree(secrets / "links", ignore_errors=True)
    (secrets / RESTORED).unlink(missing_ok=True)
    for name in (IDENTITY_KEY, RESTORED):
        if name in found:
            files.write_secret(secrets / name, found[name])
    CaFiles(secrets).set(ca_of(found))
