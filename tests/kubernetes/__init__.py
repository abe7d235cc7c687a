"""A small faithful cluster inside the test process: API server, controllers, kubelet."""
