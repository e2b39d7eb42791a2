"""Segmind's adapter at its usual addresses."""

from __future__ import annotations

from hailuo_jupyter import catalogue
from hailuo_jupyter.providers.segmind import Segmind

SEGMIND = catalogue.provider("segmind")
API, STORAGE = "https://api.segmind.com", "https://workflows-api.segmind.com"
WIRE = Segmind(SEGMIND, {"api": API, "storage": STORAGE, "history": "https://history.example"})
JOB = "0f8fad5b-d9cb-469f-a165-70867728950e"
FIRST, LAST = "https://pictures.example/first.png", "https://pictures.example/last.png"
CLIP = "https://images.segmind.com/generations/clip.mp4"
