"""The contents of a site's Secrets, read and written in one place, for routers and `sitectl`.

In: a Secret as the API returns it, or a value of `certs`. Out: the other one. One module per kind;
`status` and `owners` are for ConfigMaps. Unusable content is a `SecretError` that names the Secret,
its key and the next step.

Invariants: a written value reads back as the same value; a changed Secret keeps its version and its
other keys. No module here does input or output or reads a clock: of `certs` they call only
functions that read and write bytes (tests/property/test_secret_codecs.py).
"""
