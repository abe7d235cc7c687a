"""What a service has at this site: targets, slots, its queue, what other sites answered, figures.

In: requests that ask for a slot, answers of targets, what other sites say. Out: slots, connections
to targets, what people and other sites are told. It knows no client and no link: who waits for a
slot is a waiter of `admission`, and an answer goes to an end as `ports` has it. `router.exchange`,
above, joins clients, other sites and targets.
"""
