"""What we host: the servers that issue and record trust."""
