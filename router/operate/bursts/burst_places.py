"""Runs hooks of a directory site, and stores their state."""

import random
from pathlib import Path
from shlex import quote
from typing import Final

from certs.errors import CertError
from certs.files import read_secret, write_secret
from router.control.bursts import Firing, HookOutcome, command, webhook
from router.model.bursts import BurstSpec

KEPT_FILE: Final = "bursts.json"
SECRETS: Final = "webhooks"


class DirectoryPlace:
    """A site directory. Implements `BurstPlace`."""

    fires = True
    """Its router is the only one."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._rng = random.SystemRandom()

    def refusal(self, spec: BurstSpec) -> str:
        """Why such a hook cannot run here; empty: it can."""
        if spec.kind == "object":
            return (
                "a Kubernetes object is made by the routers of a site in Kubernetes; here use "
                "command: [kubectl, apply, -f, FILE]"
            )
        return ""

    async def load(self) -> bytes | None:
        """The last stored state; None: none yet."""
        try:
            return read_secret(self._directory / KEPT_FILE, 1 << 20)
        except FileNotFoundError:
            return None

    async def save(self, kept: bytes) -> None:
        """Store it, whole or not at all."""
        write_secret(self._directory / KEPT_FILE, kept)

    async def run(self, spec: BurstSpec, firing: Firing) -> HookOutcome:
        """Run the hook of ``spec``."""
        if spec.webhook is None:
            return await command.run(spec.command, firing, spec.timeout_s, self._directory)
        secret = b""
        if spec.webhook.secret:
            path = self._directory / "secrets" / SECRETS / spec.webhook.secret
            try:
                secret = read_secret(path).strip()
            except FileNotFoundError:
                parent, file = quote(str(path.parent)), quote(str(path))
                made = f"mkdir -p {parent} && openssl rand -hex 32 > {file}"
                hint = f"(umask 077; {made})"
                return HookOutcome(ok=False, text=f"{path} does not exist", hint=hint)
            except CertError as error:
                return HookOutcome(ok=False, text=f"{path} {error.reason}", hint=error.hint)
            except OSError as error:
                return HookOutcome(ok=False, text=f"{path}: {error.strerror}", hint="Fix the disk")
            if not secret:
                return HookOutcome(ok=False, text=f"{path} is empty", hint="Put a secret into it")
        return await webhook.post(spec.webhook, firing, secret, self._rng)
