"""That the API server forbids to write Events: findings and news miss at the objects."""

from collections.abc import Callable

from router.kubernetes.client.errors import FORBIDDEN, ApiError, admission_step
from router.kubernetes.objects.names import ROUTER
from router.kubernetes.objects.role_rules import rule_text
from router.model.errors import ConfigError


class EventRefusal:
    """What both writers of Events met last.

    A warning: clients are served, and `spillway-status` says what Events would. A refusal by a
    quota or a webhook is none, since each object may fare another way.
    """

    def __init__(self) -> None:
        self.errors: tuple[ConfigError, ...] = ()
        self._changed: Callable[[], None] = _ignore

    def follow_errors(self, changed: Callable[[], None]) -> None:
        """Call ``changed`` when `errors` are others."""
        self._changed = changed

    def failed(self, error: ApiError) -> None:
        """One was not written."""
        if error.status == FORBIDDEN and not admission_step(error):
            rule = rule_text("", "events", "create", "patch")
            self._found(
                ConfigError(
                    f"Role/{ROUTER}",
                    "",
                    "Events cannot be written: kubectl describe and kubectl get events show "
                    "nothing new of this site",
                    hint=f"Add to it {{{rule}}}",
                    code="SW0443",
                    severity="warning",
                )
            )

    def written(self) -> None:
        """One was; or another router writes them."""
        self._found()

    def _found(self, *errors: ConfigError) -> None:
        before, self.errors = self.errors, errors
        if bool(before) != bool(errors):
            self._changed()


def _ignore() -> None:
    """Until somebody wants to hear it."""
