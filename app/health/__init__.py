"""How the accelerator is: heat, clock, power, what slows it. A seam with sources; none may hold up whoever asks."""

from app.health.health import AcceleratorHealth, Health, decode_health, encode_health
from app.health.sources import open_health

__all__ = ["AcceleratorHealth", "Health", "decode_health", "encode_health", "open_health"]
