"""Bundles: a gateway packed for a host that has only podman and a shell.

`bundle` makes identity, credential and archive; `contents` renders the files (pure), among them
``launch.sh`` and ``remove.sh`` over ``common.sh``; `archive` writes and reads the ``.tar.gz``.
"""
