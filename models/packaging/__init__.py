"""From a checkpoint to a package: the graph, its precision, the manifest, the golden frames."""
