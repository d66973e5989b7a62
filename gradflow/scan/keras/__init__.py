"""What in a Keras file is not known to be harmless."""
