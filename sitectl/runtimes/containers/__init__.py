"""A router in a container: of podman, which systemd keeps running if it can, or of docker.

From the files of a site to a running container: `plan` makes a `words.Container`; `words` (pure)
renders it for an engine, `quadlet` (pure) for systemd; `podman` and `docker` run it, and share
`runtime`. `engine` calls the programs, `generator` calls Quadlet's, `host` has the facts of this
host (docs/hosts-podman.md).
"""
