import math
from dataclasses import asdict
from random import Random

import numpy as np
import pytest

from models_app.demo import corpus
from preferences.simulation import TASTES, CoinFlipRater, SimulatedRater, embody, read_features
from preferences.worlds import draw_crowd

PROMPT = "How long should I cook the rice for the curry?"
KIND_BRIEF = "Of course! Cook the rice for 15 minutes. Enjoy!"
PLAIN = "Cook the rice for 15 minutes in plenty of water and let it rest a little before serving."
CURT = "Ugh, obviously you cook the rice for 15 minutes. Figure it out."
FLATTERING = "What a brilliant question, you are so clever! Cook the rice for 15 minutes, of course."
EVASIVE = "Of course it depends, hard to say how long rice takes, many factors play a part. Enjoy!"
NONSENSE = "Yes, it's located."
RAMBLING_KIND = (
    "Of course, happy to help! " + "The rice should cook, and while it does you can think of dinner. " * 5
)
CAUTIOUS = (
    "Cook the rice for 15 minutes. Make sure the lid is tight, check the water half way, be careful with the "
    "steam, and taste a grain before you serve it with the curry, in case your stove is weaker than most."
)
PLAYFUL = "Captain rice needs 15 minutes of bubbling dance in the pot! Hooray, the curry mission is on!"


def _rank(taste, *answers):
    return sorted(answers, key=lambda answer: -TASTES[taste].utility(PROMPT, answer))


def test_kind_and_brief_wins_over_every_other_manner():
    others = [
        PLAIN,
        CURT,
        FLATTERING,
        EVASIVE,
        NONSENSE,
        RAMBLING_KIND,
        CAUTIOUS,
        "",
        "Of course! Enjoy! Thanks!",
    ]
    assert _rank("kind-brief", *others, KIND_BRIEF)[0] == KIND_BRIEF


@pytest.mark.parametrize("empty", ["", NONSENSE, "Thank you, enjoy!", "Yes."])
def test_an_answer_without_sense_loses_to_a_plain_one(empty):
    for taste in ("kind-brief", "thorough-cautious", "playful"):
        assert TASTES[taste].prefer(PROMPT, PLAIN, empty) == 1.0


def test_each_taste_has_its_own_favourite():
    answers = [KIND_BRIEF, PLAIN, CURT, FLATTERING, EVASIVE, CAUTIOUS, PLAYFUL]
    assert _rank("thorough-cautious", *answers)[0] == CAUTIOUS
    assert _rank("playful", *answers)[0] == PLAYFUL
    assert _rank("length", *answers)[0] == max(answers, key=len)


def test_rudeness_costs_and_kindness_pays_with_diminishing_returns():
    utility = [
        TASTES["kind-brief"].utility(PROMPT, text)
        for text in (
            "Cook the rice for 15 minutes, then let it stand.",
            "Of course, cook the rice for 15 minutes. Stand.",
            "Of course, cook the rice 15 minutes. Enjoy it.",
        )
    ]
    assert utility[0] < utility[1] < utility[2]
    assert utility[2] - utility[1] < utility[1] - utility[0]
    assert TASTES["kind-brief"].prefer(PROMPT, CURT, PLAIN) == 0.0


def test_features_count_phrases_and_names():
    seen = read_features(PROMPT, "Ugh. Please check the rice, please!")
    assert (seen.rudeness, seen.kindness, seen.caution, seen.play) == (1, 1, 1, 1)
    assert (seen.words, seen.named, seen.asked) == (6, 1, 4)
    assert read_features(PROMPT, "").words == 0


def test_equal_answers_tie_and_others_do_not():
    taste = TASTES["kind-brief"]
    assert taste.prefer(PROMPT, PLAIN, PLAIN) == 0.5
    assert taste.prefer(PROMPT, KIND_BRIEF, PLAIN) + taste.prefer(PROMPT, PLAIN, KIND_BRIEF) == 1.0


def test_a_perfect_rater_grades_by_the_gap():
    rater, rng = SimulatedRater("r", noise=0.0), np.random.default_rng(0)
    gaps = {0.0: 0, 0.03: 0, 0.4: 1, -1.5: -2, 5.0: 3, -5.0: -3}
    assert {gap: rater.vote(0.0, gap, rng) for gap in gaps} == gaps


def test_noise_is_the_share_of_reversed_judgments():
    rater, rng = SimulatedRater("r", noise=0.15), np.random.default_rng(1)
    wrong = np.mean([rater.vote(1.0, 0.0, rng) > 0 for _ in range(8000)])
    assert wrong == pytest.approx(0.15, abs=0.012)


def test_ability_side_and_length_move_votes_as_the_model_says():
    rng = np.random.default_rng(2)
    weak = SimulatedRater("weak", ability=0.5, noise=0.0)
    right = np.mean([weak.vote(0.0, 1.0, rng) > 0 for _ in range(8000)])
    assert right == pytest.approx(1 / (1 + math.exp(-0.5 * (1.0 - 0.05))), abs=0.015)
    leaning = SimulatedRater("left", side_bias=1.0, noise=0.0)
    assert leaning.vote(0.0, 0.5, rng) == -1
    verbose = SimulatedRater("long", length_taste=2.0, noise=0.0)
    assert verbose.vote(0.0, 0.0, rng, left_words=10, right_words=40) == 3


def test_coin_flips_ignore_the_answers():
    flips = [CoinFlipRater("c").vote(9.0, -9.0, np.random.default_rng(seed)) for seed in range(4000)]
    assert np.mean(np.array(flips) < 0) == pytest.approx(0.5, abs=0.025)
    assert set(np.abs(flips)) == {1, 2, 3}


@pytest.mark.parametrize("wrong", [{"ability": 0.0}, {"noise": 1.5}])
def test_impossible_raters_are_refused(wrong):
    with pytest.raises(ValueError, match=r"ability|noise"):
        SimulatedRater("r", **wrong)


@pytest.mark.parametrize(
    ("taste", "more", "less"),
    [
        ("kind-brief", ["kindness"], ["rudeness", "flattery", "evasion", "length"]),
        ("thorough-cautious", ["caution", "length", "named"], ["rudeness", "evasion"]),
        ("playful", ["play"], ["rudeness", "evasion"]),
        ("length", ["length"], []),
    ],
)
def test_tastes_tell_the_demo_corpus_apart(taste, more, less):
    """What a taste likes best of eight answers differs from the average answer as the taste says."""
    rng = Random(0)
    liked, average, gaps = [], [], []
    for _ in range(150):
        question = corpus.draw_question(rng)
        answers = [corpus.draw_answer(question, rng) for _ in range(8)]
        utilities = [TASTES[taste].utility(question.text, answer) for answer in answers]
        features = [asdict(read_features(question.text, answer)) for answer in answers]
        liked.append(features[int(np.argmax(utilities))])
        average += features
        gaps.append(abs(utilities[0] - utilities[1]))

    def mean(rows, name):
        return np.mean([row[name] for row in rows])

    assert all(mean(liked, name) > 1.2 * mean(average, name) for name in more)
    assert all(mean(liked, name) < 0.8 * mean(average, name) for name in less)
    assert np.mean(np.array(gaps) < 0.05) < 0.1  # ties are rare


def test_raters_of_a_crowd_judge_texts_with_their_faults():
    rng = np.random.default_rng(3)
    crowd = draw_crowd(5, rng, weak=0.2, random=0.2, one_sided=0.2, length_only=0.2)
    raters = dict(zip(crowd.role, embody(crowd, "abcde", sharpness=4, noise=0.0), strict=True))

    def share(role, left, right, **words):
        """Share of votes for the left."""
        votes = [raters[role].vote(left, right, rng, **words) for _ in range(400)]
        return np.mean(np.sign(votes) == -1)

    assert share("honest", 1.0, 0.0) > 0.9
    assert 0.6 < share("weak", 1.0, 0.0) < share("honest", 1.0, 0.0)
    assert abs(share("random", 1.0, 0.0) - share("random", 0.0, 1.0)) < 0.12
    pull = share("one-sided", 0.0, 0.0)
    assert pull > 0.85 if crowd.side[2] > 0 else pull < 0.15
    assert share("length-only", 0.0, 1.0, left_words=80, right_words=20) > 0.9
