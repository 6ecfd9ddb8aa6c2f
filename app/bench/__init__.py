"""The bench: the real processes on the twin, measured stage by stage, with and without busy neighbours."""
