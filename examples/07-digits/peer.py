"""scikit-learn on the same split: accuracy on the test part, and seconds of fitting.

  python3 examples/07-digits/peer.py                      digits: the first half to train on, the second to test
  python3 examples/07-digits/peer.py FASHION_MNIST_FOLDER the 60,000 images to train on, the 10,000 to test
"""
import gzip
import sys
import time
from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split


def digits():
    images, labels = load_digits(return_X_y=True)
    return train_test_split(images / 16, labels, test_size=0.5, shuffle=False)


def fashion_mnist(folder):
    def read(name, header):
        with gzip.open(Path(folder) / f"{name}-ubyte.gz") as file:
            return np.frombuffer(file.read(), np.uint8, offset=header)

    def images(part):
        return read(f"{part}-images-idx3", 16).reshape(-1, 784) / 255

    return images("train"), images("t10k"), read("train-labels-idx1", 8), read("t10k-labels-idx1", 8)


def main():
    x_train, x_test, y_train, y_test = fashion_mnist(sys.argv[1]) if len(sys.argv) > 1 else digits()
    peers = {
        "logistic regression": LogisticRegression(max_iter=100 if len(sys.argv) > 1 else 1000),
        "random forest": RandomForestClassifier(n_estimators=100, random_state=0),
    }
    for name, peer in peers.items():
        begin = time.perf_counter()
        peer.fit(x_train, y_train)
        seconds = time.perf_counter() - begin
        print(f"{name}: accuracy {peer.score(x_test, y_test):.4f}, {seconds:.1f} s", flush=True)


if __name__ == "__main__":
    main()
