"""`health`: whether a router lives, for frequent callers: health checks of containers, scripts.

The verb reads no document and starts in a tenth of a second, so a script may call it every few
seconds.
"""

import os
from pathlib import Path

import click

from sitectl.base import output
from sitectl.base.failure import Exit, Failure, not_found, usage
from sitectl.base.options import IN_POD_VARIABLE, Settings
from sitectl.base.verb import Verb
from sitectl.site import places
from sitectl.site.admin import Admin, AdminClient, Call

SITE_DIR_VARIABLE = "SPILLWAY_SITE_DIR"
IN_POD_STATE = "/var/lib/spillway"


@click.command(cls=Verb)
@click.option(
    "--ready",
    is_flag=True,
    help="Also check that it serves: it has started and does not drain.",
)
@click.option(
    "--site-dir",
    type=click.Path(path_type=Path),
    envvar=SITE_DIR_VARIABLE,
    help="Directory of the router's site. [default: the site's; what SITECTL_STATE"
    " names may be the site itself]",
)
@click.pass_obj
def health(settings: Settings, ready: bool, site_dir: Path | None) -> None:
    """Check whether the router lives: exit 0, else not 0 and one line that says why.

    \b
    Examples, in a container where SITECTL_STATE names the directory that is mounted:
      HEALTHCHECK CMD ["sitectl", "health"]
      HealthCmd=sitectl health
    and on a host:
      sitectl --site a health --ready || sitectl --site a start

    It asks the router itself, over its admin socket. 1: it answers, and is not well; 4: there is
    no such site; 8: nothing answers within 5 s, or the time of --timeout if that is less.
    """
    path, word = ("/readyz", "ready") if ready else ("/healthz", "alive")
    client, name = _router(settings, site_dir)
    try:
        answer = client.exchange([Call("GET", path)])[0]
    except Failure as failure:
        failure.hint = ""  # One line: who runs health checks shows no more.
        raise
    if answer.status != 200:
        said = answer.content.decode("utf-8", "replace").strip() or f"status {answer.status}"
        raise Failure(
            Exit.FAILED, "unhealthy", f"the router of site {name!r}: {said}", retryable=True
        )
    output.emit_item(settings, "Health", {"site": name, "state": word}, lambda: word)


def _router(settings: Settings, site_dir: Path | None) -> tuple[AdminClient, str]:
    """Whom to ask, and the name of its site. Failure: there is no such site."""
    if site_dir is not None:
        return _beside(site_dir, settings)
    if settings.on_kubernetes():
        if IN_POD_VARIABLE in os.environ and not settings.namespace:
            return _beside(Path(settings.state or IN_POD_STATE) / "site", settings)
        from sitectl.kubernetes.site import KubernetesSite

        site = KubernetesSite.of(settings)
        return site.admin, site.name
    state = places.state_dir(settings)
    names = places.site_names(state)
    if settings.site:
        names = [name for name in names if name == settings.site]
    if len(names) == 1:
        return _beside(state / names[0], settings)
    if names:
        raise usage(f"several sites in {state}: {', '.join(names)}; add --site NAME")
    if not settings.site and (state / "config").is_dir():
        return _beside(state, settings)
    raise not_found(
        f"no site {settings.site!r} in {state}" if settings.site else f"no site in {state}"
    )


def _beside(directory: Path, settings: Settings) -> tuple[Admin, str]:
    name = directory.absolute().name
    return Admin(directory / "run" / "admin.sock", name, wait_s=settings.timeout_s), name
