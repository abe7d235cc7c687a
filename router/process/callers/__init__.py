"""Whose the connections of clients are: on a host by the kernel, in a namespace by its pods.

`host_names` and `namespace_names` implement `router.callers.names.CallerNames`. `socket_owners`
asks the kernel for the owner of a socket, `control_groups` says which unit or container that is,
`containers` asks podman for the addresses of its networks.
"""
