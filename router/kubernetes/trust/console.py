"""Users of the console: Secret ``skupper-console-users``, in the format of Skupper v1.

Each key is a user, its value the password. An existing Secret is used as it is, whatever made it; a
missing one is created once. The router reads a copy in the site directory.
"""

import asyncio
import contextlib
import random
import secrets as chance
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from certs import files
from certs.errors import CertError
from router.kubernetes.client.api import Api
from router.kubernetes.client.errors import ALREADY_EXISTS, ApiError
from router.kubernetes.codecs.secrets import SecretError, console_users_secret, data_of
from router.kubernetes.objects.names import CONSOLE_USERS_SECRET
from router.kubernetes.objects.picture import SiteOptions
from router.kubernetes.store.informer import Informer
from router.kubernetes.store.selections import Selection, whole
from router.kubernetes.store.supervise import run_supervised
from router.kubernetes.trust.trust_calls import SECRET, refusal
from router.model import limits
from router.model.errors import ConfigError
from router.model.wording.system_errors import text_of

SOURCE: Final = f"{SECRET}/{CONSOLE_USERS_SECRET}"
CODE: Final = "SW0471"
DIRECTORY: Final = "console-users"
_PASSWORD_BYTES: Final = 18
_RANDOM: Final = ("", "random")


class ConsoleUsers:
    """Owns ``secrets/console-users`` of the site directory while the site has a console."""

    def __init__(
        self,
        api: Api,
        directory: Path,
        tasks: asyncio.TaskGroup,
        rng: random.Random,
        changed: Callable[[], None],
    ) -> None:
        """``changed`` is called when `step` has work, or when `error` may have changed."""
        self._api, self._directory, self._tasks, self._rng = api, directory, tasks, rng
        self._changed = changed
        self._options: SiteOptions | None = None
        self._watched: tuple[Informer, asyncio.Task[None]] | None = None
        self.error: ConfigError | None = None

    def look(self, options: SiteOptions | None) -> None:
        """Follow the Secret while the site has a console. None: there is no usable site."""
        self._options = options
        if options is None:
            return
        if not options.console:
            if self._watched is not None:
                self._watched[1].cancel()
                self._watched, self.error = None, None
            return
        if self._watched is None:
            chosen = f"metadata.name={CONSOLE_USERS_SECRET}"
            selection = Selection(kind=SECRET, fields=chosen, keep=whole)
            informer = Informer(self._api, selection, self._heard, self._rng)
            task = self._tasks.create_task(run_supervised(informer, f"the watch of {SOURCE}"))
            self._watched = (informer, task)

    def note_rights(self) -> None:
        """Rights in the namespace came back: ask for the Secret if it could not be read."""
        if self._watched is not None:
            self._watched[0].note_rights()

    async def step(self) -> None:
        """Create the Secret if there is none."""
        options = self._options
        if self._watched is None or options is None or not options.console:
            return
        informer = self._watched[0]
        if informer.refused is not None:
            self.error = refusal(informer.refused, SOURCE, "read who may log in to the console")
            return
        if not informer.listed or informer.copy():
            return
        user = options.console_user or "admin"
        stated = options.console_password
        password = chance.token_urlsafe(_PASSWORD_BYTES) if stated in _RANDOM else stated
        try:
            await self._api.create(console_users_secret({user: password.encode()}))
        except ApiError as error:
            if error.reason != ALREADY_EXISTS:  # Else another replica was first.
                self.error = refusal(error, SOURCE, "make the users of the console")

    def _heard(self, kind: str) -> None:
        if self._watched is None:
            return
        found = self._watched[0].copy().get(CONSOLE_USERS_SECRET)
        if found is not None:
            try:
                self._keep(data_of(found, CODE))
                self.error = None
            except SecretError as error:
                self.error = error.finding
            except (CertError, OSError) as error:
                self.error = ConfigError(
                    SOURCE, "", f"cannot be copied: {text_of(error)}", code=CODE
                )
        elif self._watched[0].listed:
            self._keep({})
        self._changed()

    def _keep(self, users: Mapping[str, bytes]) -> None:
        """Make the files equal to ``users``; unchanged files are not touched."""
        files.make_private_directory(self._directory)
        wanted = {
            name: password
            for name, password in sorted(users.items())[: limits.CONSOLE_USERS_MAX]
            if not name.startswith(".")
        }
        for path in list(self._directory.iterdir()):
            if path.name not in wanted:
                path.unlink(missing_ok=True)
        for name, password in wanted.items():
            path = self._directory / name
            with contextlib.suppress(FileNotFoundError):
                if files.read_secret(path) == password:
                    continue
            files.write_secret(path, password)
