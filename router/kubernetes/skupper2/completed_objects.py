"""Completed objects, which are no longer read and whose status is no longer written."""

from router.documents.skupper2.links import is_ours
from router.kubernetes.objects.objects import Object, part


def is_completed(found: Object) -> bool:
    """Whether this AccessToken was redeemed, or Skupper made the token of this AccessGrant.

    Another status would make Skupper redeem the AccessToken again, or lose the AccessGrant's token.
    """
    match found.get("kind"):
        case "AccessToken":
            return part(found, "status", "redeemed") is True or _is_true(found, "Redeemed")
        case "AccessGrant":
            return not is_granted(found) and (_has_url(found) or _is_true(found, "Resolved"))
        case _:
            return False


def is_granted(grant: Object) -> bool:
    """Whether a Spillway site made the token in the status of an AccessGrant."""
    url = part(grant, "status", "url")
    return isinstance(url, str) and is_ours(url)


def _has_url(grant: Object) -> bool:
    return bool(part(grant, "status", "url"))


def _is_true(found: Object, type_: str) -> bool:
    listed = part(found, "status", "conditions")
    return any(
        isinstance(one, dict) and one.get("type") == type_ and one.get("status") == "True"
        for one in (listed if isinstance(listed, list) else ())
    )
