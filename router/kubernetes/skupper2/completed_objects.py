"""Objects that another controller has completed: they ask for nothing any more."""

from router.kubernetes.objects.objects import Object, part


def is_completed(found: Object) -> bool:
    """Whether Skupper has redeemed this AccessToken, or made the token of this AccessGrant.

    Another status would make it redeem the AccessToken again, and loses the AccessGrant's token.
    """
    match found.get("kind"):
        case "AccessToken":
            return part(found, "status", "redeemed") is True or _is_true(found, "Redeemed")
        case "AccessGrant":
            return _is_true(found, "Processed")
        case _:
            return False


def _is_true(found: Object, type_: str) -> bool:
    listed = part(found, "status", "conditions")
    return any(
        isinstance(one, dict) and one.get("type") == type_ and one.get("status") == "True"
        for one in (listed if isinstance(listed, list) else ())
    )
