"""Sentences of a mesh file: every form, and near misses."""

import pytest

from sitectl.mesh.sentences import (
    MayUse,
    NothingRefused,
    Sentence,
    ServedBy,
    SpillsTo,
    Statement,
    parsed,
)


def sentence(text: str) -> Sentence:
    """Of a text that is one."""
    found = parsed(text, 7)
    assert isinstance(found, Sentence), found
    return found


@pytest.mark.parametrize(
    ("text", "claim"),
    [
        ("west may call shop", MayUse("west", "call", "shop", True)),
        ("west may not call shop", MayUse("west", "call", "shop", False)),
        ("west may offer shop", MayUse("west", "offer", "shop", True)),
        ("west may not offer shop", MayUse("west", "offer", "shop", False)),
        ("shop from west spills to east", SpillsTo("shop", "west", "east", "")),
        ("shop from west spills to east before north", SpillsTo("shop", "west", "east", "north")),
        ("shop from west is served by east", ServedBy("shop", "west", ("east",))),
        ("shop from west is served by a or b or c", ServedBy("shop", "west", ("a", "b", "c"))),
        ("nothing is refused at 10/s", NothingRefused("", "", 10.0)),
        ("nothing of shop is refused at 0.5/s", NothingRefused("shop", "", 0.5)),
        ("nothing from west is refused at 1000/s", NothingRefused("", "west", 1000.0)),
        ("nothing of shop from west is refused at 3/s", NothingRefused("shop", "west", 3.0)),
    ],
)
def test_each_form_is_read(text: str, claim: Statement) -> None:
    assert sentence(text) == Sentence(text, claim, {}, 7)


def test_conditions_come_first_and_name_the_state_of_sites() -> None:
    found = sentence("with west full and north dead, shop spills to east")
    assert found.given == {"west": "full", "north": "dead"}
    assert found.claim == SpillsTo("shop", "west", "east", "")
    assert set(found.sites) == {"west", "east", "north"}


def test_where_one_site_is_full_requests_come_from_there() -> None:
    assert sentence("with west full, shop spills to east").claim == SpillsTo(
        "shop", "west", "east", ""
    )


def test_white_space_and_the_comma_do_not_matter() -> None:
    plain = sentence("with west full, shop spills to east")
    assert sentence("  with west\n full   shop spills to\teast ") == Sentence(
        "with west full shop spills to east", plain.claim, plain.given, 7
    )


def test_words_of_sentences_may_be_names() -> None:
    assert sentence("may may not call not").claim == MayUse("may", "call", "not", False)
    assert sentence("with may call with").claim == MayUse("with", "call", "with", True)
    assert sentence("from from from spills to to").claim == SpillsTo("from", "from", "to", "")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "is no sentence"),
        ("west may shop", "is no sentence"),
        ("west might call shop", "is no sentence"),
        ("west may call shop.", "is no sentence"),
        ("West may call shop", "is no sentence"),
        ("west may not not call shop", "is no sentence"),
        ("west, east may call shop", "is no sentence"),
        ("shop spills from west to east", "is no sentence"),
        ("shop from west spills to east before", "is no sentence"),
        ("shop is served by east", "is no sentence"),
        ("shop from west is served by east or", "is no sentence"),
        ("nothing is refused", "is no sentence"),
        ("nothing is refused at 10", "is no sentence"),
        ("nothing is refused at -1/s", "is no sentence"),
        ("nothing is refused at 1e3/s", "is no sentence"),
        ("nothing is refused at 10/m", "is no sentence"),
        ("with west half full, shop spills to east", "is no sentence"),
        ("with west full or east full, nothing is refused at 1/s", "is no sentence"),
        (f"{'a' * 64} may call shop", "is no sentence"),
        ("nothing is refused at 0/s", "above 0/s, at most 1000/s"),
        ("nothing is refused at 1000.1/s", "above 0/s, at most 1000/s"),
        ("shop spills to east", "from which site?"),
        ("with west full and east full, shop spills to north", "from which site?"),
        ("with west dead, shop spills to north", "from which site?"),
        ("with west full and west dead, nothing is refused at 1/s", "site west has two states"),
        ("with west full, west may call shop", "leave 'with …' out"),
        ("shop from west spills to west", "west is where it is"),
        ("shop from west spills to east before east", "east cannot be before itself"),
        ("with west dead, shop from west is served by east", "west is dead"),
        ("with west dead, shop from west spills to east", "west is dead"),
        ("with east dead, shop from west spills to east", "east is dead"),
        ("with west dead, nothing from west is refused at 1/s", "west is dead"),
    ],
)
def test_what_is_none_has_a_reason(text: str, why: str) -> None:
    found = parsed(text)
    assert isinstance(found, str)
    assert why in found


def test_a_reason_never_repeats_a_long_text_whole() -> None:
    found = parsed("x" * 10_000)
    assert isinstance(found, str)
    assert len(found) < 200


@pytest.mark.parametrize(
    "text", ["a" * 50_000, "a-" * 30_000, "with " + "a full and " * 9_000, "a or " * 20_000]
)
def test_hostile_text_is_judged_at_once(text: str) -> None:
    assert isinstance(parsed(text), str)
