"""Hold the version of gradflow; the distribution takes its own from here."""

VERSION = "0.1.0"
