"""Two ways without a network, on the same words and the same split: phoneme error rate and word accuracy of the evaluated words.

Letters and phonemes are aligned by hard expectation maximisation: each letter says none, one or two phonemes, in order. Then a word is
written letter by letter: with the phonemes that its letter says most often, or with those that a decision tree chooses from seven letters.

  python3 examples/11-pronounce/peer.py
"""
import math
import re
import time
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np
from sklearn.preprocessing import OneHotEncoder
from sklearn.tree import DecisionTreeClassifier

SOURCE = Path(__file__).parent / "node_modules/cmu-pronouncing-dictionary/index.js"
MAX_LETTERS, EVAL_EVERY, EVAL_WORDS = 12, 20, 1024
# Every fourth word is enough to align, and to grow the tree of.
STRIDE, ROUNDS, SIDE = 1, 4, 3


def read_words():
    lines = re.findall(r'^  "?([a-z]+)"?: "([A-Z0-2 ]+)",?$', SOURCE.read_text(), re.M)
    words = [(word, tuple(re.sub("[0-2]", "", said).split())) for word, said in lines if 2 <= len(word) <= MAX_LETTERS]
    train = [entry for i, entry in enumerate(words) if i % EVAL_EVERY != EVAL_EVERY - 1]
    held_out = words[EVAL_EVERY - 1 :: EVAL_EVERY]
    return train, held_out[:: max(1, len(held_out) // EVAL_WORDS)][:EVAL_WORDS]


def align(word, said, cost):
    """What each letter says on the cheapest path, or None where there are more than two phonemes a letter."""
    best = {0: (0.0, ())}
    for letter in word:
        following = {}
        for at, (total, chunks) in best.items():
            for size in range(min(3, len(said) - at + 1)):
                chunk = said[at : at + size]
                path = (total + cost(letter, chunk), chunks + (chunk,))
                if at + size not in following or path[0] < following[at + size][0]:
                    following[at + size] = path
        best = following
    return best[len(said)][1] if len(said) in best else None


def align_all(words):
    counts = None
    for _ in range(ROUNDS):
        if counts is None:
            # At first a letter says one phoneme, wherever there are as many of both.
            table = {}
            seed = defaultdict(Counter)
            for word, said in words:
                if len(word) == len(said):
                    for letter, phoneme in zip(word, said):
                        seed[letter][(phoneme,)] += 1
            counts = seed
        totals = {letter: sum(chunks.values()) for letter, chunks in counts.items()}

        def cost(letter, chunk):
            key = (letter, chunk)
            if key not in table:
                table[key] = -math.log((counts[letter][chunk] + 0.1) / (totals.get(letter, 0) + 100)) + 0.5 * len(chunk)
            return table[key]

        aligned = [(word, chunks) for word, chunks in ((word, align(word, said, cost)) for word, said in words) if chunks]
        counts, table = defaultdict(Counter), {}
        for word, chunks in aligned:
            for letter, chunk in zip(word, chunks):
                counts[letter][chunk] += 1
    return aligned, counts


def windows(word):
    padded = "#" * SIDE + word + "#" * SIDE
    return [list(padded[i : i + 2 * SIDE + 1]) for i in range(len(word))]


def edits(reference, hypothesis):
    row = list(range(len(hypothesis) + 1))
    for i, expected in enumerate(reference, 1):
        before, row[0] = row[0], i
        for j, found in enumerate(hypothesis, 1):
            before, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, before + (expected != found))
    return row[-1]


def report(name, held_out, written, seconds):
    wrong = sum(edits(said, guess) for (_, said), guess in zip(held_out, written))
    rate = wrong / sum(len(said) for _, said in held_out)
    accuracy = np.mean([said == tuple(guess) for (_, said), guess in zip(held_out, written)])
    print(f"{name}: phonemeErrorRate {rate:.4f}, wordAccuracy {accuracy:.4f}, {seconds:.1f} s", flush=True)


def main():
    train, held_out = read_words()
    print(f"{len(train)} words to train on, {len(held_out)} evaluated")
    begin = time.process_time()
    aligned, counts = align_all(train[::STRIDE])
    usual = {letter: chunks.most_common(1)[0][0] for letter, chunks in counts.items()}
    written = [sum((usual[letter] for letter in word), ()) for word, _ in held_out]
    report("most frequent phonemes of each letter", held_out, written, time.process_time() - begin)

    encoder = OneHotEncoder(handle_unknown="ignore", dtype=np.float32)
    x = encoder.fit_transform([window for word, _ in aligned for window in windows(word)])
    y = [" ".join(chunk) for _, chunks in aligned for chunk in chunks]
    tree = DecisionTreeClassifier(min_samples_leaf=2, random_state=0).fit(x, y)
    says = iter(tree.predict(encoder.transform([window for word, _ in held_out for window in windows(word)])))
    written = [" ".join(next(says) for _ in word).split() for word, _ in held_out]
    report("decision tree of seven letters", held_out, written, time.process_time() - begin)


if __name__ == "__main__":
    main()
