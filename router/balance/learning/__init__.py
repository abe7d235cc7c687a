"""Learning from answers: the slots of each target, and the demand for a service at this site."""
