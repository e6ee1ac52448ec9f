"""What scikit-learn makes of the same words of the same mails and the same split: F1, precision, recall.

    npx tsx examples/04-spam/write-split.ts split.json
    python3 examples/04-spam/peer.py split.json
"""
import json
import sys
import time

from sklearn.ensemble import RandomForestClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score, precision_score, recall_score

with open(sys.argv[1]) as file:
    split = json.load(file)
train, held = split["train"], split["heldOut"]
y, y_held = ([mail["isSpam"] for mail in part] for part in (train, held))
vectorizer = TfidfVectorizer(token_pattern=r"\S+", sublinear_tf=True, min_df=2, max_features=split["vocabSize"])
x = vectorizer.fit_transform(mail["words"] for mail in train)
x_held = vectorizer.transform(mail["words"] for mail in held)
peers = {
    "logistic regression of TF-IDF": LogisticRegression(C=30, max_iter=1000),
    "random forest of TF-IDF": RandomForestClassifier(300, random_state=0),
}
print(f"{len(y)} mails to train on, {len(y_held)} held out, {sum(y_held)} of them spam")
for name, peer in peers.items():
    begin = time.perf_counter()
    peer.fit(x, y)
    seconds = time.perf_counter() - begin
    found = peer.predict(x_held)
    scores = [score(y_held, found) for score in (f1_score, precision_score, recall_score)]
    print(f"{name}: f1 {scores[0]:.4f}, precision {scores[1]:.4f}, recall {scores[2]:.4f}, {seconds:.1f} s", flush=True)
