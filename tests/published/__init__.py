"""A release as its receivers have it: `make test-published`. It is made once, as typed.

Beside the other tests, because it asks a package index for the wheels of two architectures and
three versions of Python, which takes most of its time.
"""
