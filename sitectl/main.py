"""`sitectl`: the root of all verbs, and how errors become text, JSON and exit codes."""

import json
import os
import re
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any, Final

import click

from certs.errors import CertError
from router.model.errors import ConfigError
from router.model.wording.suggestions import nearest
from router.model.wording.system_errors import step_after, text_of
from sitectl.base.failure import Exit, Failure, not_allowed, usage
from sitectl.base.help import first_example, meant, sections
from sitectl.base.options import Settings, global_options
from sitectl.base.output import safe_lines
from sitectl.base.verb import Verbs

# The summary of each verb and its module, so that `--help` and one verb import no others.
VERBS: Final = {
    "access": (
        "links.access",
        "access",
        "Show which site may declare, offer and call each service.",
    ),
    "admin": ("site.admin", "admin", ""),
    "apply": ("documents.documents", "apply", "Apply the documents in a file, all or none."),
    "backup": (
        "repairing.backup",
        "backup",
        "Write the whole site into one file, sealed by a passphrase.",
    ),
    "burst": ("services.burst", "group", "Burst hooks: status, test."),
    "ca": ("links.ca", "group", "The site's certificate authority: rotate, status."),
    "check": ("site.check", "check", "Find problems."),
    "completion": ("tools", "completion", "Print the completion script of a shell."),
    "controller": ("services.sidecar", "controller", "Run the site controller of a cluster."),
    "debug": ("repairing.debug", "group", "One archive for a maintainer, without secrets: dump."),
    "demo": ("watching.demo", "demo", "Show a burst on this machine: three sites, half a minute."),
    "delete": ("site.lifecycle", "delete", "Withdraw, stop and delete the site."),
    "events": ("watching.events", "events", "Show past events; with -f also new ones."),
    "explain": (
        "watching.explain",
        "explain",
        "Explain a code such as SW0404, and the next step.",
    ),
    "expose": ("services.expose", "expose", "Declare a service and bind a target to it."),
    "gateway": (
        "gateways.gateway",
        "group",
        "Gateways of this host: init, bind, expose, forward, status.",
    ),
    "get": ("documents.documents", "get", "Print documents."),
    "graph": ("watching.graph", "graph", "Show callers, services and serving sites."),
    "health": ("site.health", "health", "Check whether the router lives, for health checks."),
    "init": (
        "site.init",
        "init",
        "Make a site: identity, certificate authority, configuration.",
    ),
    "link": ("links.link", "group", "Links: create, status, set, delete."),
    "mesh": (
        "documents.mesh",
        "group",
        "A whole network in one file: plan, apply, test, drift, export.",
    ),
    "migrate": ("repairing.migrate", "migrate", "Move services from Skupper v1 to here, and back."),
    "network": ("links.network", "group", "All sites together: status."),
    "ping": ("links.ping", "ping", "Show the path to a site: hops, costs, round trips."),
    "restore": ("repairing.backup", "restore", "Restore the site in a backup."),
    "revoke-access": ("links.revoke", "revoke_access", "End the access of all sites, or of one."),
    "run": ("site.run", "run", "Run the router in the foreground."),
    "service": (
        "services.service",
        "group",
        "Services: create, bind, set, unbind, delete, status.",
    ),
    "sidecar": (
        "services.sidecar",
        "sidecar",
        "Print a workload with a router beside its application.",
    ),
    "site": ("site.drain", "group", "This site as a whole: drain."),
    "simulate": (
        "watching.simulate",
        "simulate",
        "Run a scenario in virtual time.",
    ),
    "start": ("site.lifecycle", "start", "Run the router in the background."),
    "status": ("site.status", "status", "Show the site in a few lines."),
    "stop": ("site.lifecycle", "stop", "Drain the router and end it."),
    "switch": ("tools", "switch", "Choose the platform for later commands."),
    "token": (
        "links.token",
        "group",
        "Tokens for sites that will link here: create, list, status.",
    ),
    "top": ("watching.top", "command", "Show live rates, load and spilled requests."),
    "unexpose": (
        "services.expose",
        "unexpose",
        "Detach a target; the last one deletes the service.",
    ),
    "update": ("site.update", "update", "Change a site, or bring it to this version."),
    "verify": ("verify", "verify", "Check a release without a network."),
    "version": ("tools", "version", "Show versions of sitectl, Python and the event loop."),
    "why": ("links.network", "why", "Show where the next request goes, and why."),
}


TRACEBACK_VARIABLE: Final = "SITECTL_TRACEBACK"
COMPLETE_VARIABLE: Final = "_SITECTL_COMPLETE"


class _Root(Verbs):
    """Finds verbs in their modules, and turns whatever ends one into its exit code."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names of all verbs."""
        return [name for name, (_, _, text) in VERBS.items() if text]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The verb of that name, its module imported; None: there is none."""
        if cmd_name not in VERBS:
            return None
        module, attribute, _ = VERBS[cmd_name]
        command: click.Command = getattr(import_module(f"sitectl.verbs.{module}"), attribute)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click's; an unknown verb is answered with the nearest."""
        unknown = args and args[0] not in VERBS and not args[0].startswith("-")
        if unknown and not ctx.resilient_parsing:
            ctx.fail(f"no verb {args[0]!r}.{meant(args[0], self.list_commands(ctx))}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list of verbs in `--help`, without importing them."""
        texts = {name: text for name, (_, _, text) in VERBS.items() if text}
        for title, lines in sections(texts):
            with formatter.section(title):
                formatter.write_dl(lines)

    def names_of(self, what: str, ctx: click.Context, incomplete: str) -> list[str]:
        """Names for shell completion. The imports are here because nothing else needs them."""
        from sitectl.site.completion import names

        return names(what, ctx, incomplete)

    def main(self, args: Sequence[str] | None = None, *rest: Any, **attributes: Any) -> Any:
        """Run a command line and exit with its code."""
        settings = Settings()
        settings.output = _output_asked(sys.argv[1:] if args is None else args)
        attributes.update(standalone_mode=False, obj=settings)
        sys.exit(
            int(_outcome(settings, lambda: super(_Root, self).main(args, *rest, **attributes)))
        )


def _output_asked(words: Sequence[str]) -> str:
    """The output format for an error in ``words``, read from them before they are parsed."""
    line = " ".join(words)
    found = re.search(r"(?:^| )(?:-o ?|--output[ =])(json|yaml)(?: |$)", line)
    return found[1] if found else "table"


def _outcome(settings: Settings, run: Callable[[], Any]) -> int:
    try:
        result = run()
    except Failure as failure:
        return _fail(settings, failure)
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        return Exit.USAGE
    except click.ClickException as error:
        return _fail_usage(settings, error)
    except (click.Abort, KeyboardInterrupt):
        click.echo("interrupted", err=True)
        return Exit.INTERRUPTED
    except BrokenPipeError:
        # The reader closed the pipe: not an error, and Python must not flush again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return Exit.OK
    except OSError as error:
        return _fail(settings, _system_failure(error))
    except CertError as error:
        return _fail(settings, _credential_failure(error))
    except ConfigError as error:
        return _fail(settings, Failure(Exit.FAILED, error.code, str(error)))
    except Exception as error:
        if TRACEBACK_VARIABLE in os.environ:
            raise
        return _fail(settings, _own_fault(error))
    return result if isinstance(result, int) else Exit.OK


def _system_failure(error: OSError) -> Failure:
    """A refusal by the operating system, with the thing to check."""
    message, hint = text_of(error), step_after(error)
    if isinstance(error, PermissionError):
        return not_allowed(message, hint)
    return Failure(Exit.FAILED, "system", message, hint)


def _own_fault(error: Exception) -> Failure:
    """An unexpected exception, with the way to report it."""
    said = str(error).splitlines()[:1]
    message = f"sitectl could not go on: {type(error).__name__}: {' '.join(said)[:200]}"
    hint = f"Report it with what this prints: {TRACEBACK_VARIABLE}=1 and the same command"
    return Failure(Exit.FAILED, "internal", message, hint)


def _credential_failure(error: CertError) -> Failure:
    place = f"{error.subject}:{error.line}" if error.line else error.subject
    message = f"{place}: {error.reason}"
    return Failure(Exit.FAILED, "credential", message, error.hint, retryable=error.retryable)


def _fail_usage(settings: Settings, error: click.ClickException) -> int:
    hint = ""
    if isinstance(error, click.UsageError) and error.ctx is not None:
        hint = f"{error.ctx.command_path} --help"
        example = first_example(error.ctx.command.help or "")
        if example and isinstance(error, click.MissingParameter):
            hint = f"{example}   (an example; more: {hint})"
    message = error.format_message().replace("\n\t", " ")  # Click lists choices by lines.
    failure = usage(message + _meant_choice(error), hint)
    return _fail(settings, failure)


_NO_CHOICE: Final = re.compile("'(.+)' is not one of ")


def _meant_choice(error: click.ClickException) -> str:
    """`` Did you mean fill?``, where a flag takes one of several words and got none of them."""
    param = error.param if isinstance(error, click.BadParameter) else None
    wrong = _NO_CHOICE.match(error.message)
    if wrong is None or param is None or not isinstance(param.type, click.Choice):
        return ""
    near = nearest(wrong[1], map(str, param.type.choices))
    return f" Did you mean {near}?" if near else ""


def _fail(settings: Settings, failure: Failure) -> int:
    if failure.hint:
        failure.hint = settings.here(failure.hint)
    elif failure.exit_code is Exit.USAGE:
        failure.hint = f"{settings.command} --help"
    if settings.output == "json":
        click.echo(json.dumps(failure.as_json()), err=True)
    elif settings.output == "yaml":
        import yaml

        click.echo(yaml.safe_dump(failure.as_json(), sort_keys=False), err=True, nl=False)
    else:
        click.echo(safe_lines(failure.as_text()), err=True)
    return failure.exit_code


@click.group(
    cls=_Root,
    params=list(global_options(hidden=False)),
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Exit codes: 0 ok, 1 failed, 2 usage, 3 degraded, 4 not found, 5 conflict, 6 timed out, "
    "7 not allowed, 8 router unreachable, 130 interrupted.",
)
def cli() -> None:
    """Sites, links and services: filled locally, spilled to the next cheapest site.

    \b
    First steps:
      sitectl init a && sitectl start            a site, its router running
      sitectl token create t.yaml                a token for the site that will link to it
      sitectl link create t.yaml                 at the other site
      sitectl expose host 127.0.0.1 --address shop --port 8080 --target-port 9001 --capacity 10
      sitectl why shop                           where the next request goes, and why

    \b
    On Kubernetes, where a namespace is a site:
      sitectl -n shop check --pre                which permission or object is missing
      sitectl -n shop init --wait ready          a site, its router running
      sitectl -n shop expose deployment/shop --port 8080 --protocol http --capacity 10
    """


def _open_closed_streams() -> None:
    """A caller that closed one of the three streams (``>&-``) wants nothing of it.

    Python then has None there, and the next file that is opened would get the number, here or in a
    program that we start, so that errors of libraries would be written into it.
    """
    for number, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        if getattr(sys, name) is None:
            opened = os.open(os.devnull, os.O_RDWR)
            if opened != number:
                os.dup2(opened, number)
                os.close(opened)
            os.set_inheritable(number, True)
            stream = open(number, mode, encoding="utf-8", closefd=False)  # noqa: SIM115 - it stays.
            setattr(sys, name, stream)


def main() -> None:
    """The command `sitectl`."""
    _open_closed_streams()
    if COMPLETE_VARIABLE in os.environ:
        # Completion prints words, and no errors into the line that the user types.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())
    cli(prog_name="sitectl")
