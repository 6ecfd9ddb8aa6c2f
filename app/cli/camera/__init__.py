"""`takt camera`: find cameras, ask them, look through them, set them."""
