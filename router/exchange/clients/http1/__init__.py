"""A client's HTTP/1 connection: requests one after another, each with its leg; tunnels after 101.

Reading order: session, client, leg_connection, connection; client_states and client_table list the
transitions.
"""
