"""Identity of this site and its trust in others: certificates, claims, revocation, CA rotation.

In: secrets on disk (`certs`), claims and renewal requests that arrive over links, an operator's
commands. Out: `Tls` for links and listeners, a verdict on each peer (`admission`), events. `trust`
joins the modules and implements `ports.Credentials`; start there.

Invariants: secrets leave this room only as a `Tls` or in an answer to a claim; a certificate is
judged at every handshake and again during its session; a decision is stored on disk before it is
answered. Knows links and `certs`, but no services, and no routes except barred sites.
"""
