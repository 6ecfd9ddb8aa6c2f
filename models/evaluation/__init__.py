"""What a model is worth: figures, choices, comparisons and the card they are written on."""
