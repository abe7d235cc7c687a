"""The values every room shares: ids, wanted state, adverts, events, errors, limits.

Frozen values and their checks only: no other behavior, no I/O, no clock. The modules beside this
file import no subpackage; `messages` may import `rights`, and no other subpackage imports another.
"""
