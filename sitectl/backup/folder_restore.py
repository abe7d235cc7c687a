"""A `Content` into a site directory: whole or not at all.

The new directory is made beside its place (``STATE/.restore/NAME``) and takes it with one rename.
One that is there already is first moved aside; killed between the two, the next run moves it back
before anything else.
"""

import contextlib
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from secrets import token_hex
from shlex import quote
from typing import Final, NamedTuple

import msgspec

from certs import files
from certs.ca.authority import CA_FILE, CA_KEY_FILE, CA_ROTATION_FILE
from certs.errors import CertError
from certs.identity import KEY_FILE, RESTORED_FILE, SiteIdentity
from certs.links.credentials import CA_FILE as LINK_CA
from certs.links.credentials import CERTIFICATE_FILE, TOKEN_FILE
from certs.links.credentials import KEY_FILE as LINK_KEY
from certs.links.proxies import PROXY_FILE
from certs.links.register import DIRECTORY as ADMITTED
from certs.links.revocation import REVOKED_FILE
from router.model.limits import SITE_LOCK_WAIT_S
from sitectl.backup.content import Content, RouterState, as_replica, differences, revived
from sitectl.backup.folder_backup import (
    ADMIN_CREDENTIAL,
    LISTENERS_FILE,
    OFFERS_FILE,
    OWNERS_FILE,
    PINS_FILE,
    STATE_FILE,
    WEBHOOKS,
    read_held,
    text_of,
)
from sitectl.base.failure import conflict, timed_out
from sitectl.base.texts import write_atomically
from sitectl.gateway.home import RECORD_FILE
from sitectl.runtimes import presence
from sitectl.runtimes.spec import RUNTIME_FILE
from sitectl.site.console_place import USERS
from sitectl.site.directory import DirectorySite
from sitectl.site.site import Change

STAGING: Final = ".restore"  # Has no config/ itself: no verb takes it for a site.
_ROUTER_ID_BYTES: Final = 8


def restore_folder(content: Content, state: Path, *, force: bool, replica: bool = False) -> Change:
    """Make ``content`` the site ``state/NAME``; ``replica``: another router of it.

    Failure SW0658: it may not, nothing is written.
    """
    with _alone(state):
        _finish_interrupted(state, content.name)
        site = DirectorySite(state / content.name)
        here = _here(site, content)
        wanted = revived(content, here, time.time())
        if replica and here is None:
            wanted = as_replica(wanted, content)
        if here is not None:
            changed = differences(here, wanted)
            if not changed:
                return "unchanged"
            _refuse_running(site)
            if not force:
                raise conflict(
                    f"site {site.name!r} is here already ({site.directory}) and differs in: "
                    + ", ".join(changed),
                    "Add --force to have what the backup says; revocations and used claims stay",
                )
        staged = _staging(state) / content.name
        _write(staged, wanted)
        _put(staged, site)
        return "created" if here is None else "updated"


class FolderJudgement(NamedTuple):
    """The actions of `restore_folder` with force, and the obstacles to it now."""

    change: Change
    obstacles: tuple[str, ...] = ()


def judge_folder(content: Content, state: Path, *, force: bool) -> FolderJudgement:
    """Nothing is written. Without ``force`` a site that differs is an obstacle."""
    site = DirectorySite(state / content.name)
    here = _here(site, content)
    if here is None:
        return FolderJudgement("created")
    changed = differences(here, revived(content, here, time.time()))
    if not changed:
        return FolderJudgement("unchanged")
    obstacles = []
    if presence.is_running(site):
        obstacles.append(f"its router runs here: sitectl --site {site.name} stop")
    if not force:
        obstacles.append(f"without --force, as it differs in: {', '.join(changed)}")
    return FolderJudgement("updated", tuple(obstacles))


def _here(site: DirectorySite, content: Content) -> Content | None:
    """The same site, as it is here; None: nothing. Failure SW0658: another one."""
    if not site.directory.exists():
        return None
    try:
        site_id = SiteIdentity.load(site.secrets).site_id
    except (CertError, OSError) as error:
        place = str(site.directory)
        raise conflict(
            f"{place} is there and is no whole site: {error}",
            f"Move it away: mv {quote(place)} {quote(place + '.old')}",
            code="SW0658",
        ) from error
    if site_id != content.site_id:
        raise conflict(
            f"{site.directory} is another site ({site_id[:8]}), the backup is of "
            f"{content.site_id[:8]}; an identity is never overwritten",
            f"sitectl --site {site.name} delete, or restore into another --state",
            code="SW0658",
        )
    return read_held(site)


def _refuse_running(site: DirectorySite) -> None:
    if presence.is_running(site):
        process = presence.running_pid(site)
        raise conflict(
            f"the router of {site.name!r} runs here (process {process}), nothing was restored",
            f"sitectl --site {site.name} stop",
            code="SW0658",
        )


@contextlib.contextmanager
def _alone(state: Path) -> Iterator[None]:
    """No other restore into ``state``."""
    staging = _staging(state)
    for directory in (state, staging):
        files.make_directory(directory, 0o700)
    try:
        with files.locked(staging / ".lock", waits=False):
            yield
    except BlockingIOError:
        raise timed_out(
            f"another restore into {state} is under way",
            "Wait for it, and try again",
            code="SW0658",
        ) from None


def _staging(state: Path) -> Path:
    return state / STAGING


def _aside(state: Path, name: str) -> Path:
    return _staging(state) / f"{name}.before"


def _finish_interrupted(state: Path, name: str) -> None:
    """Finish a killed restore: the result is either the old site or the new one, whole."""
    aside, place = _aside(state, name), state / name
    if aside.exists() and not place.exists():
        os.rename(aside, place)
        files.sync_directory(state)
    for left in (aside, _staging(state) / name):
        shutil.rmtree(left, ignore_errors=True)


def _write(folder: Path, content: Content) -> None:
    secrets = folder / "secrets"
    for path in (folder, folder / "run", secrets):
        files.make_directory(path, 0o700)
    links, grants, tls = secrets / "links", secrets / "grants", secrets / "tls"
    for name, link in content.links.items():
        _keep(links / name / TOKEN_FILE, link.token)
        _keep(links / name / LINK_KEY, link.key)
        _keep(links / name / LINK_CA, link.ca)
        _keep(links / name / CERTIFICATE_FILE, link.certificate)
        _keep(links / name / PROXY_FILE, link.proxy)
    for name, data in content.grants.items():
        _keep(grants / f"{name}.json", data)
    for site_id, data in content.admitted.items():
        _keep(secrets / ADMITTED / f"{site_id}.json", data)
    _keep(secrets / PROXY_FILE, content.proxy)
    for name, data in content.webhooks.items():
        _keep(secrets / WEBHOOKS / name, data)
    for name, data in content.console_users.items():
        _keep(secrets / USERS / name, data)
    for name, held in content.tls.items():
        for file, data in held.items():
            _keep(tls / name / file, data)
    _keep(secrets / REVOKED_FILE, content.revoked)
    _keep(secrets / ADMIN_CREDENTIAL, content.admin_credential)
    _keep(secrets / CA_KEY_FILE, content.ca_key)
    _keep(secrets / CA_FILE, content.ca_certificate)
    _keep(secrets / CA_ROTATION_FILE, content.ca_rotation)
    if content.restored_at:
        _keep(secrets / RESTORED_FILE, str(content.restored_at).encode())
    _keep(secrets / KEY_FILE, content.identity_key)
    _write_state(folder, content)
    if content.gateway:
        write_atomically(folder / RECORD_FILE, content.gateway)
    files.make_directory(folder / "config")
    for name, text in content.documents.items():
        write_atomically(folder / "config" / name, text)


def _write_state(folder: Path, content: Content) -> None:
    router_id = content.state.router_id or token_hex(_ROUTER_ID_BYTES)  # Of Kubernetes: a new one.
    kept = content.state
    state = RouterState(router_id=router_id, epoch=kept.epoch, declared=kept.declared)
    _keep(folder / STATE_FILE, msgspec.json.encode(state))
    if kept.owners:
        _keep(folder / OWNERS_FILE, msgspec.json.encode(kept.owners))
    if kept.rule_pins:
        _keep(folder / PINS_FILE, msgspec.json.encode(kept.rule_pins))
    if kept.known_offers is not None:
        _keep(folder / OFFERS_FILE, msgspec.json.encode(kept.known_offers))
    if kept.listeners:
        _keep(folder / LISTENERS_FILE, msgspec.json.encode(kept.listeners))


def _keep(path: Path, data: bytes) -> None:
    if not data:
        return
    for parent in (path.parent.parent, path.parent):
        files.make_private_directory(parent)
    files.write_secret(path, data)


def _put(staged: Path, site: DirectorySite) -> None:
    """Take the place; a router that would start in this moment is held off by its own lock."""
    state = site.directory.parent
    aside = _aside(state, site.name)
    with contextlib.ExitStack() as stack:
        if site.directory.exists():
            files.make_directory(site.run, 0o700)
            try:
                # A command that checks for a router has this lock for a moment.
                lock = files.locked(site.run / "lock", waits=False, within_s=SITE_LOCK_WAIT_S)
                stack.enter_context(lock)
            except BlockingIOError:
                _refuse_running(site)
                raise
            runtime = text_of(site.directory / RUNTIME_FILE)
            if runtime:  # How it is run is of this host, not of the backup.
                write_atomically(staged / RUNTIME_FILE, runtime)
            os.rename(site.directory, aside)
        os.rename(staged, site.directory)
        files.sync_directory(state)
        shutil.rmtree(aside, ignore_errors=True)
