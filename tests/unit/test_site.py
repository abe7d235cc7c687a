"""The static site: every page is on it, every link leads somewhere, and it can be searched."""

import json
from pathlib import Path

import pytest

from deploy import site


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site of the pages as they are."""
    place = tmp_path_factory.mktemp("site")
    site.write(place)
    return place


def test_every_page_is_there_and_can_be_found(made: Path) -> None:
    pages = site.pages()
    assert len(pages) > 60
    wanted = {str(Path(page).with_suffix(".html")).replace("README", "index") for page in pages}
    there = {str(path.relative_to(made)) for path in made.glob("**/*.html")}
    assert wanted <= there
    found = json.loads((made / "search" / "search_index.json").read_text())["docs"]
    assert {entry["location"].partition("#")[0] for entry in found} >= wanted


def test_every_page_of_docs_is_in_a_section(made: Path) -> None:
    listed = {path for _, pages in site.contents() for _, path in pages}
    docs = {page for page in site.pages() if page.startswith("docs/") and page != site.CONTENTS}
    assert docs == listed


def test_pictures_come_along(made: Path) -> None:
    assert (made / "docs" / "pictures" / "overview.svg").is_file()
    assert "docs/pictures/overview.svg" in (made / "index.html").read_text()


def test_links_that_lead_nowhere_end_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    links = {
        "[a](nothing.md)": "docs/nothing.md",
        "[a](trust.md#not-there)": "#not-there",
        "![a](pictures/none.svg)": "pictures/none.svg",
    }
    gather = site._gather

    def with_more(source: Path) -> None:
        gather(source)
        page = source / "docs" / "links.md"
        page.write_text("\n".join([page.read_text(), *links]))

    monkeypatch.setattr(site, "_gather", with_more)
    with pytest.raises(site.BrokenSite) as broken:
        site.write(tmp_path)
    lines = str(broken.value).splitlines()
    assert len(lines) == len(links), "a line each, and nothing else is wrong"
    assert all(any(said in line for line in lines) for said in links.values()), lines
