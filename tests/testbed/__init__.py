"""The test bed: real hosts and a small internet, made of containers from Debian packages. See README.md."""

from __future__ import annotations

from .bed import Bed, Result, bed_name

__all__ = ["Bed", "Result", "bed_name"]
