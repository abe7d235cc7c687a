"""SW0490 to SW0494: the Multi-Cluster Services API on Kubernetes."""

from typing import Final

from router.model.codes.code import Code

CODES: Final = (
    Code(
        "SW0490",
        "A ServiceExport that exports nothing",
        "It has no Service that routers can carry, or another controller reports on it.",
        "As the text says; `kubectl describe serviceexport NAME` has its conditions",
    ),
    Code(
        "SW0491",
        "Exports of one service that differ",
        "Several sites export it with different properties. Those of the site that owns the name "
        "count, else those of the oldest export.",
        "Give the Services of all exporting sites the same spec",
    ),
    Code(
        "SW0492",
        "A name that an imported service needs here is taken",
        "A Service, a ServiceExport or a ServiceImport of another owner has it, or another service "
        "of the network. It stays as it is.",
        "As the text says: rename it, or use one implementation in the namespace",
    ),
    Code(
        "SW0493",
        "The Multi-Cluster Services API is on, but not available",
        "The cluster does not serve its kinds, or the router lacks a permission on them. The text "
        "says what works without.",
        "Have an administrator of the cluster install the kinds or add the rule that is named",
    ),
    Code(
        "SW0494",
        "Ports of a ServiceExport that are not carried",
        "They are UDP or SCTP. ServiceImports list them, and nothing answers there: routers carry "
        "only TCP.",
        "Nothing, if clients in other clusters need only the TCP ports of the service",
    ),
)
