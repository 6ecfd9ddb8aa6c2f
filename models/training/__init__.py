"""From pictures and a recipe to a checkpoint."""
