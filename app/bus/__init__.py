"""How processes talk: frame slots, event rings, status blocks, commands and wake-ups, in files that outlive them."""
