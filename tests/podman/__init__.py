"""Routers in real containers: `make test-podman`. Images are built here, without a registry.

Not part of `make test`: it needs podman, and root or a user with ranges in subuid(5).
"""
