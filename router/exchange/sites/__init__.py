"""Other sites: attempts there, requests that they send here, and what is known of them."""
