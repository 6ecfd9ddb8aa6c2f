"""What a detector computes: the nets, and how their outputs become boxes."""
