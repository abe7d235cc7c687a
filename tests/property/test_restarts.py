"""Law of wanted state: restarts of the router change nothing, whatever users do to the files."""

import tempfile
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from router.control import ConfigDirectory, SourcesReading
from router.documents import in_force
from router.model.specs import Document
from tests.examples import histories
from tests.property.test_documents import DOCUMENTS

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


@given(documents=st.lists(DOCUMENTS, max_size=3), digest=st.text())
def test_stored_documents_read_back_the_same(documents: list[Document], digest: str) -> None:
    kept = {"a.yaml": in_force.InForce(digest, tuple(documents))}
    assert in_force.decode(in_force.encode(kept)) == kept
