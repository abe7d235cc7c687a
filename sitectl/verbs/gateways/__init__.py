"""`gateway`: a host's own services on the network, and the network's on the host."""
