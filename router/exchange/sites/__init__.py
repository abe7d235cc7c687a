"""Other sites: attempts there, and requests that they send here."""
