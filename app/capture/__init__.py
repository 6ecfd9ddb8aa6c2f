"""Where frames come from: the seam `Camera`, its drivers, and what triggers a part."""
