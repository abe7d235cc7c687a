"""The Multi-Cluster Services API (KEP-1645): exports of this namespace, imports of others. Pure.

In: a `Snapshot`, the exports of all sites (`router.model.messages.exports`), declarations in force,
inner ports. Out: documents for the exports of this namespace (`exported`; pods with names:
`named_pods`), one merged view of each exported service (`merging`), conditions (`conditions`),
changes of ServiceImports, of derived Services, of EndpointSlices and of `/status` (`imports`,
`slices`, `reports`).

Invariants: objects without our mark are not touched; an export that another controller reports on
is left to it; nothing raises, whatever the objects hold.
"""
