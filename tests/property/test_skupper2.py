"""Whatever a text says, objects of Skupper v2 become documents or named errors."""

from typing import Any

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from router.documents import read, write
from router.documents.skupper2 import fields, parse_object, read_objects, translate

SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-9, 99_999),
    st.sampled_from(["", "db", "a.b", "0", "127.0.0.1", "localhost", "true", "x" * 300, "é\n"]),
    st.text(max_size=20),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=9), inner, max_size=3)
    ),
    max_leaves=8,
)
KINDS = sorted({*fields.FIELDS, *fields.INTERNAL, "Secret", "ConfigMap", "Nothing"})


@st.composite
def objects(draw: st.DrawFn) -> dict[str, Any]:
    kind = draw(st.sampled_from(KINDS))
    known = sorted(fields.FIELDS.get(kind, {"x": ""}))
    spec = draw(st.dictionaries(st.sampled_from([*known, "unknown"]), VALUES, max_size=9))
    name = draw(st.sampled_from(["a", "b", "A.b", "", "x" * 64]))
    version = draw(st.sampled_from(["skupper.io/v2alpha1"] * 5 + ["skupper.io/v1", "v1"]))
    found: dict[str, Any] = {
        "apiVersion": version,
        "kind": kind,
        "metadata": {"name": name, "annotations": draw(VALUES)},
        "spec": spec,
    }
    if draw(st.integers(0, 9)) == 0:
        found[draw(st.sampled_from(sorted(found)))] = draw(VALUES)
    return found


@settings(deadline=None)
@given(found=st.lists(objects(), max_size=5), place=st.sampled_from(["host", "namespace"]))
def test_any_object_gives_readable_documents_or_a_named_error(
    found: list[dict[str, Any]], place: Any
) -> None:
    taken = [one for each in found if (one := parse_object(each, "v2.yaml", 1)) is not None]
    result = translate(taken, place)
    for document in result.documents:
        again, errors = read(write(document), "again")
        assert errors == [], (document, errors)
        assert again[0].spec == document.spec
    for error in (*result.errors, *result.notes):
        assert error.source == "v2.yaml" and error.reason
    for one in taken:  # Nothing is dropped in silence.
        is_v2 = one.api_version.startswith("skupper.io/")
        told = any(f"{one.kind}/{one.name or '?'}"[:120] in e.reason for e in result.errors)
        noted = any(f"{one.kind}/" in e.reason for e in result.notes)
        made = any(d.name in (one.name, "") for d in result.documents) or result.site is not None
        assert (
            not is_v2
            or told
            or noted
            or made
            or result.tokens
            or result.grants
            or one.kind == "RouterAccess"
        )


@settings(deadline=None)
@given(text=st.one_of(st.text(max_size=200), VALUES.map(lambda v: str(yaml.safe_dump(v)))))
def test_any_text_is_read_or_refused(text: str) -> None:
    taken, errors = read_objects(text, "v2.yaml")
    translate(taken, "host")
    for error in errors:
        assert error.source == "v2.yaml"


@settings(deadline=None)
@given(found=st.lists(objects(), max_size=4))
def test_text_and_objects_say_the_same(found: list[dict[str, Any]]) -> None:
    text = yaml.safe_dump_all(found)
    taken, errors = read_objects(text, "v2.yaml")
    if errors:  # An anchor, or a key that is no word.
        return
    direct = [one for each in found if (one := parse_object(each, "v2.yaml")) is not None]
    first, second = translate(taken, "host"), translate(direct, "host")
    assert [(d.kind, d.name, d.spec) for d in first.documents] == [
        (d.kind, d.name, d.spec) for d in second.documents
    ]


@settings(deadline=None)
@given(
    parts=st.lists(
        st.tuples(st.integers(0, 999), st.sampled_from([("h", 3600.0), ("m", 60.0), ("s", 1.0)])),
        max_size=4,
    ),
    rest=st.sampled_from(["", "", "x", " ", "-"]),
)
def test_durations_are_those_of_go(parts: list[tuple[int, tuple[str, float]]], rest: str) -> None:
    text = "".join(f"{number}{unit}" for number, (unit, _) in parts) + rest
    grant = {
        "apiVersion": "skupper.io/v2alpha1",
        "kind": "AccessGrant",
        "metadata": {"name": "g"},
        "spec": {"expirationWindow": text},
    }
    found = parse_object(grant, "v2.yaml")
    assert found is not None
    result = translate([found], "host")
    seconds = sum(number * unit_s for number, (_, unit_s) in parts)
    if text == "":
        assert result.grants[0].window_s == 600
    elif rest or seconds < 1:
        assert result.grants == () and result.errors
    else:
        assert result.grants[0].window_s == seconds
