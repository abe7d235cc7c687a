"""The console of this router: its listener, its certificate, and its users."""
