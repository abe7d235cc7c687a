"""Whether the packages of a router are installed: the kubectl plugin comes without them."""

from importlib.util import find_spec
from typing import Final

from sitectl.base.failure import Exit, Failure

_OF_A_ROUTER: Final = ("aiohttp", "httptools")


def require_routers(what: str) -> None:
    """Raise Failure when ``what``, which runs whole routers, lacks packages that these import."""
    missing = [name for name in _OF_A_ROUTER if find_spec(name) is None]
    if missing:
        raise Failure(
            Exit.FAILED,
            "no-router-packages",
            f"{what} runs whole routers, and {' and '.join(missing)} is not installed here",
            "Type it with sitectl from the wheel (pipx install WHEEL), not as a kubectl plugin",
        )
