"""The operator's screen by itself: a browser that shows one page full screen, and whoever keeps it alive.

The page greys itself out when its data is old. This room is for what the page cannot notice: a browser that is gone,
hung or has crashed, shows an error, was led elsewhere, or eats the memory.
"""
