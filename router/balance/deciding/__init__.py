"""Which site a request goes to, by which policy, and how that is explained."""
