"""`--cost` of verbs that make or change links."""

from typing import Any

import click

from router.model import limits
from sitectl.base import output


class LinkCost(click.IntRange):
    """1 to 65535. A higher number, like the 99999 of Skupper's documentation, counts as 65535."""

    def __init__(self) -> None:
        super().__init__(limits.COST_MIN, limits.COST_MAX)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """The cost as a number."""
        number = click.INT.convert(value, param, ctx)
        if number > limits.COST_MAX:
            output.note(
                f"--cost {number} is above {limits.COST_MAX}, the highest cost; "
                f"{limits.COST_MAX} is used"
            )
            number = limits.COST_MAX
        return super().convert(number, param, ctx)
