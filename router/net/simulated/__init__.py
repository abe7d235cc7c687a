"""The network in virtual time: `internet.SimulatedInternet` has hosts, each of them a `Network`."""
