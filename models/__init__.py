"""What happens to a model before it reaches the box.

Data sets, training, export to a package and evaluation. Nothing in `app` imports this room; it brings its commands
to `takt models ...` by the entry-point group `takt.commands`. Torch, onnx and pycocotools are imported only where
they are used, so that `import models.commands` works on a box that never trains.
"""
