"""TCP and HTTP sessions between clients, targets and streams of other sites.

A client session (`ingress_tcp`, `ingress_http`) opens one `Leg` for each request: its
`client_exchange`. That selects a site and makes attempts: a leg to a target of this site
(`target_tcp`, `target_http`, behind `admission`) or a leg over a stream to another site (`remote`).
When the first is not enough, `attempts` repeats or queues. A stream that ends here has an exchange
of its own (`egress`), whose attempts are all here. What both have in common is `exchange`: the
request in hand, the slot, attempts at targets of this site. Everything is
callbacks; a slot is taken and given back in one place each.
"""
