"""Model files that were altered at random, and what gradflow says of them."""
