"""Secrets of this site that cannot be read."""

from router.model.events import Problem


def unreadable(message: str) -> Problem:
    """``message``: which secret, why, and the consequence."""
    hint = "Restore the file, or its owner and mode; it is read again within seconds"
    return Problem(code="SW0666", message=message, hint=hint)
