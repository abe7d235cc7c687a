"""Flags that every verb takes, in any position, with their values; and flags that many take."""

import functools
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol, TypeVar, cast, runtime_checkable

import click
from click.core import ParameterSource

from sitectl.base.advice import Place
from sitectl.base.failure import not_found, usage

if TYPE_CHECKING:
    import msgspec  # Not loaded for the first page.

Decorated = TypeVar("Decorated", bound=Callable[..., Any])

PLATFORMS = ("process", "podman", "kubernetes")
IN_POD_VARIABLE = "KUBERNETES_SERVICE_HOST"


class Planned(NamedTuple):
    """A change that a dry run leaves out: ``shown`` is ``KIND/NAME``.

    ``body`` is the object; empty when it is deleted, or holds keys that must not be printed.
    """

    change: str
    shown: str
    body: dict[str, Any]


class Settings:
    """Values of the global flags; one object per command line, filled while it is parsed."""

    __slots__ = (
        "command",
        "context",
        "dry_run",
        "inherited",
        "kubeconfig",
        "namespace",
        "output",
        "planned",
        "platform",
        "site",
        "state",
        "timeout_s",
        "wide",
        "yes",
    )

    def __init__(self) -> None:
        self.command: str = "sitectl"  # The verb that is run: `sitectl link set`.
        self.platform: str | None = None
        self.site: str | None = None
        self.state: str | None = None
        self.kubeconfig: str | None = None
        self.context: str | None = None
        self.namespace: str | None = None
        self.output: str = "table"
        self.wide: bool = False  # Tables with all their columns, however narrow the terminal.
        self.timeout_s: float = 60.0
        self.yes: bool = False
        self.dry_run: bool = False
        self.planned: list[Planned] = []
        self.inherited: set[str] = set()  # Flags that the next command has of the environment.

    def here(self, text: str) -> str:
        """``text``, in which each command for this site selects it as this command line did."""
        return self._place.completed(text)

    def advised(self, content: Any) -> Any:
        """``content``, as JSON has it, with its advice as of `here`."""
        return self._place.in_json(content)

    @property
    def _place(self) -> Place:
        given = {
            "--platform": self.platform,
            "--state": self.state,
            "--site": self.site,
            "--kubeconfig": self.kubeconfig,
            "-c": self.context,
            "-n": self.namespace,
        }
        for flag in self.inherited:
            del given[flag]
        return Place(given, is_namespace=self.on_kubernetes())

    def chosen_platform(self) -> str:
        """The flag's or the environment's, else what `switch` chose, else by where we run."""
        chosen = self.platform or switched_platform()
        if chosen:
            return chosen
        flags = self.kubeconfig or self.context or self.namespace
        return "kubernetes" if flags or IN_POD_VARIABLE in os.environ else "process"

    def on_kubernetes(self) -> bool:
        """Whether sites are namespaces; False: directories, however their routers run."""
        return self.chosen_platform() == "kubernetes"

    def on_podman(self) -> bool:
        """Whether the routers of sites run in containers of podman."""
        return self.chosen_platform() == "podman"

    def require_place(self) -> None:
        """Raise Failure if flags name a namespace and the chosen platform has none."""
        given = {"-n": self.namespace, "-c": self.context, "--kubeconfig": self.kubeconfig}
        flags = [flag for flag, value in given.items() if value]
        if not flags or self.on_kubernetes():
            return
        owner = "`sitectl switch` chose"
        if self.platform:
            owner = "SITECTL_PLATFORM says" if "--platform" in self.inherited else "--platform says"
        raise usage(
            f"{flags[0]} names a site on Kubernetes, and {owner} platform {self.chosen_platform()}",
            f"Leave {flags[0]} out, or: sitectl --platform kubernetes …",
            code="platform",
        )

    def confirm(self, question: str) -> None:
        """Ask at a terminal, and raise click.Abort at a no; not asked: with --yes or --dry-run."""
        if sys.stdin.isatty() and not self.yes and not self.dry_run:
            click.confirm(question, abort=True, err=True)

    def require_kubernetes(self, what: str) -> None:
        """Raise Failure unless sites are namespaces; ``what`` needs that."""
        if not self.on_kubernetes():
            raise usage(
                f"{what} is for sites on Kubernetes",
                "Leave it out, or: sitectl --platform kubernetes …",
                code="platform",
            )


@runtime_checkable
class KnowsNames(Protocol):
    """A command line that knows what there is: sites, services, links, targets."""

    def names_of(self, what: str, ctx: click.Context, incomplete: str) -> list[str]:
        """Names of ``what`` that could stand where ``incomplete`` stands."""


Completes = Callable[[click.Context, click.Parameter, str], list[Any]]


def completes(what: str) -> Completes:
    """For ``shell_complete``: names of ``what``, as the root of the command line knows them."""

    def found(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[Any]:
        root = ctx.find_root().command
        return list(root.names_of(what, ctx, incomplete)) if isinstance(root, KnowsNames) else []

    return found


def switch_file() -> Path:
    """Where `switch` keeps the chosen platform."""
    base = os.environ.get("XDG_CONFIG_HOME") or "~/.config"
    return Path(base).expanduser() / "spillway" / "platform"


def switched_platform() -> str:
    """The platform that `switch` chose; empty: none."""
    try:
        word = switch_file().read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError):
        return ""  # Never chosen, or nothing that we wrote.
    return word if word in PLATFORMS else ""


class Duration(click.ParamType[float]):
    """``1s``, ``15m``, ``2h`` or bare seconds; a value in seconds."""

    name = "DURATION"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Seconds of ``value``."""
        if isinstance(value, int | float):
            return float(value)
        from router.documents.quantities import duration_s

        seconds = duration_s(str(value))
        if seconds is None:
            self.fail(f"{value!r} is not a duration like 30s or 15m", param, ctx)
        return seconds


def _remember(ctx: click.Context, param: click.Parameter, value: Any) -> None:
    settings = ctx.ensure_object(Settings)
    if param.name == "output" and value is not None:
        settings.output, settings.wide = ("table", True) if value == "wide" else (value, False)
    elif value is not None and value is not False and param.name is not None:
        setattr(settings, param.name, value)
        if param.name in ("platform", "state"):
            is_inherited = ctx.get_parameter_source(param.name) is ParameterSource.ENVIRONMENT
            change = settings.inherited.add if is_inherited else settings.inherited.discard
            change(f"--{param.name}")


def global_options(hidden: bool) -> list[click.Option]:
    """The flags of every verb; shown in the help of the root only."""

    def option(*names: str, **attributes: Any) -> click.Option:
        return click.Option(
            names, expose_value=False, callback=_remember, hidden=hidden, **attributes
        )

    def env(name: str) -> str | None:
        return None if hidden else name  # Once, at the root: a verb's flag must win over it.

    return [
        option(
            "--platform",
            type=click.Choice(PLATFORMS),
            envvar=env("SITECTL_PLATFORM"),
            help="Platform of the site. [default: what `switch` chose, else kubernetes in "
            "a pod or with -n, -c, --kubeconfig, else process]",
        ),
        option(
            "--site",
            metavar="NAME",
            envvar=env("SITECTL_SITE"),
            shell_complete=completes("sites"),
            help="Name of the site; default: the only one.",
        ),
        option(
            "--state",
            metavar="DIR",
            envvar=env("SITECTL_STATE"),
            help="Directory that holds sites. [default: $XDG_DATA_HOME/spillway]",
        ),
        option(
            "--kubeconfig",
            metavar="FILE",
            help="Kubeconfig file of the cluster. [default: as kubectl]",
        ),
        option("-c", "--context", metavar="NAME", help="Context in the kubeconfig."),
        option("-n", "--namespace", metavar="NAME", help="Use the site of this namespace."),
        option(
            "-o",
            "--output",
            type=click.Choice(("table", "wide", "json", "yaml")),
            help="Output format; wide: all columns, also on a narrow terminal. [default: table]",
        ),
        option(
            "--timeout",
            "timeout_s",
            type=Duration(),
            help="Maximum wait for a router. [default: 60s]",
        ),
        option("--yes", is_flag=True, help="Do not ask."),
    ]


def flag_group(*options: Callable[[Any], Any]) -> Callable[[Decorated], Decorated]:
    """Give a verb each of ``options``, which its help lists in this order."""

    def decorate(function: Decorated) -> Decorated:
        for option in reversed(options):
            function = option(function)
        return function

    return decorate


def flags_as(
    argument: str, kind: type["msgspec.Struct"], *options: Callable[[Any], Any]
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Give a verb each of ``options``; their values come as one ``argument``, a ``kind``."""

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def gathered(*args: Any, **given: Any) -> Any:
            values = {field: given.pop(field) for field in kind.__struct_fields__}
            return function(*args, **given, **{argument: kind(**values)})

        return flag_group(*options)(gathered)

    return decorate


_AS_LONG_AS_TIMEOUT: Final = -1.0  # The value of a bare `--wait` until all flags are read.


UNTIL_READY: Final = "Wait until each target is ready; when time is up, undo the command (exit 6)."
"""Of `wait_flag`, for verbs that bind targets."""


def wait_flag(text: str) -> Callable[[Decorated], Decorated]:
    """Give a verb ``--wait [SECONDS]``; ``text`` says for what, and which exit is which.

    Without seconds it is as long as ``--timeout``.
    """

    def decorate(function: Decorated) -> Decorated:
        @functools.wraps(function)
        def timed(*args: Any, wait: float | None, **kwargs: Any) -> Any:
            if wait == _AS_LONG_AS_TIMEOUT:
                wait = click.get_current_context().ensure_object(Settings).timeout_s
            return function(*args, wait=wait, **kwargs)

        return click.option(
            "--wait",
            type=Duration(),
            is_flag=False,
            flag_value=_AS_LONG_AS_TIMEOUT,
            metavar="SECONDS",
            help=text,
        )(cast(Decorated, timed))

    return decorate


def dry_run_flag(function: Decorated) -> Decorated:
    """Give a verb ``--dry-run``: on Kubernetes the objects are printed, and nothing is written."""

    def remember(ctx: click.Context, param: click.Parameter, value: bool) -> None:
        if value:
            ctx.ensure_object(Settings).dry_run = True

    return click.option(
        "--dry-run",
        is_flag=True,
        expose_value=False,
        callback=remember,
        help="On Kubernetes: print the objects, write nothing.",
    )(function)


class TokenFile(click.Path):
    """A file to read; Failure when there is none."""

    def __init__(self) -> None:
        super().__init__(dir_okay=False)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The path as it was given."""
        if not os.path.exists(value):
            raise not_found(f"no file {value}", "At the other site: sitectl token create FILE")
        return super().convert(value, param, ctx)


def accepted(why: str, *flags: str) -> Callable[[Decorated], Decorated]:
    """Options of Skupper that need nothing here: taken, and answered with one line.

    A flag written ``--name=`` takes a value.
    """

    def tell(ctx: click.Context, param: click.Parameter, value: Any) -> None:
        if value:
            click.echo(f"{param.opts[0]}: {why}", err=True)

    def decorate(function: Decorated) -> Decorated:
        for flag in flags:
            takes_value = flag.endswith("=")
            click.option(
                flag.removesuffix("="),
                is_flag=not takes_value,
                multiple=takes_value,
                default=() if takes_value else False,
                expose_value=False,
                hidden=True,
                callback=tell,
            )(function)
        return function

    return decorate


def type_and_name(words: tuple[str, ...], what: str) -> tuple[str, str]:
    """``TYPE NAME`` or ``TYPE/NAME`` as two words; Failure otherwise."""
    if len(words) == 1 and "/" in words[0]:
        first, _, second = words[0].partition("/")
        words = (first, second)
    if len(words) != 2 or not all(words):
        raise usage(f"expected {what}, as two words or TYPE/NAME")
    return words[0].lower(), words[1]
