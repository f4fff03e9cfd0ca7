"""The soak of worker pools, in short: `make soak KILLS=200` is the long one."""

import pytest
from kill_workers import BAD, harmed, soak


@pytest.mark.parametrize("seed", [1])
def test_no_answer_is_lost_doubled_or_wrong_whatever_dies_or_stops(seed):
    found = soak(5, seed)
    assert harmed(found) >= 5
    assert found["answers"] >= 12000
    assert not any(found[name] for name in BAD), found
