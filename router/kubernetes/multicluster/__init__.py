"""The Multi-Cluster Services API (KEP-1645): exports of this namespace, imports of others. Pure.

In: a `Snapshot`, the exports of all sites (`router.model.messages.exports`), declarations in
force, inner ports. Out: documents for what this namespace exports (`exported`; pods with names:
`named_pods`), one merged view of each exported service (`merging`), conditions (`conditions`),
changes of ServiceImports, of derived Services, of EndpointSlices and of `/status` (`imports`,
`slices`, `reports`).

Invariants: what carries no mark of ours is not touched; an export that another controller reports
on is left to it; nothing raises, whatever the objects hold.
"""
