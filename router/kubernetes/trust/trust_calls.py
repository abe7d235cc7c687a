"""Helpers shared by the parts of `trust`: API calls, and refusals as findings."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import Final, TypeVar

from router.kubernetes.client.errors import CONFLICT, FORBIDDEN, NOT_FOUND, ApiError, admission_step
from router.kubernetes.codecs.secrets import SECRETS_RULE
from router.kubernetes.objects.names import ROUTER
from router.kubernetes.objects.role_rules import OR_BIND, rule_text
from router.model import limits
from router.model.errors import ConfigError

ItemT = TypeVar("ItemT")
ResultT = TypeVar("ResultT")

SECRET: Final = "Secret"


async def side_by_side(items: Iterable[ItemT], do: Callable[[ItemT], Awaitable[None]]) -> None:
    """``do`` all ``items``, several at a time: one that hangs does not hold up the others."""
    left = iter(list(items))

    async def work() -> None:
        for item in left:
            await do(item)

    async with asyncio.TaskGroup() as tasks:
        for _ in range(limits.TRUST_CALLS_MAX):
            tasks.create_task(work())


async def until_written(do: Callable[[], Awaitable[ResultT]]) -> ResultT:
    """The result of ``do``, which reads an object and writes it; again if another was faster.

    The tries are limited: quotas and admission webhooks give the same answers, as does a namespace
    that is gone.
    """
    for _ in range(limits.SECRET_TRIES_MAX - 1):
        try:
            return await do()
        except ApiError as error:
            if not is_overtaken(error):
                raise
    return await do()


def is_older(version: str, than: str) -> bool:
    """Whether ``version`` is older; versions grow (KEP-5504), and a non-number is new."""
    return version.isdecimal() and than.isdecimal() and int(version) < int(than)


def is_overtaken(error: ApiError) -> bool:
    """Whether the object changed or was deleted meanwhile."""
    return error.status in (CONFLICT, NOT_FOUND)


def refusal(error: ApiError, source: str, doing: str) -> ConfigError:
    """SW0443: the failed operation on ``source`` and the permission that is missing, if any."""
    if step := admission_step(error):
        hint = step
    elif error.status == FORBIDDEN:
        hint = SECRETS_RULE
    elif error.status:
        hint = "The router tries again; look at the object"
    else:
        hint = f"The router tries again; look at the API server, and at Deployment/{ROUTER}"
    return ConfigError(source, "", f"cannot {doing}: {error}", hint=hint, code="SW0443")


def map_refusal(error: ApiError, name: str, doing: str) -> ConfigError:
    """The same for ConfigMap ``name``, which the Role lets only this site's router write.

    Each of the three rules may be missing.
    """
    found = refusal(error, f"ConfigMap/{name}", doing)
    if error.status != FORBIDDEN or admission_step(error):
        return found
    rules = (
        rule_text("", "configmaps", "get", "list", "watch"),
        rule_text("", "configmaps", "create"),
        rule_text("", "configmaps", "update", "patch", "delete", only=(name,)),
    )
    hint = f"Give the Role {ROUTER} these rules: {'; '.join(rules)}{OR_BIND}"
    return ConfigError(found.source, "", found.reason, hint=hint, code=found.code)
