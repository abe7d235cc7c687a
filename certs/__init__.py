"""Keys, the site's CA, leaf certificates, tokens, claims, stored credentials, revocation.

A library of plain functions and small classes; it reads and writes files and opens no socket. Times
are Unix seconds that the caller passes as ``now``. PEM is ``str``, DER is ``bytes``.

In: a site's ``secrets/`` directory, token files, claim requests. Out: TLS contexts, credentials,
tokens, answers to claims. An invalid input is a `CertError` that names the input and the next step.

Invariants: a secret file is 0600 from its first byte and replaced atomically; a one-use claim
yields one identity, even after a crash; names in certificates come from the issuer; no key or
secret appears in a ``repr`` or an error.

All folders build on the modules beside this file, which import none of them: keys, files, names,
certificates, clocks, a site's identity.

Sources: RFC 5280 (certificates), RFC 2986 (requests), RFC 8446 (TLS 1.3); token Secrets have the
shape of Skupper v1 (``skupper.io/type``) with a few annotations of our own.
"""
