"""What a graph does with each of its inputs."""
