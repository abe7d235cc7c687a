"""Edge sites: what their one neighbor offers them, and the table that they make of it."""
