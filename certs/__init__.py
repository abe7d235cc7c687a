"""Keys, the site's CA, leaf certificates, tokens, claims, stored credentials, revocation.

A library of plain functions and small classes; it reads and writes files and opens no socket.
Times are Unix seconds that the caller hands in as ``now``. PEM is ``str``, DER is ``bytes``.

Comes in: a site's ``secrets/`` directory, token files, claim requests. Goes out: TLS contexts,
credentials, tokens, answers to claims. What is wrong with an input is a `CertError` that names
the thing and the next step.

Invariants: a secret file is 0600 from its first byte and replaced atomically; a one-use claim
yields one identity, whatever is killed when; names in certificates come from the issuer; no key
or secret appears in a ``repr`` or an error.

The modules beside this file are what all folders stand on, and import none of them: keys, files,
names, certificates, clocks, who a site is.

Sources: RFC 5280 (certificates), RFC 2986 (requests), RFC 8446 (TLS 1.3); token Secrets have the
shape of Skupper v1 (``skupper.io/type``) with a few annotations of our own.
"""
