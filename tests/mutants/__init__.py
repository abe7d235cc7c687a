"""Whether a room's own tests notice a change of its code: ``python -m tests.mutants ROOM``."""
