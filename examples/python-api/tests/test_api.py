from fastapi.testclient import TestClient

from app.main import app

client = TestClient(app)


def test_a_rising_tide_has_a_positive_trend():
    for hour, level in [(0, 0.4), (1, 0.9), (2, 1.4)]:
        assert client.post("/readings", json={"hour": hour, "level": level}).status_code == 201
    assert client.get("/summary").json()["highest"] == 1.4
    assert client.get("/trend").json() == {"metres_per_hour": 0.5}


def test_the_service_says_that_it_is_well():
    assert client.get("/healthz").json()["ok"]


def test_impossible_levels_are_refused():
    assert client.post("/readings", json={"hour": 0, "level": 99}).status_code == 422
