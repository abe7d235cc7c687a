"""Effects of missing kinds or permissions, for routers and `sitectl check`."""

from collections.abc import Iterator, Mapping
from typing import Final

import msgspec

from router.kubernetes.multicluster.names import EXPORT, GROUP, IMPORT
from router.kubernetes.objects.access_levels import AccessLevel
from router.model.errors import ConfigError, Severity

NOT_AVAILABLE: Final = "SW0493"
SITE_SOURCE: Final = "ConfigMap/skupper-site"
READ_VERBS: Final = ("get", "list", "watch")
REPORT_VERBS: Final = ("get", "update", "patch")
WRITE_VERBS: Final = ("create", "update", "patch", "delete")
_INSTALL: Final = (
    "Have an administrator of the cluster install the CRDs of the Multi-Cluster Services API: "
    "docs/kubernetes-mcs.md"
)


class Availability(msgspec.Struct, frozen=True, kw_only=True):
    """Availability of the kinds.

    ``levels``: by kind; a missing kind is absent.
    ``may_import``: ServiceImports may be made, changed and deleted.
    ``was_served``: the cluster served ServiceExports before.
    """

    levels: Mapping[str, AccessLevel]
    may_import: bool
    was_served: bool = False

    def level(self, kind: str) -> AccessLevel:
        """The router's access to objects of ``kind``."""
        return self.levels.get(kind, AccessLevel.ABSENT)

    def lacking(self) -> Iterator[ConfigError]:
        """Missing functions and reasons, once each, with the rule to add."""
        exports = self.level(EXPORT)
        if exports is AccessLevel.ABSENT:
            what = "no longer serves" if self.was_served else "does not serve"
            kept = "; what was exported stays exported" if self.was_served else ""
            yield _finding(
                f"the cluster {what} ServiceExports{kept}; services of other clusters are Services",
                _INSTALL,
                "error",
            )
            return
        if exports is AccessLevel.NONE:
            yield _finding(
                "the router may not read ServiceExports, so nothing is exported",
                _rule_hint("serviceexports", verbs=READ_VERBS),
                "error",
            )
        elif exports is AccessLevel.READ:
            yield _finding(
                "the router may not write serviceexports/status: exports work, but their "
                "conditions are not shown",
                _rule_hint("serviceexports/status", verbs=REPORT_VERBS),
            )
        if self.level(IMPORT) is AccessLevel.ABSENT:
            yield _finding(
                "the cluster does not serve ServiceImports: services of other clusters are "
                "Services alone, and clusterset.local does not have them",
                _INSTALL,
            )
        elif not (self.may_import and self.level(IMPORT) is AccessLevel.FULL):
            yield _finding(
                "the router may not write ServiceImports: services of other clusters are Services "
                "alone, and clusterset.local does not have them",
                _rule_hint(
                    "serviceimports", "serviceimports/status", verbs=(*READ_VERBS, *WRITE_VERBS)
                ),
            )


def _finding(reason: str, hint: str, severity: Severity = "warning") -> ConfigError:
    return ConfigError(
        SITE_SOURCE, "data.mcs", reason, hint=hint, code=NOT_AVAILABLE, severity=severity
    )


def _rule_hint(*resources: str, verbs: tuple[str, ...]) -> str:
    return (
        "Have an administrator of the cluster bind ClusterRole spillway-mcs to the router, which "
        f"has this rule: apiGroups: {_listed(GROUP)}, resources: {_listed(*resources)}, verbs: "
        f"{_listed(*verbs)} (docs/kubernetes-mcs.md, Permissions)"
    )


def _listed(*words: str) -> str:
    return "[" + ", ".join(f'"{word}"' for word in words) + "]"
