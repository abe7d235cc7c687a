"""Objects that another controller has completed: they ask for nothing any more."""

from router.kubernetes.objects.objects import Object, part


def is_completed(found: Object) -> bool:
    """Whether Skupper has redeemed this AccessToken. Another status would make it try again."""
    if found.get("kind") != "AccessToken":
        return False
    return part(found, "status", "redeemed") is True or _is_true(found, "Redeemed")


def _is_true(found: Object, type_: str) -> bool:
    listed = part(found, "status", "conditions")
    return any(
        isinstance(one, dict) and one.get("type") == type_ and one.get("status") == "True"
        for one in (listed if isinstance(listed, list) else ())
    )
