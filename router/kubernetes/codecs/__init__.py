"""What the Secrets of a site hold, read and written in one place: by routers and by `sitectl`.

In: a Secret as the API has it, or a value of `certs`. Out: the other one. One module for each kind;
`status` and `owners` are of ConfigMaps. What cannot be used is a `SecretError` that names the
Secret, its key and the next step.

Invariants: what is written reads back as the same value; a Secret that is changed keeps its version
and its other keys; nothing here does input or output or knows a clock: of `certs` only what reads
and writes bytes is called (tests/property/test_secret_codecs.py).
"""
