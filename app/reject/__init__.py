"""How a part is followed to its outcome: the belt, the gates, and the pins that move them."""
