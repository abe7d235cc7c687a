"""Lists and watches, as lightkube's clients see them: versions, selectors, bookmarks, 410."""

import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from lightkube import ApiError, AsyncClient, Client, KubeConfig
from lightkube.resources.core_v1 import ConfigMap, Pod

from tests import needs
from tests.kubernetes import async_waiting
from tests.kubernetes.client import raw
from tests.kubernetes.cluster import Cluster
from tests.kubernetes.manifests import pod
from tests.kubernetes.upstream import BRINGS_NODE
from tests.scenario.waiting import until

Event = tuple[str, Any]


@pytest.fixture
def client(cluster: Cluster) -> Iterator[Client]:
    """A synchronous client of an administrator."""
    found = Client(KubeConfig.from_file(cluster.kubeconfig()).get(), trust_env=False)
    yield found
    found.close()


class Watching:
    """A watch in a thread; the events that it saw so far."""

    def __init__(self, client: Client, **words: Any) -> None:
        self.events: list[Event] = []
        self.error: Exception | None = None
        self._client, self._words = client, words
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self.events.extend(self._watch())
        except Exception as error:  # What ended it is what a test looks at.
            self.error = error

    def _watch(self) -> Iterator[Event]:
        for kind, found in self._client.watch(ConfigMap, namespace="default", **self._words):
            self.events.append((kind, found))
        yield from ()

    def saw(self, *wanted: tuple[str, str]) -> None:
        """Wait until exactly these (type, name) were seen."""
        until(lambda: self.seen() == list(wanted), f"{wanted}, saw {self.seen()}")

    def seen(self) -> list[tuple[str, str]]:
        """The events seen so far."""
        return [(kind, found.metadata.name or "") for kind, found in self.events]

    def ended(self) -> Exception | None:
        """Wait for its end; return the error it ended with."""
        self._thread.join(10)
        assert not self._thread.is_alive()
        return self.error


def test_a_watch_begins_where_the_list_ended(cluster: Cluster, client: Client) -> None:
    cluster.create("ConfigMap", "before")
    listed = client.list(ConfigMap, namespace="default")
    assert "before" in {each.metadata.name for each in listed if each.metadata}
    watch = Watching(client, resource_version=listed.resourceVersion)
    cluster.create("ConfigMap", "a")
    cluster.patch("ConfigMap", "a", {"data": {"k": "v"}})
    cluster.delete("ConfigMap", "a")
    watch.saw(("ADDED", "a"), ("MODIFIED", "a"), ("DELETED", "a"))
    versions = [int(found.metadata.resourceVersion) for _kind, found in watch.events]
    assert versions == sorted(set(versions))


def test_who_leaves_the_selector_is_deleted_and_who_enters_is_added(
    cluster: Cluster, client: Client
) -> None:
    watch = Watching(client, labels={"tier": "front"}, resource_version=_now(cluster))
    cluster.create("ConfigMap", "a", metadata={"labels": {"tier": "back"}})
    cluster.patch("ConfigMap", "a", {"metadata": {"labels": {"tier": "front"}}})
    cluster.patch("ConfigMap", "a", {"data": {"k": "v"}})
    cluster.patch("ConfigMap", "a", {"metadata": {"labels": {"tier": None}}})
    cluster.delete("ConfigMap", "a")
    watch.saw(("ADDED", "a"), ("MODIFIED", "a"), ("DELETED", "a"))
    gone = watch.events[-1][1]
    assert gone.metadata.labels == {"tier": "front"}
    assert gone.data == {"k": "v"}


def test_a_field_selector_narrows_a_watch_to_one_object(cluster: Cluster, client: Client) -> None:
    watch = Watching(client, fields={"metadata.name": "b"}, resource_version=_now(cluster))
    for name in ("a", "b", "c"):
        cluster.create("ConfigMap", name)
    watch.saw(("ADDED", "b"))


def test_a_watch_from_a_compacted_version_ends_with_410_in_an_event(
    cluster: Cluster, client: Client
) -> None:
    old = _now(cluster)
    cluster.create("ConfigMap", "a")
    cluster.compact()
    error = Watching(client, resource_version=old).ended()
    assert isinstance(error, ApiError)
    assert (error.status.code, error.status.reason) == (410, "Expired")
    assert "too old resource version" in (error.status.message or "")


def test_a_watch_from_a_compacted_version_may_be_refused_with_410_at_once(
    cluster: Cluster, client: Client
) -> None:
    old = _now(cluster)
    cluster.create("ConfigMap", "a")
    cluster.compact()
    cluster.faults.watches_gone_as_http = True
    error = Watching(client, resource_version=old).ended()
    assert error is not None
    assert "410" in str(error)


def test_a_watch_ends_in_time_and_can_be_resumed(cluster: Cluster, client: Client) -> None:
    first = _now(cluster)
    cluster.create("ConfigMap", "a")
    watch = Watching(client, resource_version=first, server_timeout=1)
    cluster.create("ConfigMap", "b")
    watch.saw(("ADDED", "a"), ("ADDED", "b"))
    until(lambda: cluster.faults.count(verb="watch") >= 2, "the client resumed the watch")
    cluster.create("ConfigMap", "c")
    watch.saw(("ADDED", "a"), ("ADDED", "b"), ("ADDED", "c"))


def test_bookmarks_carry_the_version_forward(cluster: Cluster) -> None:
    if BRINGS_NODE:
        needs.lacking("the cluster of the tests, whose bookmarks come when a test wants them")
    cluster.faults.bookmark_interval_s = 0.05
    query = f"watch=1&allowWatchBookmarks=true&resourceVersion={_now(cluster)}"
    with raw(cluster) as client:
        place = f"/api/v1/namespaces/default/configmaps?{query}"
        with client.stream("GET", place) as stream:
            lines = stream.iter_lines()
            first = json.loads(next(lines))
            cluster.create("Secret", "elsewhere")
            version = _now(cluster)
            while int(first["object"]["metadata"]["resourceVersion"]) < int(version):
                first = json.loads(next(lines))
    assert (first["type"], first["object"]["kind"]) == ("BOOKMARK", "ConfigMap")


def test_a_long_list_comes_in_pages_of_one_revision(cluster: Cluster, client: Client) -> None:
    for number in range(7):
        cluster.create("ConfigMap", f"c{number}", metadata={"labels": {"own": "1"}})
    names: list[str | None] = []
    for found in client.list(ConfigMap, namespace="default", labels={"own": "1"}, chunk_size=3):
        if not names:
            cluster.create("ConfigMap", "c10", metadata={"labels": {"own": "1"}})
        names.append(found.metadata.name if found.metadata else None)
    assert names == [f"c{number}" for number in range(7)]
    assert cluster.faults.count(verb="list", kind="ConfigMap") == 3


def test_an_expired_continue_token_gives_410(cluster: Cluster, client: Client) -> None:
    for number in range(4):
        cluster.create("ConfigMap", f"c{number}")
    pages = iter(client.list(ConfigMap, namespace="default", chunk_size=2))
    next(pages)
    cluster.compact()
    with pytest.raises(ApiError) as refused:
        list(pages)
    assert refused.value.status.code == 410
    assert "continue parameter is too old" in (refused.value.status.message or "")


def test_the_asynchronous_client_lists_and_watches_too(cluster: Cluster) -> None:
    async def run() -> list[str]:
        client = AsyncClient(KubeConfig.from_file(cluster.kubeconfig()).get(), trust_env=False)
        listed = client.list(Pod, namespace="default")
        assert [each async for each in listed] == []
        version = listed.resourceVersion
        cluster.create_object(pod("one"))
        phases = []
        async for _kind, found in client.watch(Pod, namespace="default", resource_version=version):
            phases.append(str(found.status and found.status.phase))
            conditions = (found.status and found.status.conditions) or []
            if any(each.type == "Ready" and each.status == "True" for each in conditions):
                break
        await client.close()
        return phases

    phases = async_waiting.run(run())
    assert (phases[0], phases[-1]) == ("Pending", "Running")


def _now(cluster: Cluster) -> str:
    return str(cluster.call(lambda: cluster.store.revision))
