"""`admin`, hidden: carries calls to the admin API of the router in this pod, for `sitectl` outside.

One exec carries several calls. The request is on the command line: commands hold no secret, and
closing the input of an exec needs newer API servers.
"""

import json
import sys
from pathlib import Path

import click

from sitectl.base.failure import usage
from sitectl.base.verb import Verb
from sitectl.kubernetes.door import site_directory
from sitectl.site.admin import Admin, Call


@click.command(cls=Verb, hidden=True)
@click.option(
    "--site-dir", type=Path, help="Directory of the router's site. [default: that of this pod]"
)
@click.option("--follow", is_flag=True, help="The event stream, line by line.")
@click.argument("words", nargs=-1)
def admin(site_dir: Path | None, follow: bool, words: tuple[str, ...]) -> None:
    """Answer ``GET PATH`` and ``POST PATH BODY`` with a JSON list of [status, text]."""
    router = Admin(
        (site_dir or site_directory()) / "run" / "admin.sock", "here", "Wait until its pod is ready"
    )
    if follow:
        for line in router.event_lines():
            sys.stdout.buffer.write(line)
            sys.stdout.buffer.flush()
        return
    answers = router.exchange(_calls(list(words)))
    click.echo(json.dumps([[a.status, a.content.decode("utf-8", "replace")] for a in answers]))


def _calls(words: list[str]) -> list[Call]:
    calls: list[Call] = []
    while words:
        size = {"GET": 2, "POST": 3}.get(words[0], 0)
        if not size or len(words) < size:
            raise usage(f"expected GET PATH or POST PATH BODY, got {' '.join(words)}")
        calls.append(Call(*words[:size]))
        words = words[size:]
    return calls
