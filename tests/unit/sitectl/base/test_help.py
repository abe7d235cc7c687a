"""What `--help` says: every verb in a section, with examples that could be typed; near misses."""

import re
import shlex
from collections.abc import Iterator

import click
import pytest

from sitectl.base.help import meant, sections
from sitectl.main import cli
from tests.unit.sitectl.conftest import CommandLine

Found = tuple[str, click.Command]


def verbs(group: click.Group, path: str = "") -> Iterator[Found]:
    """Each command that help lists, with its words, groups among them."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if command.hidden:
            continue
        words = f"{path} {name}".strip()
        yield words, command
        if isinstance(command, click.Group):
            yield from verbs(command, words)


ALL = dict(verbs(cli))


def examples(command: click.Command) -> list[str]:
    """The command lines of `sitectl` in its help, without the remarks beside them."""
    found = []
    for line in (command.help or "").splitlines():
        for part in re.split(r"&&|\|\||\||;", line.strip()):
            typed = re.split(r" {3,}", part.strip())[0]
            if typed.startswith("sitectl ") and line.startswith("  "):
                found.append(typed)
    return found


@pytest.mark.parametrize("words", ALL)
def test_every_verb_has_examples(words: str) -> None:
    assert "Example" in (ALL[words].help or ""), words
    assert examples(ALL[words]), words


@pytest.mark.parametrize("words", ALL)
def test_two_flags_of_a_verb_are_one_value_only_where_they_are_its_choices(words: str) -> None:
    """Else one overwrites the other: `--target-namespace` and the `-n` of every verb."""
    named: dict[str | None, list[click.Parameter]] = {}
    for param in ALL[words].params:
        named.setdefault(param.name, []).append(param)
    for name, params in named.items():
        choices = {param.flag_value for param in params if isinstance(param, click.Option)}
        assert len(params) in (1, len(choices)), (words, name)


@pytest.mark.parametrize("words", ALL)
def test_examples_name_verbs_and_flags_that_there_are(words: str) -> None:
    for typed in examples(ALL[words]):
        left = shlex.split(typed.partition(" >")[0])[1:]
        command: click.Command = cli
        known = {name: p for p in cli.params for name in (*p.opts, *p.secondary_opts)}
        while left:
            word = left.pop(0)
            if word.startswith("-") and word not in ("-", "--"):
                flag = word.partition("=")[0]
                assert flag in known, f"{typed}: {flag}"
                option = known[flag]
                assert isinstance(option, click.Option)
                if not option.is_flag and "=" not in word and left:
                    left.pop(0)
            elif isinstance(command, click.Group):
                chosen = command.get_command(click.Context(command), word)
                assert chosen is not None, typed
                command = chosen
                known |= {name: p for p in command.params for name in (*p.opts, *p.secondary_opts)}


@pytest.mark.parametrize("words", ALL)
def test_a_flag_with_a_default_says_which(words: str) -> None:
    command = ALL[words]
    context = click.Context(command, info_name=words, **command.context_settings)
    for option in command.params:
        if not isinstance(option, click.Option) or option.hidden or option.is_flag:
            continue
        if option.default in (None, (), "") or str(option.default).startswith("Sentinel"):
            continue
        record = option.get_help_record(context)
        assert record is not None
        assert "default" in record[1], option.name


def test_the_first_page_lists_every_verb_once_in_sections(sitectl: CommandLine) -> None:
    text = sitectl.ok("--help").stdout
    for words in ALL:
        if " " not in words:
            assert len(re.findall(rf"(?m)^  {words}  ", text)) == 1, words
    assert text.index("Site:") < text.index("Links:") < text.index("Services:")


def test_only_what_a_cluster_runs_has_no_section(sitectl: CommandLine) -> None:
    more = sitectl.ok("--help").stdout.partition("More:\n")[2].partition("\n\n")[0]
    assert [line.split()[0] for line in more.splitlines()] == ["controller"]


def test_a_verb_without_a_section_is_listed_all_the_same() -> None:
    found = sections({"status": "how it is", "brew": "tea"})
    assert found == [("Site", [("status", "how it is")]), ("More", [("brew", "tea")])]


@pytest.mark.parametrize(
    ("words", "near"),
    [
        (("stauts",), "status"),
        (("servcie", "status"), "service"),
        (("service", "crate", "shop"), "create"),
        (("link", "stat"), "status"),
        (("network", "statsu"), "status"),
        (("gateway", "exprt-config"), "export-config"),
    ],
)
def test_a_verb_typed_wrong_is_answered_with_the_nearest(
    sitectl: CommandLine, words: tuple[str, ...], near: str
) -> None:
    result = sitectl(*words)
    assert result.exit_code == 2
    assert f"Did you mean {near!r}?" in result.stderr


def test_a_verb_that_is_like_no_other_is_answered_with_all_that_there_are(
    sitectl: CommandLine,
) -> None:
    assert "There is: adopt, bind, create, delete" in sitectl("service", "xyzzy").stderr
    assert " service --help" in sitectl("service", "xyzzy").stderr


def test_a_flag_typed_wrong_is_answered_with_the_nearest(here: CommandLine) -> None:
    result = here("service", "create", "shop", "8080", "--protcol", "http")
    assert result.exit_code == 2
    assert "--protocol" in result.stderr


def test_nothing_is_meant_by_what_is_like_nothing() -> None:
    assert meant("xyzzy", ("status", "start")) == ""


def test_who_forgets_an_argument_is_shown_an_example(here: CommandLine) -> None:
    result = here("service", "create")
    assert result.exit_code == 2
    assert "Next: sitectl service create shop 8080 --protocol http   (an example" in result.stderr


def test_the_owner_of_a_folder_that_is_shut_is_not_sent_to_the_owner(
    here: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def shut(settings: object) -> None:
        raise PermissionError(13, "Permission denied", "/sites/here/config")

    monkeypatch.setattr("sitectl.selection.store.find_site", shut)
    result = here("events")
    assert result.exit_code == 7
    assert "/sites/here/config: Permission denied" in result.stderr
    assert "see which mode is why: namei -l /sites/here/config" in result.stderr


def test_a_place_that_is_not_there_is_told_with_where_to_look(here: CommandLine) -> None:
    result = here("token", "create", "/proc/nowhere")  # No user can make a file there.
    assert result.exit_code == 1
    assert "Next: See what is there: ls -ld /proc" in result.stderr


@pytest.mark.parametrize("words", ALL)
def test_every_flag_says_what_it_is(words: str) -> None:
    for option in ALL[words].params:
        if isinstance(option, click.Option) and not option.hidden:
            assert option.help, f"{words} {option.opts[0]}"


@pytest.mark.parametrize("words", ALL)
def test_no_help_text_breaks_off(words: str) -> None:
    texts = [param.help or "" for param in ALL[words].params if isinstance(param, click.Option)]
    assert [one for one in texts if one.count("[") != one.count("]") or one.endswith(" ")] == []


def test_a_word_that_is_missing_is_asked_for_in_one_line(sitectl: CommandLine) -> None:
    done = sitectl("completion")
    line = "Error: Missing argument '{bash|zsh|fish}'. Choose from: bash, zsh, fish"
    assert done.exit_code == 2
    assert done.stderr.splitlines()[0] == line
