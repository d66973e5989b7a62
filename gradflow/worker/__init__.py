"""One model, start to end; what needs TensorFlow happens in a child process that may die without harm."""
