"""Laws of mesh files: both directions of the text, and of files and networks."""

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from router.model.specs import Document
from sitectl.mesh.changes import LinkState, MeshChange, SiteSurvey, changes_at
from sitectl.mesh.expanding import documents_of, links_of
from sitectl.mesh.gathering import gathered
from sitectl.mesh.reading import read
from sitectl.mesh.record import decoded, encoded
from sitectl.mesh.sentences import FORMS, parsed
from sitectl.mesh.values import Mesh, MeshPlace
from sitectl.mesh.writing import write
from tests.examples import examples
from tests.property.meshes import IDS, NAMES, STRANGE, meshes, networks

FEW = settings(max_examples=examples(40))
"""To draw a mesh or a network takes longer than to judge it."""
LINES = st.sampled_from(
    (
        "apiVersion: spillway/v1",
        "kind: Mesh",
        "name: shop",
        "spec:",
        "  sites: {west: {}, east: }",
        "  links: [{from: west, to: east}]",
        "  services: {shop: {owner: west, ports: [80]}}",
        "  tests: [west may call shop]",
        "  sites:",
        "    west:",
        "      at: {runtime: kubernetes}",
        "---",
        "  - &a x",
        "\t",
        "? |",
        "!!binary x",
    )
)
WORDS = st.sampled_from(
    sorted({word.strip("[],") for form in FORMS for word in form.split()} | {"west", "full,", "/s"})
)


def without_lines(mesh: Mesh) -> Mesh:
    """Where a sentence was in a file is nothing that it says."""
    return structs.replace(
        mesh, tests=tuple(structs.replace(sentence, line=0) for sentence in mesh.tests)
    )


def as_applied(mesh: Mesh, survey: SiteSurvey) -> SiteSurvey:
    """The site's state after the plan was carried out."""
    site = mesh.sites[survey.name]
    ids = {name: one.id or IDS[name] for name, one in mesh.sites.items()}
    documents = {(one.kind, one.name): one for one in survey.documents}
    for change in changes_at(mesh, survey, ids):
        if change.verb == "delete":
            documents.pop((change.kind, change.name))  # type: ignore[arg-type]
    documents |= {(one.kind, one.name): one for one in documents_of(mesh, survey.name)}
    links = {
        link.title: LinkState(site_id=ids[link.to], site_name=link.to)
        for link in links_of(mesh, survey.name)
    }
    return structs.replace(
        survey,
        is_there=True,
        id=ids[survey.name],
        runtime=site.at.runtime,
        documents=tuple(Document(one.kind, one.name, one.spec) for one in documents.values()),
        config={"name": survey.name, **site.at.config} if site.at.namespace else {},
        links=survey.links | links,
        record=decoded(encoded(mesh.name, documents_of(mesh, survey.name))),
        is_running=True,
    )


def work(changes: list[MeshChange]) -> list[MeshChange]:
    """The changes that remain to be done."""
    return [change for change in changes if change.is_work or change.verb == "blocked"]


@FEW
@given(mesh=meshes())
def test_what_is_written_is_read_back(mesh: Mesh) -> None:
    found, errors = read(write(mesh), "mesh.yaml")
    assert errors == []
    assert found is not None
    assert without_lines(found) == mesh


@given(text=st.text() | st.lists(LINES | st.text(max_size=9)).map("\n".join))
def test_any_text_is_a_mesh_or_has_errors_with_a_place(text: str) -> None:
    mesh, errors = read(text, "any.yaml")
    assert (mesh is None) == bool(errors)
    assert all(error.line >= 1 and error.column >= 1 and error.reason for error in errors)
    assert all("\n" not in str(error) for error in errors)


@FEW
@given(mesh=meshes(), at=st.integers(0, 900), cut=st.integers(0, 9), junk=st.text(max_size=5))
def test_an_edited_mesh_never_raises(mesh: Mesh, at: int, cut: int, junk: str) -> None:
    text = write(mesh)
    found, errors = read(text[:at] + junk + text[at + cut :], "edited.yaml")
    assert (found is None) == bool(errors)


@given(words=st.lists(WORDS | st.text(max_size=4), max_size=14))
def test_any_words_are_a_sentence_or_have_a_reason(words: list[str]) -> None:
    found = parsed(" ".join(words))
    if not isinstance(found, str):
        assert parsed(found.text) == found
    else:
        assert found


@FEW
@given(surveys=networks(), owner=st.sampled_from(NAMES))
def test_the_plan_of_what_was_gathered_is_empty(surveys: list[SiteSurvey], owner: str) -> None:
    places = {one.name: MeshPlace() for one in surveys}
    titles = {document.name for one in surveys for document in one.documents}
    mesh = gathered("net", surveys, places, dict.fromkeys(titles, IDS[owner]))
    ids = {one.name: one.id for one in surveys}
    for survey in surveys:
        assert changes_at(mesh, survey, ids) == []


@FEW
@given(surveys=networks())
def test_what_was_gathered_is_a_file_that_can_be_read(surveys: list[SiteSurvey]) -> None:
    places = {one.name: MeshPlace() for one in surveys}
    mesh = gathered("net", surveys, places, {})
    found, errors = read(write(mesh), "export.yaml")
    assert errors == []
    assert found == mesh


@FEW
@given(surveys=networks())
def test_every_link_that_was_gathered_leads_to_the_site_of_its_token(
    surveys: list[SiteSurvey],
) -> None:
    mesh = gathered("net", surveys, {one.name: MeshPlace() for one in surveys}, {})
    for survey in surveys:
        for link in links_of(mesh, survey.name):
            assert mesh.sites[link.to].id == survey.links[link.title].site_id
    assert all(site.id in {*IDS.values(), STRANGE} for site in mesh.sites.values())


@FEW
@given(mesh=meshes(), before=meshes())
def test_a_plan_that_was_carried_out_leaves_nothing_to_do(mesh: Mesh, before: Mesh) -> None:
    ids = {name: site.id or IDS[name] for name, site in mesh.sites.items()}
    for name in mesh.sites:
        survey = SiteSurvey(name=name, place="there")
        if name in before.sites:
            survey = as_applied(before, survey)
            if structs.asdict(before.sites[name].at) != structs.asdict(mesh.sites[name].at):
                survey = structs.replace(survey, config={})
        after = as_applied(mesh, survey)
        left = changes_at(mesh, after, ids)
        assert work(left) == []
        if before.name == mesh.name:
            assert left == [], "what the file made before is gone"
