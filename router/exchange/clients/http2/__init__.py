"""A client's HTTP/2 connection: a leg for each of its streams.

Reading order: session, phases, caller, requests, own_answers.
"""
