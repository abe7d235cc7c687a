"""Edge sites: the rows that their one neighbor sends them, and the table made of these."""
