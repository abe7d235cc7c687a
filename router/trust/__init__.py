"""Identity of this site and its trust in others: certificates, claims, revocation, CA rotation.

In: secrets on disk (`certs`), claims and requests to renew that come over links, an operator's
orders. Out: `Tls` for links and listeners, a verdict on each peer (`admission`), events. `trust`
joins the modules and implements `ports.Credentials`; start there.

Invariants: no secret leaves this room but as a `Tls` or in an answer to a claim; a certificate is
judged at every handshake and again while its session lives; what is decided is kept on disk before
it is answered. Knows links and `certs`, no services, no routes but the sites that are barred.
"""
