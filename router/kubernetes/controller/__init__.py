"""The site controller: installs a site in each namespace that asks for one.

In: ConfigMaps ``skupper-site`` of the namespaces that it watches. Out: the manifests of a site,
applied, and Events about everything that prevents an installation.

Invariants: it only installs. No router needs it, and no traffic passes through it.
"""
