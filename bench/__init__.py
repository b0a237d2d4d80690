"""How fast ours is beside docker, notary-server and docker-registry, on one machine, in turns."""
