"""TLS contexts, of links and of services, and the certificates that services show and trust."""
