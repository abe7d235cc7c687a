"""Other sites as a service knows them, by their answers."""
