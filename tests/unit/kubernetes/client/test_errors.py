"""What a refusal of the API server is about, by its words."""

import msgspec
import pytest

from router.kubernetes.client.errors import ApiError, admission_step, refused
from tests.kubernetes.failures import lost_quota_race, too_many_requests

RBAC = (
    'secrets is forbidden: User "system:serviceaccount:west:spillway-router" cannot create '
    'resource "secrets" in API group "" in the namespace "west"'
)
ENDING = (
    'secrets "a" is forbidden: unable to create new content in namespace west because it is being '
    "terminated"
)


@pytest.mark.parametrize(
    ("message", "step"),
    [
        (RBAC, ""),
        ("HTTP 403", ""),
        ('services "a" is forbidden: exceeded quota: q, requested: services=1', "Raise the quota"),
        (
            'pods "a" is forbidden: insufficient quota to match these scopes: [{PriorityClass In '
            "[high]}]",
            "Raise the quota",
        ),
        (
            'secrets "a" is forbidden: status unknown for quota: q, resources: secrets',
            "not yet counted",
        ),
        (ENDING, "the namespace is being deleted"),
        ('admission webhook "a.example" denied the request: no', "webhook that the message names"),
        (
            "services \"a\" is forbidden: ValidatingAdmissionPolicy 'p' with binding 'b' denied "
            "request: no",
            "admission policy",
        ),
    ],
)
def test_what_admission_refuses_is_no_missing_right(message: str, step: str) -> None:
    found = admission_step(ApiError(403, "Forbidden", message))
    assert step in found and bool(step) == bool(found)


def test_a_policy_that_names_no_reason_refuses_as_a_bad_value_is_refused() -> None:
    """As 1.36.2 does."""
    text = (
        "services \"a\" is forbidden: ValidatingAdmissionPolicy 'p' with binding 'b' denied request"
    )
    assert "admission policy" in admission_step(ApiError(422, "Invalid", f"{text}: no label"))
    assert not admission_step(ApiError(422, "Invalid", 'Service "a" is invalid: spec.ports'))


def test_a_quota_that_others_count_in_the_same_moment_is_no_object_that_exists() -> None:
    answer = lost_quota_race("gke-resource-quotas")
    error = refused(answer.code, msgspec.json.encode(answer.status()))
    assert (error.status, error.reason, error.lost_quota_race) == (409, "Conflict", True)


def test_what_the_servers_filters_say_in_plain_text_is_told() -> None:
    answer = too_many_requests(1)
    error = refused(answer.code, answer.message.encode())
    assert (error.reason, str(error)) == ("", "Too many requests, please try again later.")
    why = 'Internal Server Error: "/api/v1/pods": webhook authorizer: connection refused'
    assert str(refused(500, f"{why}\n".encode())) == why


@pytest.mark.parametrize(
    "body", [b"", b"<html>busy</html>", b"one\ntwo", b"\x1b[2J", b"\xff\xfe", b"long " * 1000]
)
def test_what_is_no_line_for_people_is_told_by_its_status(body: bytes) -> None:
    assert str(refused(502, body)) == "HTTP 502"
