"""Background work: one thread with one asyncio loop that submits, watches and fetches."""
