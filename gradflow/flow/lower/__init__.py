"""GraphDefs and functions to a FlowGraph."""
