"""One model, start to end: read, scan, load, step, explain, conclude."""
