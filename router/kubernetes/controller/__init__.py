"""The site controller: installs a site in each namespace that asks for one.

In: ConfigMaps ``skupper-site`` of the namespaces that it watches. Out: the manifests of a site,
applied, and what keeps one from being installed, as Events.

Invariants: it only installs. No router needs it, and no traffic passes through it.
"""
