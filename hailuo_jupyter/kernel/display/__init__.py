"""What a cell shows of its runs, kept current while they are active."""
