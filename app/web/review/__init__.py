"""What the quality engineer reviews: the queue of parts, one part as a whole, and the labels that people give."""
