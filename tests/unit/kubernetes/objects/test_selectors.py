"""Label selectors match as they do in the API server."""

import time

import pytest

from router.kubernetes.objects.selectors import of_workload, parse

LABELS = {"app": "shop", "tier": "web"}


@pytest.mark.parametrize(
    ("text", "selects"),
    [
        ("app=shop", True),
        ("app==shop,tier=web", True),
        ("app=shop,tier!=web", False),
        ("tier in (web, api)", True),
        ("tier notin (web,api)", False),
        ("canary notin (yes)", True),
        ("tier", True),
        ("!tier", False),
        ("!canary,app=shop", True),
        ("canary=", False),
    ],
)
def test_text_selects_as_kubectl_does(text: str, selects: bool) -> None:
    selector = parse(text)
    assert selector is not None
    assert selector.matches(LABELS) is selects


@pytest.mark.parametrize("text", ["", "app=shop,", "app in web", "a=b=c", "a b", ",app"])
def test_what_is_no_selector_is_told_apart(text: str) -> None:
    assert parse(text) is None


def test_expressions_of_a_workload_count_with_its_labels() -> None:
    selector = of_workload(
        {
            "kind": "Deployment",
            "spec": {
                "selector": {
                    "matchLabels": {"app": "shop"},
                    "matchExpressions": [
                        {"key": "tier", "operator": "In", "values": ["web"]},
                        {"key": "canary", "operator": "DoesNotExist"},
                    ],
                }
            },
        }
    )
    assert selector.matches(LABELS)
    assert not selector.matches({**LABELS, "canary": ""})


def test_a_workload_without_selector_selects_nothing() -> None:
    assert not of_workload({"kind": "Deployment", "spec": {}}).matches(LABELS)


@pytest.mark.parametrize("text", ["a=b," * 50_000 + "a=b", "(" * 200_000])
def test_a_selector_of_any_length_is_told_apart_in_a_moment(text: str) -> None:
    began = time.process_time()
    assert parse(text) is None
    assert time.process_time() - began < 0.25
