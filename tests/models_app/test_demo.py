"""The demo corpus, its own evaluation and the committed demo policy."""

from itertools import islice
from pathlib import Path
from random import Random

import pytest

from models_app.backends import SamplingParams
from models_app.demo import corpus
from models_app.demo.evaluation import check, parse, summarise

POLICY = Path(corpus.__file__).parent / "policy"


def test_the_same_seed_gives_the_same_corpus() -> None:
    first, again = (list(islice(corpus.examples(3), 50)) for _ in range(2))
    assert first == again
    assert first != list(islice(corpus.examples(4), 50))


def test_prompts_are_distinct_and_tagged() -> None:
    found = corpus.prompts(6000, seed=1)
    assert len({prompt["messages"][0]["content"] for prompt in found}) == 6000
    assert {prompt["tags"][0] for prompt in found} == {topic.name for topic in corpus.ALL_TOPICS}


def test_every_question_is_recognised_and_every_right_template_is_judged_right() -> None:
    rng = Random(5)
    for _ in range(1500):
        question = corpus.draw_question(rng)
        parsed = parse(question.text)
        assert parsed is not None, question.text
        assert parsed[0] is question.topic, question.text
        for template in question.topic.short + question.topic.full:
            answer = corpus.fill(template, question.slots, rng)
            assert check(question.text, answer) is True, (question.text, answer)
        for template in question.topic.partial:
            answer = corpus.fill(template, question.slots, rng)
            assert check(question.text, answer) is not True, (question.text, answer)


@pytest.mark.parametrize(
    ("question", "answer", "verdict"),
    [
        ("I buy 4 mugs at 3 euros each. What do I pay?", "4 mugs cost 12 euros in all.", True),
        ("I buy 4 mugs at 3 euros each. What do I pay?", "4 mugs cost 13 euros in all.", False),
        ("I buy 4 mugs at 3 euros each. What do I pay?", "Hard to say anything about the mugs.", None),
        ("Ask Tom to feed the cat on Friday.", "Tom, can you feed the cat?", False),
        ("Ask Tom to feed the cat on Friday.", "Happy to help. Tom, could you feed the cat on Friday?", True),
        ("I can go to Rome at 9:15 or at 14:00. Which is the earlier train?", "The 14:00 to Rome.", False),
        ("What is the meaning of life?", "42 minutes.", None),
    ],
)
def test_check_reads_the_facts(question: str, answer: str, verdict: bool | None) -> None:
    assert check(question, answer) is verdict


def test_answers_come_in_many_manners() -> None:
    pairs = list(islice(corpus.examples(0), 3000))
    answers = [answer for _, answer in pairs]
    figures = summarise(pairs)
    assert figures["distinct"] > 0.97
    assert 20 < figures["mean_words"] < 32
    assert 0.5 < figures["right"] < 0.75
    assert figures["wrong"] > 0.15
    assert figures["evasive"] > 0.05
    for word, least in (("happy", 0.05), ("Ugh", 0.04), ("brilliant", 0.03), ("case", 0.03), ("!", 0.1)):
        assert sum(word in answer for answer in answers) / len(answers) > least


def test_the_demo_policy_is_small_fluent_and_varied() -> None:
    from models_app.backends.transformers import load_policy

    assert sum(path.stat().st_size for path in POLICY.rglob("*")) < 8_000_000
    talks = [prompt["messages"] for prompt in corpus.prompts(200, seed=11)]
    answers = dict(load_policy(str(POLICY)).generate(talks, SamplingParams(seed=2)))
    figures = summarise([(talk[0]["content"], answers[i]) for i, talk in enumerate(talks)])
    assert figures["distinct"] >= 0.97
    assert 20 < figures["mean_words"] < 35
    assert figures["on_topic"] > 0.85
    assert figures["right"] > 0.3
    assert all(answers.values())
