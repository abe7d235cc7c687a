"""Clients of this site: listeners, a session for each connection, and what each may send."""
