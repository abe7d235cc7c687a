"""Texts as Kubernetes and Go write values."""

import time
from decimal import Decimal
from typing import Any

import pytest

from router.kubernetes.objects import copied_labels, texts
from router.kubernetes.objects.texts import InvalidText


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("1", 1),
        ("500m", Decimal("0.5")),
        ("0.5", Decimal("0.5")),
        (".5", Decimal("0.5")),
        ("128Mi", 128 * 2**20),
        ("1.5Gi", 1.5 * 2**30),
        ("2M", 2_000_000),
        ("12e6", 12_000_000),
        ("100k", 100_000),
        ("1E", 10**18),
        ("", None),
        ("1 Gi", None),
        ("1GB", None),
        ("1mi", None),
        ("-1", None),
        ("Mi", None),
        ("0x10", None),
    ],
)
def test_quantities_amount_to_what_kubernetes_says(text: str, amount: Any) -> None:
    assert texts.amount(text) == amount


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("3m0s", 180.0),
        ("1h30m", 5400.0),
        ("90s", 90.0),
        ("1.5s", 1.5),
        ("250ms", 0.25),
        ("1d", 86400.0),
    ],
)
def test_durations_are_gos_or_ours(text: str, seconds: float) -> None:
    assert texts.duration_s(text) == seconds


@pytest.mark.parametrize("text", ["", "m", "3m x", "3m-1s", "x3m", "1h1", "١s"])
def test_other_durations_are_wrong(text: str) -> None:
    assert isinstance(texts.duration_s(text), InvalidText)


@pytest.mark.parametrize(
    ("text", "separator", "found"),
    [
        ("a=b,c=d", ",", {"a": "b", "c": "d"}),
        (" a = b , c ", ",", {"a": "b", "c": ""}),
        ("a=b=c", ",", {"a": "b=c"}),
        ("a=1\\,2,b=3", ",", {"a": "1,2", "b": "3"}),
        ("a=1,2;;b=3", ";;", {"a": "1,2", "b": "3"}),
        (",,a=b,", ",", {"a": "b"}),
        ("a=b", "", {"a": "b"}),
        ("a=b\\", ",", {"a": "b\\"}),
    ],
)
def test_pairs_are_split_once_and_escapes_kept(
    text: str, separator: str, found: dict[str, str]
) -> None:
    assert texts.pairs(text, separator) == found


@pytest.mark.parametrize("key", ["a", "a.b/c", "A_b.c", "x" * 63])
def test_keys_of_labels(key: str) -> None:
    assert texts.is_label_key(key)


@pytest.mark.parametrize("key", ["", "a b", "/a", "a/", "a/b/c", "A.b/c", "-a", "x" * 64])
def test_what_is_no_key_of_a_label(key: str) -> None:
    assert not texts.is_label_key(key)


@pytest.mark.parametrize(
    ("key", "spreads"),
    [
        ("team", True),
        ("example.com/team", True),
        ("argocd.argoproj.io/tracking-id", False),
        ("kustomize.toolkit.fluxcd.io/name", False),
        ("meta.helm.sh/release-name", False),
        ("objectset.rio.cattle.io/hash", False),
        ("kubectl.kubernetes.io/last-applied-configuration", False),
        ("app.kubernetes.io/instance", False),
        ("app.kubernetes.io/name", True),
        ("internal.skupper.io/controlled", False),
        ("spillway.dev/service", False),
        ("nothelm.sh/x", True),
    ],
)
def test_marks_of_tools_do_not_spread(key: str, spreads: bool) -> None:
    assert copied_labels.spreads(key) == spreads


@pytest.mark.parametrize("text", ["- " * 131_072, "a" * 262_144, "\\," * 131_072])
def test_pairs_of_the_longest_annotation_are_split_in_a_moment(text: str) -> None:
    began = time.process_time()
    texts.pairs(text)
    assert time.process_time() - began < 0.25  # It was some seconds.
