"""Turn graphs, functions and layers into FlowGraphs."""
