"""The web interface: take readings, summarise them, say where they are going."""

import os

from fastapi import FastAPI, HTTPException

from app.gauge import Gauge, Reading, Summary, Trend

app = FastAPI(title="tide gauge", version="1.0.0")
gauge = Gauge(capacity=int(os.environ.get("GAUGE_CAPACITY", "1000")))


@app.get("/healthz")
def healthz() -> dict[str, object]:
    return {"ok": True, "readings": len(gauge)}


@app.post("/readings", status_code=201)
def add(reading: Reading) -> dict[str, int]:
    gauge.add(reading)
    return {"readings": len(gauge)}


@app.get("/summary")
def summary() -> Summary:
    if not len(gauge):
        raise HTTPException(status_code=404, detail="no readings yet")
    return gauge.summary()


@app.get("/trend")
def trend() -> Trend:
    if len(gauge) < 2:
        raise HTTPException(status_code=404, detail="a trend needs two readings")
    return gauge.trend()
