import numpy as np
import pytest

from preferences.effort import skimming, skims, weigh_typing


@pytest.mark.parametrize(
    ("pasted", "typed", "gained", "expected"),
    [
        (0, 100, 100, (False, False)),
        (51, 49, 100, (True, False)),
        (50, 50, 100, (False, False)),
        (80, 20, 100, (True, True)),
        (0, 29, 100, (False, True)),  # dictated, completed or put in by a script
        (0, 300, 100, (False, False)),  # typed and deleted again
        (39, 0, 39, (False, False)),  # too little
    ],
)
def test_pastes_and_keys_are_weighed_against_what_was_put_in(pasted, typed, gained, expected):
    found = weigh_typing(pasted, typed, gained)
    assert (found.pasted, found.unkeyed) == expected


def test_what_is_not_known_is_none():
    found = weigh_typing(0, 0)
    assert (found.paste_share, found.key_share) == (None, None)
    assert weigh_typing(90, 10).key_share == pytest.approx(0.1)
    with pytest.raises(ValueError, match="fewer than none"):
        weigh_typing(-1, 5)


def test_skimming_is_a_share_of_the_judgments_with_a_time():
    words, quick, slow = 475, 29_000, 31_000  # 950 words a minute are thirty seconds
    share = skimming([words] * 40, [quick] * 8 + [slow] * 22 + [0] * 10)
    assert (share.value, share.n) == (8 / 30, 30)
    assert skims(share)
    assert not skims(skimming([words] * 40, [quick] * 8 + [slow] * 32))
    few = skimming([words] * 19, [quick] * 19)
    assert (few.value, few.n, few.why) == (None, 19, "too few judgments with a time yet")
    assert not skims(few)
    assert skimming([words] * 30, [np.nan] * 30).n == 0
