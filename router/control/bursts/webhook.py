"""A signed POST to a URL, with retries, as receivers of webhooks expect.

The signature is of the kind that receivers know from Stripe: HMAC-SHA256 over ``TIMESTAMP.BODY``,
as ``Spillway-Signature: t=TIMESTAMP,v1=HEX`` (docs/bursts.md shows how to check it).
"""

import asyncio
import hashlib
import hmac
import os
import random
import socket
import time
from collections.abc import Callable
from errno import EACCES
from typing import Final

import aiohttp
import msgspec
from aiohttp.abc import ResolveResult

from router.control.bursts.hook_call import Firing, HookOutcome, shown
from router.documents.templates import NUMBERS
from router.model import limits
from router.model.addresses import metadata_kind
from router.model.bursts import WebhookSpec
from router.model.ticks import doubled_s

SIGNATURE: Final = "Spillway-Signature"
EVENT_ID: Final = "Spillway-Event-Id"
_NOT_AGAIN: Final = frozenset(range(400, 500)) - {408, 425, 429}
"""The receiver understood and refused: it would refuse another try too."""


class _Resolver(aiohttp.ThreadedResolver):
    """The system's resolver, without the addresses where clouds serve a machine's credentials."""

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        found = await super().resolve(host, port, family)
        for one in found:
            if kind := metadata_kind(one["host"]):
                raise OSError(EACCES, f"{one['host']} is {kind}")
        return found


def body_of(firing: Firing) -> bytes:
    """The JSON body: an object with the names that templates use, figures as numbers."""
    told: dict[str, str | int | bool] = dict(firing.values)
    told |= {name: int(firing.values[name]) for name in NUMBERS}
    told["test"] = firing.is_test
    return msgspec.json.encode(told)


def signature(secret: bytes, timestamp: int, body: bytes) -> str:
    """The value of `SIGNATURE`."""
    signed = hmac.new(secret, b"%d." % timestamp + body, hashlib.sha256).hexdigest()
    return f"t={timestamp},v1={signed}"


async def post(
    spec: WebhookSpec,
    firing: Firing,
    secret: bytes,
    rng: random.Random,
    clock: Callable[[], float] = time.time,
) -> HookOutcome:
    """POST until a 2xx comes, the receiver refuses, or ``spec.tries`` are used up.

    Redirects are not followed: only the named URL gets the signed request. TLS is verified with the
    system's authorities. Proxies of the environment are not used. Link-local and other metadata
    addresses are not called: a cloud's own services answer there, and the answer is displayed to
    users.
    """
    body = body_of(firing)
    # A test has real effects: without the flag it would wake what calm should end.
    flag = " --calm" if firing.event == "calm" else ""
    look = f"Look at the receiver, then: sitectl burst test {firing.values['burst']}{flag}"
    text = ""
    timeout = aiohttp.ClientTimeout(total=spec.timeout_s)
    async with aiohttp.ClientSession(
        timeout=timeout,
        cookie_jar=aiohttp.DummyCookieJar(),
        connector=aiohttp.TCPConnector(resolver=_Resolver()),
    ) as http:
        for attempt in range(spec.tries):
            if attempt:
                longest_s = doubled_s(
                    limits.BURST_WEBHOOK_BACKOFF_S, attempt - 1, limits.BURST_WEBHOOK_BACKOFF_MAX_S
                )
                await asyncio.sleep(longest_s * rng.uniform(0.5, 1.0))
            headers = {
                "Content-Type": "application/json",
                "User-Agent": "spillway",
                EVENT_ID: firing.id,
            }
            if secret:
                headers[SIGNATURE] = signature(secret, int(clock()), body)
            status, text = await _once(http, spec.url, body, headers)
            if 200 <= status < 300:
                return HookOutcome(ok=True, text=text)
            if status in _NOT_AGAIN or 300 <= status < 400:
                hint = "Redirects are not followed: name the last URL" if status < 400 else ""
                return HookOutcome(ok=False, text=text, hint=hint or look)
    tries = "1 try" if spec.tries == 1 else f"{spec.tries} tries"
    return HookOutcome(ok=False, text=f"{text}, after {tries}", hint=look)


async def _once(
    http: aiohttp.ClientSession, url: str, body: bytes, headers: dict[str, str]
) -> tuple[int, str]:
    """Status and text; 0: no answer."""
    try:
        async with http.post(url, data=body, headers=headers, allow_redirects=False) as answer:
            said = await answer.content.read(limits.BURST_OUTPUT_BYTES_MAX)
            about = f": {shown(said)}" if said.strip() else ""
            return answer.status, f"HTTP {answer.status}{about}"
    except TimeoutError:
        return 0, "no answer in time"
    except aiohttp.ClientConnectorCertificateError as error:
        reason = f"no answer: {error.host}:{error.port}: {error.certificate_error}"
    except aiohttp.ClientConnectorError as error:
        reason = f"no answer: {error.host}:{error.port}: {_cause(error.os_error)}"
    except aiohttp.ClientResponseError as error:
        first_line, _, _ = error.message.partition("\n")
        reason = f"no valid answer: {first_line.rstrip(':')}"
    except (aiohttp.ClientError, OSError, ValueError) as error:
        reason = f"no answer: {error}"
    return 0, shown(reason.encode())


def _cause(error: OSError) -> str:
    """The event loop's own text of a refused connection only repeats the address."""
    if error.errno and "Connect call failed" in str(error):
        return os.strerror(error.errno)
    return error.strerror or str(error)
