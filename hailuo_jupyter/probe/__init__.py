"""Check a provider for free: compare its answers with what the adapter expects."""
