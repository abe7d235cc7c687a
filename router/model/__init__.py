"""The values every room shares: ids, wanted state, adverts, events, errors, limits.

Frozen values and nothing else: no behaviour beyond checking, no input or output, no clock.
The modules beside this file import no folder; `messages` knows `rights`, no other one another.
"""
