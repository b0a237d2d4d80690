"""What makes bytes convincing: keys, chains, logs, timestamps, TUF."""
