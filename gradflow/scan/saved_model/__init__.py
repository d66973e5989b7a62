"""What in a SavedModel is not known to be harmless."""
