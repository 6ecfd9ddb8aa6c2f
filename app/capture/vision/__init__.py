"""The vision trigger: parts found in the frames of a camera that runs freely above the belt."""
