"""fal's adapter at its usual addresses."""

from __future__ import annotations

from hailuo_jupyter import catalogue
from hailuo_jupyter.providers.fal import Fal

FAL = catalogue.provider("fal")
API, STORAGE = "https://queue.fal.run", "https://rest.fal.ai"
WIRE = Fal(FAL, {"api": API, "storage": STORAGE})
JOB = "764cabcf-b745-4b3e-ae38-1200304cf45b"
FIRST, LAST = "https://pictures.example/first.png", "https://pictures.example/last.png"
CLIP = "https://v3.fal.media/files/b/clip/output.mp4"
