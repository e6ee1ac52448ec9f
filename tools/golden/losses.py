"""Losses: sum and mean of each, stacked, with gradients under a random cotangent.

Tensors are named <case>/in/<i>, <case>/out, <case>/cotangent and <case>/grad/<i>; the test has a function of the same case name. Classes are
the last dim of the inputs. Losses that PyTorch has not are written out here.
"""
import torch
import torch.nn.functional as F

from _golden import begin, normal, save

SEED = 47
begin(SEED)
tensors = {}


def ids(high, *shape):
    return torch.randint(0, high, shape)


def signs(*shape):
    return torch.randint(0, 2, shape) * 2 - 1


def probabilities(*shape):
    return F.softmax(torch.randn(*shape), dim=-1)


def case(name, fn, *inputs):
    """`fn` answers sum and mean; the out is both."""
    leaves = [x.clone().requires_grad_(True) if x.is_floating_point() else x for x in inputs]
    out = torch.stack(fn(*leaves))
    cotangent = torch.randn(out.shape)
    out.backward(cotangent)
    tensors[f"{name}/out"] = out
    tensors[f"{name}/cotangent"] = cotangent
    for i, x in enumerate(inputs):
        tensors[f"{name}/in/{i}"] = x
        if x.is_floating_point() and leaves[i].grad is not None:
            tensors[f"{name}/grad/{i}"] = leaves[i].grad


def both(loss, mean="mean", **options):
    return lambda *xs: [loss(*xs, reduction=kind, **options) for kind in ("sum", mean)]


def fixed(loss, **options):
    """The last input is a target without gradient."""
    return lambda *xs: both(loss, **options)(*xs[:-1], xs[-1].detach())


def rows(terms):
    """A written-out loss: sum and mean of its terms."""
    return lambda *xs: [terms(*xs).sum(), terms(*xs).mean()]


case("mse", both(F.mse_loss), normal(3, 5), normal(3, 5))
case("l1", both(F.l1_loss), normal(3, 5), normal(3, 5))
case("huber", both(F.huber_loss, delta=0.7), normal(3, 5), normal(3, 5))
case("smoothL1", both(F.smooth_l1_loss, beta=0.4), normal(3, 5), normal(3, 5))
case("smoothL1Sharp", both(F.smooth_l1_loss, beta=0.0), normal(3, 5), normal(3, 5))

# Classes.
WEIGHTS = torch.tensor([0.5, 2.0, 0.0, 1.25, 3.0])
ignored = torch.tensor([3, -100, 0, 4, -100, 2, 1])
case("crossEntropyWeights", both(F.cross_entropy, weight=WEIGHTS), normal(7, 5), ignored)
case("crossEntropySmoothed", both(F.cross_entropy, label_smoothing=0.1), normal(7, 5), ignored)
case("crossEntropyAll", both(F.cross_entropy, weight=WEIGHTS, label_smoothing=0.3, ignore_index=1), normal(7, 5), ids(5, 7))
case(
    "crossEntropySequence",
    lambda x, t: both(F.cross_entropy, weight=WEIGHTS)(x.transpose(1, 2), t),
    normal(2, 3, 5),
    ids(5, 2, 3),
)
case("crossEntropyExtreme", both(F.cross_entropy, weight=WEIGHTS), normal(7, 5, std=300.0), ignored)
case("crossEntropySmoothedExtreme", both(F.cross_entropy, label_smoothing=0.2), normal(7, 5, std=300.0), ignored)
case("crossEntropyNothing", lambda x, t: [both(F.cross_entropy)(x, t)[0]], normal(3, 5), torch.full((3,), -100))
case("crossEntropySoft", both(F.cross_entropy), normal(6, 5), probabilities(6, 5))
case("crossEntropySoftAll", both(F.cross_entropy, weight=WEIGHTS, label_smoothing=0.1), normal(6, 5), probabilities(6, 5))
case("nll", lambda x, t: both(F.nll_loss)(x.log_softmax(-1), t), normal(7, 5), ignored)
case("nllWeights", lambda x, t: both(F.nll_loss, weight=WEIGHTS)(x.log_softmax(-1), t), normal(7, 5), ignored)
case("klDivergence", both(F.kl_div, mean="batchmean"), normal(4, 7, mean=-2.0), probabilities(4, 7))
case("klDivergenceZero", fixed(F.kl_div, mean="batchmean"), normal(2, 5), torch.eye(5)[[1, 4]])
case("klDivergenceLog", both(F.kl_div, mean="batchmean", log_target=True), normal(4, 7), normal(4, 7, mean=-2.0))
case("multiMargin", both(F.multi_margin_loss), normal(6, 5), ids(5, 6))
case("multiMarginAll", both(F.multi_margin_loss, p=2, margin=0.6, weight=WEIGHTS), normal(6, 5), ids(5, 6))
case(
    "focal",
    rows(lambda x, t: (1 - torch.exp(-F.cross_entropy(x, t, reduction="none"))) ** 1.5 * F.cross_entropy(x, t, reduction="none")),
    normal(6, 5, std=2.0),
    ids(5, 6),
)

# Yes or no.
binary = torch.randint(0, 2, (5, 3)).float()
POSITIVE = torch.tensor([0.5, 1.0, 4.0])
case("bceLogits", both(F.binary_cross_entropy_with_logits), normal(5, 3), torch.rand(5, 3))
case("bceLogitsWeighted", both(F.binary_cross_entropy_with_logits, pos_weight=POSITIVE), normal(5, 3), torch.rand(5, 3))
case("bceLogitsExtreme", fixed(F.binary_cross_entropy_with_logits, pos_weight=POSITIVE), normal(5, 3, std=200.0), binary)
case("bce", fixed(F.binary_cross_entropy), torch.rand(5, 3) * 0.98 + 0.01, torch.rand(5, 3))
case("bceSure", fixed(F.binary_cross_entropy), torch.tensor([0.0, 1.0, 0.0, 1.0, 0.5]), torch.tensor([0.0, 1.0, 1.0, 0.0, 1.0]))


def sigmoid_focal(x, t, gamma, alpha):
    t = t.detach()
    p = torch.sigmoid(x)
    miss = 1 - (p * t + (1 - p) * (1 - t))
    return (alpha * t + (1 - alpha) * (1 - t)) * miss**gamma * F.binary_cross_entropy_with_logits(x, t, reduction="none")


case("sigmoidFocal", rows(lambda x, t: sigmoid_focal(x, t, 2.0, 0.25)), normal(5, 3, std=2.0), binary)
case("hinge", rows(lambda x, y: (1 - y * x).clamp(min=0)), normal(5, 3), signs(5, 3))
case("hingeSquared", rows(lambda x, y: (0.5 - y * x).clamp(min=0) ** 2), normal(5, 3), signs(5, 3))
case("softMargin", both(F.soft_margin_loss), normal(5, 3, std=3.0), signs(5, 3))
case("hingeEmbedding", both(F.hinge_embedding_loss, margin=0.8), torch.rand(5, 3) * 2, signs(5, 3))
case("marginRanking", both(F.margin_ranking_loss, margin=0.3), normal(7), normal(7), signs(7))

# Vectors.
case("cosineEmbedding", both(F.cosine_embedding_loss, margin=-0.2), normal(6, 5), normal(6, 5), signs(6))
case("tripletMargin", both(F.triplet_margin_loss), normal(6, 5), normal(6, 5), normal(6, 5))
case("tripletMarginSwap", both(F.triplet_margin_loss, margin=2.0, p=1.0, swap=True), normal(6, 5), normal(6, 5), normal(6, 5))
case("tripletMarginCubic", both(F.triplet_margin_loss, margin=2.0, p=3.0), normal(6, 5), normal(6, 5), normal(6, 5))


def contrastive(x, y, label):
    d = (x - y).norm(dim=-1)
    return torch.where(label > 0, d**2, (4 - d).clamp(min=0) ** 2) / 2


def info_nce(q, k):
    logits = F.normalize(q, dim=-1) @ F.normalize(k, dim=-1).T / 0.1
    return F.cross_entropy(logits, torch.arange(len(q)), reduction="none")


def nt_xent(x, y):
    z = F.normalize(torch.cat([x, y]), dim=-1)
    logits = (z @ z.T / 0.5).masked_fill(torch.eye(len(z), dtype=torch.bool), float("-inf"))
    partners = torch.arange(len(z)).roll(len(x))
    return F.cross_entropy(logits, partners, reduction="none")


def dice(p, t):
    t = t.detach()
    return 1 - (2 * (p * t).sum((2, 3)) + 1) / (p.sum((2, 3)) + t.sum((2, 3)) + 1)


case("contrastive", rows(contrastive), normal(6, 5), normal(6, 5), signs(6))
case("infoNce", rows(info_nce), normal(6, 5), normal(6, 5))
case("ntXent", rows(nt_xent), normal(5, 3), normal(5, 3))
case("dice", rows(dice), torch.rand(2, 3, 3, 5), torch.randint(0, 2, (2, 3, 3, 5)).float())

# Likelihoods.
counts = torch.randint(0, 6, (4, 5)).float()
case("poisson", fixed(F.poisson_nll_loss), normal(4, 5), counts)
case("poissonFull", fixed(F.poisson_nll_loss, full=True), normal(4, 5), counts)
case("poissonRate", fixed(F.poisson_nll_loss, log_input=False), torch.rand(4, 5) * 4 + 0.1, counts)
case("gaussian", both(F.gaussian_nll_loss), normal(4, 5), normal(4, 5), torch.rand(4, 5) + 0.2)
case("gaussianFull", both(F.gaussian_nll_loss, full=True), normal(4, 5), normal(4, 5), torch.rand(4, 1) + 0.2)

# Alignments. The last input is input lengths and target lengths.
def ctc(reduction, **options):
    return lambda x, t, lengths: F.ctc_loss(x.log_softmax(-1), t, lengths[0], lengths[1], reduction=reduction, **options)


def ctc_sum(scale=1.0, **options):
    def run(x, t, lengths):
        total = ctc("sum", **options)(x.double() * scale, t, lengths).float()
        return [total, total / x.shape[1]]

    return run


def ctc_mean(x, t, lengths):
    mean = ctc("mean")(x, t, lengths)
    return [mean * x.shape[1], mean]


targets = torch.tensor([[1, 1, 2, 4], [3, 4, 2, 2], [2, 5, 1, 0], [3, 0, 0, 0]])
lengths = torch.tensor([[9, 7, 8, 5], [4, 4, 3, 1]])
case("ctc", ctc_sum(), normal(9, 4, 7), targets, lengths)
case("ctcPerLabel", ctc_mean, normal(9, 4, 7), targets, lengths)
case("ctcOtherBlank", ctc_sum(blank=6), normal(9, 4, 7), targets, lengths)
case("ctcExtreme", ctc_sum(scale=20.0), normal(9, 4, 7), targets, lengths)
case("ctcZeroInfinity", ctc_sum(zero_infinity=True), normal(9, 4, 7), targets, torch.tensor([[9, 4, 8, 1], [4, 4, 3, 1]]))

# A last layer and its cross-entropy: x, weight, targets.
case(
    "linearCrossEntropy",
    lambda x, w, t: [F.cross_entropy(F.linear(x, w), t, reduction=kind) for kind in ("sum", "mean")],
    normal(7, 4),
    normal(5, 4),
    ignored,
)

save(__file__, SEED, tensors)
