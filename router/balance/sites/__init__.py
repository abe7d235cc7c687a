"""Other sites: their reports, the requests sent there, whether they answer."""
