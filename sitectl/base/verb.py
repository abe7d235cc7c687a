"""Verbs as click commands: global flags anywhere, help by sections, names suggested."""

import copy
import re
from collections.abc import Sequence
from typing import Any, Final

import click

from sitectl.base.help import meant
from sitectl.base.options import Settings, global_options

HelpSections = Sequence[tuple[str, str]]
"""Titles, and the flags under each, as words."""
_SHOWS_ALL: Final = "sitectl.base.verb.all"


class Verb(click.Command):
    """A command that takes the global flags too, and Skupper's ``--flag=true|false``."""

    def __init__(self, *args: Any, sections: HelpSections = (), **attributes: Any) -> None:
        """``sections``: what `--help` shows of many flags, by title; `--help-all` shows all."""
        attributes["context_settings"] = {
            "show_default": True,
            **(attributes.get("context_settings") or {}),
        }
        super().__init__(*args, **attributes)
        self._sections = sections
        if sections:
            self.params.append(_help_all())
        _add_global_options(self)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """In sections, where there are any."""
        shows_all = ctx.meta.get(_SHOWS_ALL, False)
        if not self._sections:
            super().format_options(ctx, formatter)
            return
        left = {max(param.opts, key=len): param for param in self.get_params(ctx)}
        for title, flags in self._sections:
            _write_flags(ctx, formatter, title, [left.pop(flag) for flag in flags.split()])
        if shows_all:
            known = {name for option in global_options(hidden=True) for name in option.opts}
            more = [param for name, param in left.items() if name not in known]
            _write_flags(ctx, formatter, "More", [one for one in more if not _is_hidden(one)])
            _write_flags(ctx, formatter, "Skupper's", [one for one in more if _is_hidden(one)])
        else:
            _write_flags(ctx, formatter, "More", [left["--help-all"], left["--help"]])

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse after ``--flag=false`` became ``--no-flag`` (or nothing)."""
        ctx.ensure_object(Settings).command = ctx.command_path
        return super().parse_args(ctx, _plain_flags(self.params, args))

    def invoke(self, ctx: click.Context) -> Any:
        """Run it, unless its flags contradict the platform."""
        ctx.ensure_object(Settings).require_place()
        return super().invoke(ctx)


def _help_all() -> click.Option:
    def show(ctx: click.Context, param: click.Parameter, value: bool) -> None:
        if value and not ctx.resilient_parsing:
            ctx.meta[_SHOWS_ALL] = True
            click.echo(ctx.get_help(), color=ctx.color)
            ctx.exit()

    return click.Option(
        ["--help-all"],
        is_flag=True,
        is_eager=True,
        expose_value=False,
        callback=show,
        help="Show all flags.",
    )


def _is_hidden(param: click.Parameter) -> bool:
    return isinstance(param, click.Option) and param.hidden


def _write_flags(
    ctx: click.Context, formatter: click.HelpFormatter, title: str, params: list[click.Parameter]
) -> None:
    shown = [copy.copy(param) for param in params]
    for param in shown:
        if isinstance(param, click.Option):
            param.hidden = False
    records = [record for param in shown if (record := param.get_help_record(ctx)) is not None]
    if records:
        with formatter.section(title):
            formatter.write_dl(records)


def _add_global_options(command: click.Command) -> None:
    taken = {name for param in command.params for name in param.opts}
    command.params += [
        option for option in global_options(hidden=True) if not taken & set(option.opts)
    ]


def _plain_flags(params: Sequence[click.Parameter], args: list[str]) -> list[str]:
    flags = {
        name: param
        for param in params
        if isinstance(param, click.Option) and param.is_flag
        for name in param.opts
    }
    plain: list[str] = []
    for position, argument in enumerate(args):
        if argument == "--":
            return plain + args[position:]
        match = re.fullmatch(r"(--[a-z-]+)=(true|false)", argument)
        if match is None or match.group(1) not in flags:
            plain.append(argument)
        elif match.group(2) == "true":
            plain.append(match.group(1))
        else:
            plain += flags[match.group(1)].secondary_opts[:1]
    return plain


class Verbs(click.Group):
    """A group whose commands are `Verb`s and whose groups are `Verbs`."""

    command_class = Verb
    group_class = type

    def __init__(self, *args: Any, **attributes: Any) -> None:
        super().__init__(*args, **attributes)
        _add_global_options(self)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click's; an unknown verb is answered with the nearest."""
        unknown = args and not args[0].startswith("-") and self.get_command(ctx, args[0]) is None
        if unknown and not ctx.resilient_parsing:
            known = [name for name, verb in self.commands.items() if not verb.hidden]
            near = meant(args[0], known) or f" There is: {', '.join(sorted(known))}."
            ctx.fail(f"no verb {args[0]!r} of {ctx.info_name}.{near}")
        return super().resolve_command(ctx, args)


def also(command: click.Command) -> click.Command:
    """The same verb, to be added under another name, which no help lists."""
    twin = copy.copy(command)
    twin.hidden = True
    return twin
