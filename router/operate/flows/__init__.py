"""Single requests and connections: for followers, in the access log, as spans.

Invariants: nothing is recorded while no client follows; a slow follower loses flows, and learns how
many; dedicated threads write.
"""
