"""Readings in memory, and what numpy makes of them."""

from collections import deque

import numpy as np
from pydantic import BaseModel, Field


class Reading(BaseModel):
    hour: float = Field(ge=0, description="hours since the gauge was set")
    level: float = Field(ge=-20, le=20, description="metres above chart datum")


class Summary(BaseModel):
    count: int
    lowest: float
    mean: float
    highest: float


class Trend(BaseModel):
    metres_per_hour: float


class Gauge:
    """Keeps the latest readings and forgets the oldest."""

    def __init__(self, capacity: int) -> None:
        self._readings: deque[Reading] = deque(maxlen=capacity)

    def __len__(self) -> int:
        return len(self._readings)

    def add(self, reading: Reading) -> None:
        self._readings.append(reading)

    def summary(self) -> Summary:
        levels = np.array([reading.level for reading in self._readings])
        return Summary(
            count=len(levels),
            lowest=float(levels.min()),
            mean=float(levels.mean()),
            highest=float(levels.max()),
        )

    def trend(self) -> Trend:
        hours = np.array([reading.hour for reading in self._readings])
        levels = np.array([reading.level for reading in self._readings])
        slope = np.polyfit(hours, levels, deg=1)[0]
        return Trend(metres_per_hour=round(float(slope), 6))
