"""What finds defects: the seam `Detector`, its runtimes, model packages, and the golden sample."""
