import json

import pytest
from click.testing import CliRunner

from router.model.codes import CODES
from router.model.event_codes import EVENT_CODES
from sitectl.main import cli


def run(*words: str) -> tuple[int, str, str]:
    done = CliRunner().invoke(cli, list(words))
    return done.exit_code, done.stdout, done.stderr


@pytest.mark.parametrize("word", ["SW0404", "sw0404", "404", "0404"])
def test_a_code_is_explained_however_it_is_typed(word: str) -> None:
    exit_code, out, _ = run("explain", word)

    assert exit_code == 0
    assert out.startswith("SW0404  A link was refused\n")
    assert "docs/codes.md#sw0404" in out


@pytest.mark.parametrize("code", EVENT_CODES)
def test_a_code_of_an_event_is_explained_too(code: str) -> None:
    exit_code, out, _ = run("explain", code)

    assert exit_code == 0
    assert out.startswith(f"{code}  {EVENT_CODES[code].meaning}\n")
    assert f"sitectl events --code {code}\n" in out
    assert set(json.loads(run("-o", "json", "explain", code)[1])["item"]) == {
        *("code", "title", "meaning", "step", "doc")
    }


def test_json_has_title_meaning_step_and_place() -> None:
    _, out, _ = run("-o", "json", "explain", "SW0670")

    item = json.loads(out)["item"]
    assert item["code"] == "SW0670"
    assert set(item) == {"code", "title", "meaning", "step", "doc"}


def test_without_a_code_all_are_listed() -> None:
    _, out, _ = run("-o", "json", "explain")

    assert [item["code"] for item in json.loads(out)["items"]] == sorted(CODES)


@pytest.mark.parametrize("word", ["SW9999", "banana", "", "SW٤٠٤"])
def test_an_unknown_code_is_not_found(word: str) -> None:
    exit_code, _, err = run("explain", word)

    assert exit_code == 4
    assert "sitectl explain lists all" in err
