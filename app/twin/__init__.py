"""The line in software: a belt with parts on it, the pins it moves, and the truth about every part."""
