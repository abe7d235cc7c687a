"""Secrets of a site, and its files: identity, links, grants, register, revocations, TLS, logins.

In: Secrets as `store` mirrors them; requests of `router.trust` to save (`PrimarySecrets`).
Out: the same files that a site on a host has; Secrets, written by compare-and-swap.

Invariants: a Secret is written before it counts; only the named Secrets are written; a failure is
an error that names the Secret, and is tried again.
"""
