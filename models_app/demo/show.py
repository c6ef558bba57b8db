"""Print samples of a demo policy with a verdict on each: `python -m models_app.demo.show --n 10`."""

import argparse
from pathlib import Path

from models_app.backends import SamplingParams
from models_app.backends.transformers import load_policy
from models_app.demo.corpus import prompts
from models_app.demo.evaluation import check, summarise


def main() -> None:
    """Sample from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--policy", default=str(Path(__file__).parent / "policy"))
    parser.add_argument("--n", type=int, default=10)
    parser.add_argument("--show", type=int, default=10)
    parser.add_argument("--seed", type=int, default=7)
    arguments = parser.parse_args()
    talks = [prompt["messages"] for prompt in prompts(arguments.n, arguments.seed)]
    params = SamplingParams(max_new_tokens=128, seed=arguments.seed)
    answers = dict(load_policy(arguments.policy).generate(talks, params))
    pairs = [(talk[0]["content"], answers[index]) for index, talk in enumerate(talks)]
    words = {True: "right", False: "wrong", None: "-"}
    for question, answer in pairs[: arguments.show]:
        print(f"{question}\n    [{words[check(question, answer)]}] {answer}\n")
    print(summarise(pairs))


if __name__ == "__main__":
    main()
