"""`sidecar`: a workload's YAML with a router in its pods, asking no cluster; `controller`."""

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import yaml

from router.documents.readers import is_name
from router.kubernetes import manifests
from router.kubernetes.manifests import SidecarService
from router.kubernetes.manifests.image import PULL_POLICY
from router.kubernetes.manifests.sidecar import has_template
from router.kubernetes.objects.objects import metadata, name_of
from router.model.errors import ConfigError
from sitectl.base import output, texts
from sitectl.base.failure import Exit, Failure, usage
from sitectl.base.options import Settings, TokenFile
from sitectl.base.verb import Verb
from sitectl.runtimes.image import (
    ImageFlags,
    chosen_image,
    image_flags,
    policy_of_pods,
    stated_image,
)
from sitectl.runtimes.process import router_environment

if TYPE_CHECKING:
    from router.kubernetes.manifests import SidecarService
    from router.kubernetes.objects.objects import Object


def _loader() -> type[yaml.SafeLoader]:
    """Reads as kubectl does: what looks like a date is a text."""

    class Loader(yaml.SafeLoader):
        pass

    def text(loader: Loader, node: yaml.Node) -> str:
        return str(node.value)

    Loader.add_constructor("tag:yaml.org,2002:timestamp", text)
    return Loader


@click.command(cls=Verb)
@click.option(
    "-f", "--filename", "file", required=True, metavar="FILE|-", help="File with the workload."
)
@click.option(
    "--service",
    "services",
    multiple=True,
    required=True,
    metavar="NAME[:PORT[,PORT…]]",
    help="Service that the application calls by this name.",
)
@click.option(
    "--token", type=TokenFile(), help="Certificate token; the command also prints its Secret."
)
@click.option(
    "--token-secret", help="Secret that has the token as token.yaml. [default: NAME-spillway]"
)
@image_flags
@click.option("--plain", is_flag=True, help="Use an ordinary container, for clusters before 1.29.")
@click.pass_obj
def sidecar(
    settings: Settings,
    file: str,
    services: tuple[str, ...],
    token: str | None,
    token_secret: str | None,
    image: ImageFlags,
    plain: bool,
) -> None:
    """Print a workload with a native sidecar router: its services answer by name in the pod.

    Works for Deployment, StatefulSet, DaemonSet, Job, CronJob and Pod. The application starts once
    the router listens for its services, and the router ends after it. With a port below 1024, or
    without a port, a safe sysctl lets any user listen there. Each pod makes its own key; the token
    must be a certificate token, which any number of pods may use.

    \b
    Examples:
      sitectl token create west.yaml --token-type cert
      sitectl sidecar -f shop.yaml --service db:5432 --token west.yaml | kubectl apply -f -
      sitectl sidecar -f job.yaml --service db --service api:80 --token-secret west
    """
    wanted = [_service(words) for words in services]
    text = _token_text(token) if token is not None else ""
    pull_policy = policy_of_pods(image.image_pull_policy) or PULL_POLICY
    secrets: list[Object] = []
    printed: list[Object] = []
    for found in _objects(file):
        if not has_template(found):
            printed.append(found)
            continue
        secret = token_secret or f"{name_of(found)}-spillway"
        try:
            made = manifests.sidecar(
                found,
                wanted,
                secret,
                image=chosen_image(image.image),
                pull_policy=pull_policy,
                native=not plain,
            )
        except ConfigError as error:
            raise Failure(Exit.FAILED, error.code, error.message, error.hint) from error
        for doubt in made.errors:
            output.note(f"{doubt.message}. {doubt.hint}")
        namespace = str(metadata(found).get("namespace", ""))
        if text:
            made_secret = manifests.token_secret(secret, namespace, text)
            if not _is_among(secrets, made_secret):
                secrets.append(made_secret)
        elif token_secret is None:
            output.note(
                f"Needs: kubectl create secret generic {secret} --from-file=token.yaml=FILE"
            )
        printed.append(made.workload)
    if not any(map(has_template, printed)):
        raise usage(f"{file}: no workload in it", "sitectl sidecar --help")
    _print(settings, [*secrets, *(found for found in printed if not _is_among(secrets, found))])


@click.command(cls=Verb)
@click.option("--watch", metavar="NAMESPACE,…", help="Where to look. [default: $WATCH_NAMESPACE]")
@image_flags
@click.pass_obj
def controller(settings: Settings, watch: str | None, image: ImageFlags) -> None:
    """Run the site controller in the foreground: it makes a router for each ConfigMap skupper-site.

    It runs in a pod, see deploy/controller; here it takes --kubeconfig.

    \b
    Example:
      sitectl controller --watch west,east --kubeconfig ~/.kube/config
    """
    words = [sys.executable, "-P", "-m", "router.process.controller"]
    for flag, value in (
        ("--watch", watch),
        ("--image", stated_image(image.image) or None),
        ("--image-pull-policy", policy_of_pods(image.image_pull_policy)),
        ("--kubeconfig", settings.kubeconfig),
    ):
        words += [flag, value] if value is not None else []
    sys.stdout.flush()
    os.execve(words[0], words, router_environment())


def _is_among(secrets: "list[Object]", found: "Object") -> bool:
    """Whether it is one of ``secrets``, as an earlier run printed it or for another workload."""
    return found.get("kind") == "Secret" and any(
        name_of(found) == name_of(secret)
        and metadata(found).get("namespace") == metadata(secret).get("namespace")
        for secret in secrets
    )


def _service(words: str) -> "SidecarService":
    name, colon, ports = words.partition(":")
    if not is_name(name):
        raise usage(f"--service {words!r}: {name!r} is no service name", "--service db:5432")
    numbers = ports.split(",") if colon else []
    if not all(n.isascii() and n.isdecimal() and 1 <= int(n[:6]) <= 65_535 for n in numbers):
        raise usage(f"--service {words!r}: expected NAME:PORT or NAME:PORT,PORT")
    return SidecarService(name, tuple(map(int, numbers)))


def _token_text(file: str) -> str:
    from certs.token_files import tokens

    token = tokens.read_file(Path(file))
    if token.kind != "certificate":
        raise usage(
            f"{file} is a claim: each pod would redeem it, and it counts its uses",
            "At the other site: sitectl token create FILE --token-type cert",
        )
    return tokens.dump(token)


def _objects(file: str) -> "list[Object]":
    """Every object of ``file``, those of a List apart. Failure: that is no YAML of objects."""
    text = texts.decoded(sys.stdin.buffer.read(), "-") if file == "-" else texts.text_of(Path(file))
    try:
        documents = [found for found in yaml.load_all(text, Loader=_loader()) if found is not None]
    except yaml.YAMLError as error:
        raise usage(f"{file} is not YAML: {' '.join(str(error).split())}") from error
    objects: list[Any] = []
    for found in documents:
        is_list = isinstance(found, dict) and found.get("kind") == "List"
        objects += (found.get("items") or []) if is_list else [found]
    for found in objects:
        if not isinstance(found, dict) or not isinstance(found.get("kind"), str):
            raise usage(f"{file} holds something that is no Kubernetes object")
    return objects


def _print(settings: Settings, objects: "list[Object]") -> None:
    if settings.output == "json":
        listed = {"apiVersion": "v1", "kind": "List", "items": objects}
        click.echo(json.dumps(listed, indent=2))
    else:
        click.echo(yaml.safe_dump_all(objects, sort_keys=False, allow_unicode=True), nl=False)
