"""Clients of this site: listeners, a session for each connection, and limits for clients."""
