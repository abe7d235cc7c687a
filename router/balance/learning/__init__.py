"""What is learned from answers: slots of a target, and how much is wanted here."""
