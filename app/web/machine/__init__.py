"""The technician's pages: how the box is, its processes, cameras, inputs and outputs, and what it has said."""
