"""The life of each request, or tcp connection, between its client and the site that serves it.

`clients`: listeners and sessions; each opens one `Leg` for each request, a `client_exchange`. That
selects a site and makes attempts: a leg to a target of this site (`service.targets`, behind
`service.admission`) or a leg over a stream to another site (`sites.remote`). When the first is not
enough, `attempts` repeats or queues. A stream that ends here has a separate exchange
(`sites.egress`), whose attempts are all here. `exchange` is the common part of both: the request in
hand, the slot, attempts at targets of this site. Everything is callbacks; a slot is taken and given
back in one place each.
"""
