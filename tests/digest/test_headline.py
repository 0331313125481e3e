import time

import pytest

from presscheck.digest.headline import claims_rank, has_measurement, is_headline

MEASURED = [
    "Our parser reaches an accuracy of 91.4% on held-out treebanks.",
    "It halves the memory and runs 3.2x faster than the dense layer.",
    "Training takes 4 hours instead of two days, a tenfold reduction.",
    "FID improves from 7.9 to 4.1 on the same budget.",
    "The agent solves 17 of 20 puzzles, while the best earlier one solves nine.",
    "Latency drops to 35 ms per frame.",
    "The gain over the baseline is 6-20% on all four tasks.",
    "We observe 2.3 BLEU higher scores with half the data.",
    "The system ranks first on the public board.",
    "Energy use falls by two orders of magnitude.",
    "Only 12 percent of the answers were found to be wrong.",
    "It wins against the larger model (62.1 vs. 58.4).",
    "On average, the score rises by 4 points.",
]
RANKED = [
    "Experiments show that our tokenizer outperforms all earlier ones.",
    "It sets a new state of the art on three tasks.",
    "The student achieves state-of-the-art results in translation.",
    "Our sampler performs on par with the exact solver.",
    "The proposed loss yields substantial gains across languages.",
]
NO_RESULT = [
    "We release Fern-7B, a model with 7B parameters trained on 1.5T tokens.",
    "We compare GPT-4 and Llama-3-8B in 2024.",
    "The corpus holds 40,000 images of 120 species.",
    "We present Heron 3.0, a bilingual model.",
    "State-of-the-art models are costly to train.",
    "Large models have achieved superior performance in many fields.",
    "Existing methods often exceed the memory of one device.",
    "Can a small model outperform a large one?",
    "We propose a router that sends each token to one expert.",
    "Our work aims to surpass human annotators.",
    "Images have a resolution of 1024x1024 pixels and show streets.",
    "Each sample is a triple of question, proof and answer, with better labels.",
    "It lifts the context window, which surpasses the limitations of recurrent models.",
]


@pytest.mark.parametrize("sentence", MEASURED)
def test_a_measured_quantity_with_an_outcome_is_a_headline(sentence):
    assert has_measurement(sentence)
    assert is_headline(sentence)


@pytest.mark.parametrize("sentence", RANKED)
def test_a_claim_of_rank_without_a_figure_is_a_headline_but_no_measurement(sentence):
    assert claims_rank(sentence)
    assert is_headline(sentence)
    assert not has_measurement(sentence)


@pytest.mark.parametrize("sentence", NO_RESULT)
def test_names_sizes_years_background_and_wishes_are_no_headlines(sentence):
    assert not is_headline(sentence)


@pytest.mark.parametrize(
    "hostile", ["9" * 200_000, "1,000" * 50_000, "achieves " * 30_000, "from 1 " * 40_000, "1 to " * 50_000]
)
def test_hostile_text_takes_no_longer_than_long_text(hostile):
    start = time.perf_counter()
    is_headline(hostile)
    assert time.perf_counter() - start < 1.0
