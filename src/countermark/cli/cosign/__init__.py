"""cosign's commands in cosign's words: flags, texts, exit codes."""
