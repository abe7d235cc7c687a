"""What a refusal of the API server is about, by its words."""

import pytest

from router.kubernetes.client.errors import ApiError, admission_step

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
