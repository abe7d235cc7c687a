"""One row of the table of settings makes its YAML, its flag, its key and its line in the docs."""

import re
from pathlib import Path
from textwrap import dedent, indent

import click
import msgspec
import pytest
from click.testing import CliRunner

from router.documents import quantities, readers, schema
from router.documents.fields import Field, Shape, default_text, value_text
from router.documents.nodes import Findings, parse
from router.documents.readers import Bad
from router.documents.schema import SHAPES
from router.kubernetes.objects import texts
from router.kubernetes.objects.texts import InvalidText
from router.kubernetes.translation import site_keys
from router.model.specs import SiteSpec
from sitectl.flags.rows import RowParam, help_text, row_flag, rows_of, values_of
from sitectl.flags.sites.site import site_flags
from tests.reference.documents import row
from tests.unit.sitectl.conftest import CommandLine


class Made(msgspec.Struct):
    """A kind with one setting that exists only here."""

    cool_down_s: float = 15.0


ROOT = Path(__file__).resolve().parents[4]
ROW = Field(
    "cool_down_s",
    quantities.DurationReader(1.0, 60.0),
    "how long it rests ([bursts](bursts.md)); `1s`: hardly",
    flag="cool-down",
    site_key="cool-down",
)
SHAPE = Shape(Made, ROW)


def test_a_row_is_read_and_written_in_a_document() -> None:
    findings = Findings("made.yaml")
    (node,) = parse("coolDown: 20s", findings)
    read = SHAPE.read(findings, node, "$.spec")
    assert read == Made(cool_down_s=20.0)
    assert SHAPE.plain(read) == {"coolDown": "20s"}
    (node,) = parse("coolDown: 2m", findings)
    assert isinstance(SHAPE.read(findings, node, "$.spec"), Bad)
    assert "from 1s to 1m" in findings.errors[0].reason


def test_a_row_is_a_flag_with_the_same_bounds_and_words() -> None:
    typed: list[str | None] = []

    @click.command()
    @row_flag(ROW, default_text(Made, ROW))
    def verb(cool_down: str | None) -> None:
        typed.append(cool_down)

    run = CliRunner()
    shown = run.invoke(verb, ["--help"]).output
    assert "--cool-down DURATION" in shown
    assert "How long it rests; 1s: hardly. [default: 15s]" in " ".join(shown.split())
    assert run.invoke(verb, ["--cool-down", "20s"]).exit_code == 0
    assert run.invoke(verb, []).exit_code == 0
    refused = run.invoke(verb, ["--cool-down", "2m"])
    assert refused.exit_code == 2
    assert "'--cool-down': expected a duration from 1s to 1m, got '2m'" in refused.output
    assert typed == ["20s", None]


def test_a_row_is_read_in_the_config_map_of_a_site() -> None:
    read = texts.of_row(ROW)
    assert read("20s") == read("0m20s") == 20.0, "Go writes durations so"
    wrong = read("2m")
    assert isinstance(wrong, InvalidText) and "from 1s to 1m" in wrong.reason


def test_a_row_has_a_line_on_the_page_of_documents() -> None:
    line = "| `coolDown` | duration, 1s to 1m | `15s` | how long it rests ([bursts](bursts.md)); "
    assert row(SHAPE, "coolDown", ROW) == f"{line}`1s`: hardly |\n"


def test_every_row_of_a_site_that_names_a_flag_or_a_key_has_it() -> None:
    @click.command()
    @site_flags
    def verb(**flags: object) -> None:
        """Nothing."""

    names = {name for param in verb.params for name in param.opts}
    assert {f"--{row.flag}" for row in rows_of("Site")} <= names
    keys = [row.site_key for row in SHAPES["Site"].fields.values() if row.site_key]
    assert len(keys) > 5
    assert all(site_keys.BY_KEY[key].of_site for key in keys)


@pytest.mark.parametrize("row", rows_of("Site"), ids=lambda row: row.flag)
def test_the_default_of_a_row_is_what_its_flag_reads(row: Field) -> None:
    text = default_text(SiteSpec, row)
    value = getattr(SiteSpec(), row.attribute)
    assert text or value == "", "only a text may be left out"
    assert value_text(row, value) == text
    if row.read is not readers.boolean:
        assert RowParam(row).convert(text, None, None) == text
    assert not text or help_text(row, text).endswith(f". [default: {text}]")


def test_a_site_is_made_and_changed_by_its_rows(here: CommandLine) -> None:
    here.ok("update", "--drain-grace", "45s", "--no-tracing", "--access-log-share", "0.5")
    text = here.config()["site-here.yaml"]
    assert "drainGrace: 45s" in text and "accessLogShare: 0.5" in text
    said = here.ok("update", "--drain-grace", "1m").stdout
    assert "site here: drainGrace 1m" in said
    assert "unchanged" in here.ok("update", "--drain-grace", "1m").stdout
    refused = here("update", "--drain-grace", "2h")
    assert refused.exit_code == 2 and "0s to 1h" in refused.stderr


def test_what_was_not_typed_says_nothing() -> None:
    with click.Context(click.Command("verb")):
        assert values_of("Site") == values_of("Service") == {}


def test_what_a_site_says_becomes_keys_when_it_moves_to_a_namespace() -> None:
    site = SiteSpec(drain_grace_s=60.0, tracing=True, access_log_share=0.25, tells="nothing")
    assert site_keys.configured_keys(site) == {
        "drain-grace": "1m",
        "tracing": "true",
        "access-log-share": "0.25",
        "tells": "nothing",
    }
    assert site_keys.configured_keys(SiteSpec()) == {}


def test_the_row_that_the_page_shows_is_one_of_the_table() -> None:
    page = (ROOT / "docs" / "extend.md").read_text()
    shown = re.sub(r"  # .*", "", page.partition("```python\n")[2].partition("```")[0])
    table = Path(schema.__file__).read_text()
    assert indent(dedent(shown).strip() + ",\n", 8 * " ") in table
