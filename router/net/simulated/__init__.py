"""The network in virtual time: `internet.SimulatedInternet` has hosts, each a `Network`."""
