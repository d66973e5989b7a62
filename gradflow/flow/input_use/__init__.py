"""Find what a graph does with each of its inputs."""
