"""Single requests and connections: for whoever looks, in the access log, as spans.

Invariants: nothing is noted while nobody looks; a follower that does not keep up loses flows, and
is told how many; writing happens in threads of its own.
"""
