"""`demo`: three sites on this machine, a burst, and what became of it."""

import click

from sitectl.base.failure import Exit, Failure
from sitectl.base.verb import Verb


@click.command(cls=Verb)
@click.option("--hold", is_flag=True, help="Keep the sites up afterwards, until Ctrl-C.")
@click.pass_context
def demo(ctx: click.Context, hold: bool) -> None:
    """Show a burst on this machine: three real sites, clients, and a verdict. Half a minute.

    It starts three routers and their backends on loopback addresses, in a temporary directory,
    and removes all of it at the end. Your sites are not touched. Exit 1: a promise was broken.

    \b
    Examples:
      sitectl demo
      sitectl demo --hold      then look around: it prints what to type
    """
    try:
        from sitectl.demo.run import run
    except ModuleNotFoundError as error:
        raise Failure(
            Exit.FAILED,
            "no-router",
            f"there is no router here to show: {error.name} is not installed",
            "Install the whole of it, not only the kubectl plugin: docs/image.md",
        ) from None
    if code := run(hold=hold):
        ctx.exit(code)
