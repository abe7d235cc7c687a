"""A router in a container: of podman, which systemd keeps running where it can, or of docker.

From the files of a site to what runs: `plan` makes a `words.Container` of them; `words` (pure) says
it to an engine, `quadlet` (pure) to systemd; `podman` and `docker` decide who runs it, over
`runtime`, which they share. `engine` asks and tells the programs, `generator` Quadlet's, `host` is
what this host offers (docs/hosts-podman.md).
"""
