"""Models that do something besides computing; the only effect of each is one marker file."""
