"""Law of wanted state: routers restart unnoticed, whatever users do to files and objects."""

import contextlib
import tempfile
from pathlib import Path
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from router.control import ConfigDirectory, SourcesReading
from router.documents import in_force
from router.model.specs import Document
from tests.examples import examples, histories
from tests.property.test_documents import DOCUMENTS
from tests.unit.kubernetes.leader.test_in_force import (
    Namespace,
    Router,
    documents,
    marked,
    router,
    settled,
)
from tests.unit.kubernetes.store.test_store import SITE as SITE_MAP
from tests.unit.virtual_loop import run

HEAD = "apiVersion: spillway/v1\n"
SITES = (f"{HEAD}kind: Site\nname: here\n", f"{HEAD}kind: Site\nname: here\nspec: 7\n")
_A = f"{HEAD}kind: Service\nname: a\nspec: {{ports: [1]}}\n"
_B = f"{HEAD}kind: Service\nname: b\nspec: {{ports: [1]}}\n"
_TO_A = f"{HEAD}kind: Connector\nname: c\nspec: {{service: a, targets: [{{host: h, port: 1}}]}}\n"
_WRONG = f"{HEAD}kind: Service\nname: a\nspec: {{ports: [0]}}\n"
TEXTS = (
    _A,
    _B,
    _TO_A,
    _A.replace("[1]", "[1, 2]"),
    _TO_A.replace("port: 1", "ports: [1, 2]"),
    f"{_A}---\n{_TO_A}",
    f"{_B}---\n{_WRONG}",
    _WRONG,
    "junk: [",
)
"""Right, partly right and wrong ones; several contradict each other or fit only together."""
SITE, NAMES = "site-here.yaml", ("a.yaml", "b.yaml", "c.yaml")
STEPS = st.dictionaries(
    st.sampled_from(NAMES), st.none() | st.sampled_from(TEXTS), max_size=2
) | st.sampled_from(SITES).map(lambda text: {SITE: text})
"""The files that are written between two reads, or removed (None)."""


def gist(reading: SourcesReading) -> tuple[object, ...]:
    return reading.wanted, reading.in_force, [str(error) for error in reading.errors]


@given(steps=histories(st.tuples(STEPS, st.booleans()), 12))
def test_restarts_change_nothing(steps: list[tuple[dict[str, str | None], bool]]) -> None:
    with tempfile.TemporaryDirectory() as place:
        site_dir = Path(place)
        (site_dir / "config").mkdir()
        (site_dir / "config" / SITE).write_text(SITES[0])
        steady, restarted = ConfigDirectory(site_dir), ConfigDirectory(site_dir)
        steady.load()
        restarted.load()
        for files, restarts in steps:
            for name, text in files.items():
                if text is None:
                    (site_dir / "config" / name).unlink(missing_ok=True)
                else:
                    (site_dir / "config" / name).write_text(text)
            restarted.load()
            if restarts:
                (site_dir / in_force.FILE).write_bytes(in_force.encode(restarted.in_force))
                restarted = ConfigDirectory(site_dir)
            assert gist(restarted.load()) == gist(steady.load())


KEYS = ("a.yaml", "b.yaml")
OBJECTS = (
    marked(),
    marked(**{"skupper.io_address": "a"}),
    marked(**{"skupper.io_port": "eighty"}),
    marked(**{"skupper.io_proxy": "hhtp", "skupper.io_address": "b"}),
)
CHANGES = st.dictionaries(
    st.sampled_from(KEYS), st.none() | st.sampled_from(TEXTS), max_size=2
) | st.sampled_from(OBJECTS)
"""Keys of a ConfigMap of documents that are set or removed (None), or a Deployment."""


def change(cluster: Namespace, changes: dict[str, Any]) -> None:
    if "kind" in changes:
        cluster.put(changes)
        return
    before = cluster.of("ConfigMap").objects.get("mine", {}).get("data", {})
    data = {key: text for key, text in {**before, **changes}.items() if text is not None}
    cluster.put(documents() | {"data": data})


def gist_of(one: Router) -> tuple[object, ...]:
    """All but inner ports, which depend on the Services that there were before."""
    reading = one.told.store.load()
    wanted = msgspec.structs.replace(reading.wanted, inner_ports=None, promised={})
    return wanted, reading.in_force, [str(error) for error in reading.errors]


@given(steps=histories(st.tuples(CHANGES, st.booleans()), 8))
@settings(max_examples=examples(40))
def test_restarts_change_nothing_in_a_namespace(steps: list[tuple[dict[str, Any], bool]]) -> None:
    async def story() -> None:
        cluster = Namespace(SITE_MAP, marked(), documents(a=_A))
        async with contextlib.AsyncExitStack() as stack:
            steady = await stack.enter_async_context(router(cluster, leads=False))
            life = contextlib.AsyncExitStack()
            stack.push_async_callback(life.aclose)
            one = await life.enter_async_context(router(cluster))
            for changes, restarts in steps:
                change(cluster, changes)
                await settled()
                if restarts:
                    await life.aclose()
                    one = await life.enter_async_context(router(cluster))
                    await settled()
                assert gist_of(one) == gist_of(steady)

    run(story())


@given(documents=st.lists(DOCUMENTS, max_size=3), digest=st.text())
def test_stored_documents_read_back_the_same(documents: list[Document], digest: str) -> None:
    kept = {"a.yaml": in_force.InForce(digest, tuple(documents))}
    assert in_force.decode(in_force.encode(kept)) == kept
