"""One service port: its slots, who waits for one, what is counted."""
