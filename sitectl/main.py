"""`sitectl`: the root of all verbs, and how errors become text, JSON and exit codes."""

import json
import os
import sys
from collections.abc import Callable
from typing import Any

import click

from certs.errors import CertError
from router.model.errors import ConfigError
from sitectl.failure import Exit, Failure
from sitectl.options import Settings, Verbs, global_options
from sitectl.output import safe
from sitectl.verbs import (
    check,
    documents,
    events,
    expose,
    link,
    network,
    service,
    site,
    token,
    tools,
)


class _Root(Verbs):
    """Turns whatever ends a verb into its exit code, once for all of them."""

    def main(self, *args: Any, **attributes: Any) -> Any:
        """Run a command line and exit with its code."""
        settings = Settings()
        attributes.update(standalone_mode=False, obj=settings)
        sys.exit(int(_outcome(settings, lambda: super(_Root, self).main(*args, **attributes))))


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
        # Whoever read our output has enough: not an error, and Python must not flush again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return Exit.OK
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        denied = isinstance(error, PermissionError)
        exit_code = Exit.NOT_ALLOWED if denied else Exit.FAILED
        code = "not-allowed" if denied else "system"
        return _fail(settings, Failure(exit_code, code, f"{place}{error.strerror or error}"))
    except CertError as error:
        return _fail(settings, _credential_failure(error))
    except ConfigError as error:
        return _fail(settings, Failure(Exit.FAILED, error.code, str(error)))
    return result if isinstance(result, int) else Exit.OK


def _credential_failure(error: CertError) -> Failure:
    place = f"{error.subject}:{error.line}" if error.line else error.subject
    message = f"{place}: {error.reason}"
    return Failure(Exit.FAILED, "credential", message, error.hint, retryable=error.retryable)


def _fail_usage(settings: Settings, error: click.ClickException) -> int:
    hint = ""
    if isinstance(error, click.UsageError) and error.ctx is not None:
        hint = f"{error.ctx.command_path} --help"
    failure = Failure(Exit.USAGE, "usage", error.format_message(), hint)
    return _fail(settings, failure)


def _fail(settings: Settings, failure: Failure) -> int:
    if settings.output == "json":
        click.echo(json.dumps(failure.as_json()), err=True)
    elif settings.output == "yaml":
        import yaml

        click.echo(yaml.safe_dump(failure.as_json(), sort_keys=False), err=True, nl=False)
    else:
        click.echo("\n".join(map(safe, failure.as_text().split("\n"))), err=True)
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
      sitectl token create t.yaml                a token for the site that shall link to it
      sitectl link create t.yaml                 at the other site
      sitectl expose host 127.0.0.1 --address shop --port 8080 --target-port 9001 --capacity 10
      sitectl why shop                           where the next request goes, and why
    """


for _module in (site, token, link, service, expose, network, documents, events, check, tools):
    _module.register(cli)


def main() -> None:
    """The command `sitectl`."""
    cli(prog_name="sitectl")
