"""`spillway-controller`: a router for each ConfigMap ``skupper-site``, in one namespace or all.

It carries no traffic: without it sites go on as they are.
"""

import argparse
import asyncio
import contextlib
import os
import random
import signal
import sys

from router import __version__
from router.admin.server import serving_health
from router.kubernetes.client.api import Api
from router.kubernetes.controller.controller import SiteController
from router.kubernetes.controller.controller_findings import FIELD_MANAGER
from router.kubernetes.manifests import WATCH_NAMESPACE
from router.kubernetes.manifests.image import (
    IMAGE,
    IMAGE_VARIABLE,
    PULL_POLICIES,
    PULL_POLICY,
    PULL_POLICY_VARIABLE,
)
from router.model.errors import RouterError
from router.model.wording.system_errors import text_of
from router.process.logs import logging_to
from router.process.main import PROBES_VARIABLE, place


def main(arguments: list[str] | None = None) -> int:
    """Run until told to stop. Exit code 0 then, 1 if it cannot start."""
    parser = argparse.ArgumentParser(
        prog="spillway-controller",
        description="Makes a site of each ConfigMap skupper-site, in one namespace or in all.",
    )
    parser.add_argument(
        "--watch",
        default=os.environ.get(WATCH_NAMESPACE, ""),
        metavar="NAMESPACE,…",
        help=f"where to look; empty: everywhere [env: {WATCH_NAMESPACE}]",
    )
    parser.add_argument(
        "--image",
        default=os.environ.get(IMAGE_VARIABLE) or IMAGE,
        help=f"what routers run [env: {IMAGE_VARIABLE}]",
    )
    parser.add_argument(
        "--image-pull-policy",
        choices=PULL_POLICIES,
        default=os.environ.get(PULL_POLICY_VARIABLE) or PULL_POLICY,
        help=f"when nodes pull it [env: {PULL_POLICY_VARIABLE}]",
    )
    parser.add_argument(
        "--probes",
        type=place,
        metavar="[IP]:PORT",
        default=os.environ.get(PROBES_VARIABLE) or None,
        help=f"where /healthz and /readyz are served to anyone [env: {PROBES_VARIABLE}]",
    )
    parser.add_argument("--kubeconfig", help="[default: the pod's service account]")
    parser.add_argument("--log-level", default="info", choices=("debug", "info", "warning"))
    parser.add_argument("--version", action="version", version=__version__)
    options = parser.parse_args(arguments)
    try:
        with logging_to(None, options.log_level):
            asyncio.run(_serve(options))
    except (RouterError, OSError) as error:
        print(f"spillway-controller: {text_of(error)}", file=sys.stderr)
        return 1
    return 0


async def _serve(options: argparse.Namespace) -> None:
    loop = asyncio.get_running_loop()
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    namespaces = [name.strip() for name in options.watch.split(",") if name.strip()]
    async with contextlib.AsyncExitStack() as stack:
        api = await stack.enter_async_context(
            Api.connect(kubeconfig=options.kubeconfig, field_manager=FIELD_MANAGER)
        )
        controller = SiteController(
            api, namespaces, options.image, options.image_pull_policy, random.Random()
        )
        if options.probes is not None:
            await stack.enter_async_context(
                serving_health(lambda: controller.ready, options.probes)
            )
        async with asyncio.TaskGroup() as tasks:
            running = tasks.create_task(controller.run())
            await stopping.wait()
            running.cancel()


if __name__ == "__main__":
    sys.exit(main())
