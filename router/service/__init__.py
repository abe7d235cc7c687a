"""A service at this site: targets, slots, its queue, answers of other sites, figures.

In: requests that ask for a slot, answers of targets, reports of other sites. Out: slots,
connections to targets, figures for users and other sites. It knows no client and no link: a request
that waits for a slot is a waiter of `admission`, and an answer goes to a handler as defined in
`ports`. `router.exchange`, above, joins clients, other sites and targets.
"""
