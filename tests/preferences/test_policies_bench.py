"""The rows about policies run at a small size, and hold where the size is enough to say so."""

from bench.statistics.policies import WORLDS, figures


def test_intervals_cover_and_peeking_costs_nothing():
    found = {figure.name: figure.value for figure in figures(seeds=2, small=True)}
    for world in WORLDS:
        name = f"6 {world.name}: coverage of 95 % intervals"
        assert 0.88 <= found[f"{name}, mean"] <= 0.99
        assert found[f"{name}, naive"] < found[f"{name}, mean"]
    assert found["7 coins: equal policies called unequal, mean"] <= 0.05
    assert found["7 coins: equal policies called unequal, naive"] > 0.15
    assert found["7 votes saved at 60%, worst"] >= 0.5
    assert found["7 the better policy found at 60%, worst"] >= 0.9
