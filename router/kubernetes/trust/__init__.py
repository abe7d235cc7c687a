"""Secrets of a site, and its files: identity, links, grants, register, revocations, TLS, logins.

In: Secrets as `store` mirrors them, what `router.trust` asks to keep (`trust.ports.KeptSecrets`).
Out: the files that a site on a host has, too; Secrets that are written, by compare-and-swap.

Invariants: a Secret is written before it counts; nothing but the named Secrets is written; what
fails is an error that names the Secret, and is tried again.
"""
