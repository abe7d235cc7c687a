"""`version` and `completion`."""

import platform
import sys
from typing import Any

import click

from router import __version__
from sitectl.base import output
from sitectl.base.options import PLATFORMS, Settings, switch_file, switched_platform
from sitectl.base.texts import write_atomically
from sitectl.base.verb import Verb

_PLACES = {
    "bash": "~/.local/share/bash-completion/completions/sitectl",
    "zsh": '"${fpath[1]}/_sitectl"',
    "fish": "~/.config/fish/completions/sitectl.fish",
}


def product_version() -> str:
    """The version of the router that this command belongs to: they are one distribution."""
    return __version__


@click.command(cls=Verb)
@click.pass_obj
def version(settings: Settings) -> None:
    """Show versions of this command, Python and the event loop; on Kubernetes also of the router.

    \b
    Example:
      sitectl version -o json
    """
    from importlib import util

    loop = "uvloop" if util.find_spec("uvloop") else "asyncio"
    own, python = product_version(), platform.python_version()
    item: dict[str, Any] = {"version": own, "python": python, "loop": loop}
    text = f"spillway {own} (Python {python}, {loop})"
    if settings.chosen_platform() == "kubernetes":
        from sitectl.kubernetes.versions import of_router

        item["router"] = router = of_router(settings)
        if router["image"] or router["version"]:
            told = router["version"] or "does not answer"
            text += "\n" + output.safe(f"router {told} ({router['image']})")
    output.emit_item(settings, "Version", item, lambda: text)


@click.command(cls=Verb)
@click.argument("chosen", metavar="[PLATFORM]", type=click.Choice(PLATFORMS), required=False)
@click.pass_obj
def switch(settings: Settings, chosen: str | None) -> None:
    """Choose the platform for later commands; without an argument, print the current one.

    The flag `--platform` and the variable SITECTL_PLATFORM take precedence.

    \b
    Example:
      sitectl switch kubernetes
    """
    if chosen is None:
        now = settings.chosen_platform()
        output.emit_item(settings, "Platform", {"platform": now}, lambda: now)
        return
    file = switch_file()
    change = "unchanged" if switched_platform() == chosen else "updated"
    if change == "updated":
        file.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(file, f"{chosen}\n")
    output.report(settings, "Platform", chosen, change, f"platform {chosen} ({change})")


@click.command(cls=Verb)
@click.argument("shell", type=click.Choice(("bash", "zsh", "fish")))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print the completion script of a shell: for verbs, flags, and current names.

    Names come from the router, which has 0.15 s to answer; without a running router from the
    documents, and for a namespace from the last output of `status` verbs.

    \b
    Examples:
      sitectl completion bash > ~/.local/share/bash-completion/completions/sitectl
      sitectl completion zsh > "${fpath[1]}/_sitectl"
      sitectl completion fish > ~/.config/fish/completions/sitectl.fish
    """
    click.echo(completion_script(shell, ctx.find_root().command))
    if sys.stdout.isatty():
        output.note(_install(shell))


def completion_script(shell: str, root: click.Command) -> str:
    """The output of `completion` for one of the three shells; ``root`` is `sitectl`."""
    from click.shell_completion import get_completion_class

    found = get_completion_class(shell)
    assert found is not None  # click knows the three shells that the argument allows.
    template = found(root, {}, "sitectl", "_SITECTL_COMPLETE")
    # Not `source()`: for bash that runs one, which a machine that only writes the file may lack.
    text = (template.source_template % template.source_vars()).strip("\n")
    first, _, rest = text.partition("\n")  # Of zsh the first line is a tag, which stays first.
    install = f"# {_install(shell)}"
    return f"{first}\n{install}\n{rest}" if first[0] == "#" else f"{install}\n{text}"


def _install(shell: str) -> str:
    return f"To install it: sitectl completion {shell} > {_PLACES[shell]}"
