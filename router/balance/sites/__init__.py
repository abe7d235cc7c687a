"""Other sites: what each reported, what went there, whether it answers."""
