"""The life of each request, or tcp connection, between its client and who serves it.

`clients`: listeners and sessions; each opens one `Leg` for each request, a `client_exchange`. That
selects a site and makes attempts: a leg to a target of this site (`service.targets`, behind
`service.admission`) or a leg over a stream to another site (`sites.remote`). When the first is not
enough, `attempts` repeats or queues. A stream that ends here has an exchange of its own
(`sites.egress`), whose attempts are all here. What both have in common is `exchange`: the request
in hand, the slot, attempts at targets of this site. Everything is callbacks; a slot is taken and
given back in one place each.
"""
