"""The fixtures of the scenario and browser tests hold here, too."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.browser.conftest import chromium
from tests.kubernetes.cluster import Cluster
from tests.scenario.conftest import pytest_runtest_makereport
from tests.scenario.harness import Site
from tests.truth.namespaces import NamespaceSite, NamespaceStage, NamespaceSurfaces
from tests.truth.scene import Shop, Stage
from tests.truth.surfaces import Surfaces

__all__ = ["chromium", "pytest_runtest_makereport"]

Watch = Callable[[Site], Surfaces]
Build = Callable[[Path], Stage]
HOST, NAMESPACE = "host", "namespace"
on_a_host = pytest.mark.parametrize("build", [HOST], indirect=True)
in_a_namespace = pytest.mark.parametrize("build", [NAMESPACE], indirect=True)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """One for all tests of a module, each of which has separate namespaces."""
    without = ("kubelet", "loadbalancer", "endpointslice")
    with Cluster(tmp_path_factory.mktemp("cluster"), without=without) as made:
        yield made


@pytest.fixture(params=[HOST, NAMESPACE])
def build(request: pytest.FixtureRequest) -> Build:
    """Makes a stage with its files in a directory.

    Each fault happens to a site on a host, then to one in a namespace.
    """
    if request.param == HOST:
        return Stage
    cluster: Cluster = request.getfixturevalue("cluster")
    return lambda state: NamespaceStage(state, cluster)


@pytest.fixture
def net(build: Build, tmp_path: Path) -> Iterator[Stage]:
    """Without sites yet."""
    with build(tmp_path) as stage:
        yield stage


@pytest.fixture
def watch(request: pytest.FixtureRequest, tmp_path: Path) -> Watch:
    """The surfaces of a site, which is well."""

    def surfaces(site: Site) -> Surfaces:
        if isinstance(site, NamespaceSite):
            return NamespaceSurfaces(site)
        chromium: Browser = request.getfixturevalue("chromium")
        return Surfaces(site, chromium, tmp_path)

    return surfaces


@pytest.fixture
def shop(net: Stage) -> Iterator[Shop]:
    """The usual two sites, running."""
    yield Shop(net).start()
