"""Targets of services in a namespace: pods and Services as addresses. Pure.

In: pods, Services and EndpointSlices of a `Snapshot`, connectors with selectors. Out: connectors
with addresses, findings (`targets.Expander`); the replicas of the site's router (`replicas`).

Invariants: only pods that are ready are targets; a Service of ours is never a target of itself.
"""
