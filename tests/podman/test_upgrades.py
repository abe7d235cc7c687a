"""From the image of the last release to this one and back, under load, at either end of a link."""

import configparser
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import releases
from tests.podman.engine import podman
from tests.podman.harness import Containers
from tests.scenario.clients import KeptLoad
from tests.scenario.harness import SHOP_PORT
from tests.scenario.waiting import until

SLOTS = 3
BODY = b"b" * 4_000
RECIPE = """\
FROM {image}
USER 0
COPY packages /packages
RUN for place in /opt/spillway/lib/python3*/site-packages; do \\
  rm -rf "$place/router" "$place/sitectl" "$place/certs" "$place/simulator" && \\
  cp -R /packages/. "$place"; done
COPY programs /opt/spillway/bin/
USER 1001
"""
PROGRAM = """\
#!/opt/spillway/bin/python
import sys
from {module} import {function}
sys.exit({function}())
"""


@pytest.fixture(scope="module")
def last(image: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Our image with the packages of the last release in the place of ours."""
    name = f"localhost/spillway-last-release:{os.getpid()}"
    context: Path = tmp_path_factory.mktemp("last")
    shutil.copytree(releases.previous(), context / "packages")
    (context / "programs").mkdir()
    (points,) = releases.previous().glob("*.dist-info/entry_points.txt")
    listed = configparser.ConfigParser()
    listed.read(points)
    for program, place in listed["console_scripts"].items():
        module, _, function = place.partition(":")
        path = context / "programs" / program
        path.write_text(PROGRAM.format(module=module, function=function))
        path.chmod(0o755)
    (context / "Dockerfile").write_text(RECIPE.format(image=image))
    words = ("--pull=never", "--network=none", "--format=docker", "--layers=false")
    podman("build", "--quiet", *words, f"--tag={name}", str(context))
    yield name
    podman("rmi", "--force", name)


@pytest.mark.parametrize("dials", [True, False], ids=["its site dials", "its site accepts"])
@pytest.mark.timeout(600)
def test_an_image_is_replaced_both_ways_under_load_and_nothing_is_lost(
    net: Containers, last: str, dials: bool
) -> None:
    ours, there, near = net.image, net.container_site("there"), net.site("near")
    there.image = last
    there.init()
    near.declare("shop", queueWait="9s")
    for site in (near, there):
        site.connect("shop", net.http(site.name, 0.02), capacity=SLOTS)
    net.link(*((there, near) if dials else (near, there)))
    net.start(near)

    def settle() -> None:
        net.see_each_other()
        net.ready("shop", {near.name: 1, there.name: 1})

    settle()
    identity = there.json("status")["id"]
    doors = [(site.address, SHOP_PORT) for site in (there, near)]
    with KeptLoad([doors, doors[::-1]] * 4, body=BODY) as load:
        until(lambda: len(load.asked) > 50, "the load runs")
        for image in (ours, last):
            there.image = image
            assert there.json("update", "--image", image)["change"] == "updated"
            assert there.inspected()["ImageName"] == image
            settle()
            served = len(load.asked)
            until(lambda served=served: len(load.asked) > served + 50, "it is used")  # type: ignore[misc]
    assert load.failed("GET", "PUT", "POST") == []
    assert there.json("status")["id"] == identity
    net.at_rest("shop")
