"""The console of this router: where it is served, by which certificate, and who may log in."""
