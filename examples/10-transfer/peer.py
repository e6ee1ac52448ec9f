"""scikit-learn on the same pixels and the same split: accuracy on the test images, and seconds of fitting. Needs Pillow, too.

  python3 examples/10-transfer/peer.py                            the sample: 600 images to train on, 300 to test on
  python3 examples/10-transfer/peer.py FASHION_MNIST_FOLDER       the same 600 to train on, 10,000 to test on
  python3 examples/10-transfer/peer.py FASHION_MNIST_FOLDER 0     60,000 and 10,000; any other number: so many of each class
  python3 examples/10-transfer/peer.py digits                     the other way: 600 of scikit-learn's digits, the second half to test on
"""
import gzip
import sys
import time
from pathlib import Path

import numpy as np
from PIL import Image
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

NUM_CLASSES, SIDE, NUM_TRAIN = 10, 28, 60


def sample():
    picture = np.asarray(Image.open(Path(__file__).parent / "fashion-sample.png"))
    tiles = picture.reshape(NUM_CLASSES, SIDE, -1, SIDE).transpose(0, 2, 1, 3)
    labels = np.repeat(np.arange(NUM_CLASSES)[:, None], tiles.shape[1], axis=1)
    parts = (slice(0, NUM_TRAIN), slice(NUM_TRAIN, None))
    return [(tiles[:, part].reshape(-1, SIDE, SIDE), labels[:, part].ravel()) for part in parts]


def first_of_each_class(images, labels, count):
    kept = np.concatenate([np.flatnonzero(labels == c)[:count] for c in range(NUM_CLASSES)])
    return images[kept], labels[kept]


def digits():
    images, labels = load_digits(return_X_y=True)
    half = len(images) // 2
    return first_of_each_class(images[:half] / 16, labels[:half], NUM_TRAIN), (images[half:] / 16, labels[half:])


def whole(folder, per_class):
    def read(name, header):
        with gzip.open(Path(folder) / f"{name}-ubyte.gz") as file:
            return np.frombuffer(file.read(), np.uint8, offset=header)

    def part(name):
        return read(f"{name}-images-idx3", 16).reshape(-1, SIDE, SIDE), read(f"{name}-labels-idx1", 8)

    train = part("train")
    return first_of_each_class(*train, per_class) if per_class > 0 else train, part("t10k")


def pixels(images):
    """14 x 14 means of 2 x 2 pixels, as job.ts makes them."""
    return images.reshape(len(images), SIDE // 2, 2, SIDE // 2, 2).mean((2, 4)).reshape(len(images), -1) / 255


def clothes(arguments):
    per_class = int(arguments[1]) if len(arguments) > 1 else NUM_TRAIN
    parts = whole(arguments[0], per_class) if arguments else sample()
    return [(pixels(images), labels) for images, labels in parts]


def main():
    train, test = digits() if sys.argv[1:] == ["digits"] else clothes(sys.argv[1:])
    peer = make_pipeline(StandardScaler(), LogisticRegression(C=0.03, max_iter=200 if len(train[1]) > 10000 else 1000))
    begin = time.perf_counter()
    peer.fit(*train)
    seconds = time.perf_counter() - begin
    print(f"{len(train[1])} images to train on, {len(test[1])} to test on")
    print(f"logistic regression: accuracy {peer.score(*test):.4f}, {seconds:.1f} s")


if __name__ == "__main__":
    main()
