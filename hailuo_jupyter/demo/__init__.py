"""The quickstart notebook, run against simulated providers: ``jupyter hailuo demo``."""
