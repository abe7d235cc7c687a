"""Mutated bytes against everything that reads what strangers, targets and neighbors send.

``python -m tests.fuzz`` runs for ``FUZZ_SECONDS`` (60) from ``FUZZ_SEED`` (printed; random if not
given) and stops at the first input that breaks a law, printing it; ``FUZZ_TARGETS`` names some of
the targets. A short slice from a fixed seed runs with the tests.
"""
