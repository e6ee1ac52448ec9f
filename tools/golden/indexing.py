"""Indexing, rearranging, sorting, scans and einsum: inputs, output, and gradients under a random cotangent.

Names as in ops.py. A case with several outputs has <case>/out alone; it is named after the one it shows.
"""
import torch
import torch.nn.functional as F

from _golden import begin, cases_of_functions, normal, save

SEED = 31
begin(SEED)
tensors = {}
case = cases_of_functions(tensors)


def ids(high, *shape, low=0):
    return torch.randint(low, high, shape, dtype=torch.int64)


def changed(x, change):
    y = x.clone()
    change(y)
    return y


def put(index):
    def fn(x, values):
        def change(y):
            y[index] = values

        return changed(x, change)

    return fn


# Reading. Negative steps: PyTorch has none, so flip stands for them.
case("atNumber", lambda x: x[1], normal(3, 4))
case("atNumberFromEnd", lambda x: x[..., -1], normal(2, 3, 4))
case("atRanges", lambda x: x[1:3, ::2], normal(4, 7))
case("atBackward", lambda x: x.flip(1)[:, ::2], normal(3, 7))
case("atNewAxis", lambda x: x[:, None, 2:], normal(3, 5))
case("atList", lambda x: x[[2, 0, 2]], normal(4, 3))
case("atTensor", lambda x, i: x[:, i], normal(3, 5), ids(5, 2, 4, low=-5))
case("atTwoTensors", lambda x, i, j: x[i, j], normal(4, 5, 3), ids(4, 6), ids(5, 6))
case("atBroadcastTensors", lambda x, i, j: x[i, j], normal(4, 5, 3), ids(4, 3, 1), ids(5, 2))
case("atTensorsInTheMiddle", lambda x, i, j: x[:, i, j], normal(2, 4, 5, 3), ids(4, 6), ids(5, 6))
case("atTensorsApart", lambda x, i, j: x[i, :, j], normal(4, 3, 5), ids(4, 6), ids(5, 6))
case("atNumberAndTensor", lambda x, i: x[1, :, i], normal(3, 4, 5), ids(5, 2))
case("atRangeAndTensor", lambda x, i: x[1:3, i], normal(4, 5), ids(5, 6))
case("take", lambda x, i: torch.take(x, i), normal(3, 4), ids(12, 2, 5))
case("takeAxis", lambda x, i: x[:, i], normal(3, 4, 2), ids(4, 2, 5))
case("takeAlong", lambda x, i: torch.take_along_dim(x, i, 1), normal(3, 5), ids(5, 3, 4))
case("takeAlongBroadcast", lambda x, i: torch.take_along_dim(x, i, 1), normal(3, 5), ids(5, 1, 4))

# Writing.
case("setRange", put((slice(1, 3), slice(None, None, 2))), normal(4, 5), normal(2, 3))
case("setRow", put(1), normal(4, 5), normal(5))
case("setPlaces", put(([3, 0, 2], [1, 1, 4])), normal(4, 5), normal(3))
case("setColumns", put((slice(None), [3, 0])), normal(4, 5), normal(4, 2))
case("addPlaces", lambda x, i, v: x.index_put((i,), v, accumulate=True), normal(4, 5), ids(4, 6), normal(6, 5))
case("scatter", lambda x, v: x.scatter(1, torch.tensor([[4, 0, 2], [1, 3, 0]]), v), normal(2, 5), normal(2, 3))
case("scatterMiddle", lambda x, v: x.scatter(1, torch.tensor([2, 0]).view(1, 2, 1).expand(2, 2, 3), v), normal(2, 4, 3), normal(2, 2, 3))

# Joining, cutting, repeating, moving.
case("stackMiddle", lambda x, y: torch.stack([x, y], 1), normal(3, 4), normal(3, 4))
case("splitUnequal", lambda x: torch.split(x, [1, 4, 2], 1)[1], normal(3, 7))
case("chunkLast", lambda x: torch.chunk(x, 3, 0)[2], normal(7, 2))
case("padConstant", lambda x: F.pad(x, (1, 2, 0, 3), value=1.5), normal(3, 4))
case("padReflect", lambda x: F.pad(x, (2, 1, 1, 3), mode="reflect"), normal(2, 1, 4, 5))
case("padReplicate", lambda x: F.pad(x, (2, 1, 1, 3), mode="replicate"), normal(2, 1, 4, 5))
case("padCircular", lambda x: F.pad(x, (2, 1, 1, 3), mode="circular"), normal(2, 1, 4, 5))
case("flip", lambda x: x.flip([0, 2]), normal(2, 3, 4))
case("roll", lambda x: x.roll([1, -2], [0, 1]), normal(3, 5))
case("rollFlat", lambda x: x.roll(4), normal(3, 5))
case("tile", lambda x: torch.tile(x, (2, 1, 3)), normal(3, 2))
case("repeatInterleave", lambda x: x.repeat_interleave(3, dim=0), normal(3, 2))
case("repeatInterleaveCounts", lambda x: x.repeat_interleave(torch.tensor([2, 0, 1]), dim=1), normal(2, 3))
case("moveAxis", lambda x: torch.movedim(x, (0, 1), (-1, 0)), normal(2, 3, 4))
case("swapAxes", lambda x: x.swapaxes(0, 2), normal(2, 3, 4))
case("tril", lambda x: x.tril(-1), normal(2, 4, 5))
case("triu", lambda x: x.triu(1), normal(4, 3))
case("diagMatrix", lambda x: torch.diag(x, -1), normal(4, 3))
case("diagVector", lambda x: torch.diag(x, 2), normal(3))
case("diagVectorBelow", lambda x: torch.diag(x, -1), normal(3))
case("diagonal", lambda x: x.diagonal(1, 0, 2), normal(4, 3, 5))
case("trace", torch.trace, normal(4, 4))
case("outer", torch.outer, normal(3), normal(4))
case("meshgridXy", lambda x, y: torch.meshgrid(x, y, indexing="xy")[1], normal(3), normal(4))

# Order.
case("sortValues", lambda x: x.sort(-1).values, normal(3, 37))
case("sortDescending", lambda x: x.sort(dim=0, descending=True, stable=True).values, normal(9, 4))
tied = torch.randint(0, 4, (5, 60)).float()
case("argSortTies", lambda x: x.detach().sort(dim=1, stable=True).indices, tied)
case("argSortTiesDescending", lambda x: x.detach().sort(dim=1, stable=True, descending=True).indices, tied)
case("topKValues", lambda x: x.topk(3, -1).values, normal(4, 9))
case("topKSmallest", lambda x: x.topk(2, 0, largest=False, sorted=True).values, normal(5, 3))
case("cumSum", lambda x: x.cumsum(1), normal(3, 9))
case("cumProd", lambda x: x.cumprod(1), normal(3, 6))
zeros = normal(4, 5)
zeros[0, 2] = zeros[1, 0] = zeros[2, 1] = zeros[2, 3] = zeros[3, 4] = 0
case("cumProdZeros", lambda x: x.cumprod(1), zeros)
case("searchSorted", lambda s, v: torch.searchsorted(s, v), torch.arange(6.0), normal(3, 4, mean=2.0, std=2.0))
case("searchSortedRight", lambda s, v: torch.searchsorted(s, v, right=True), torch.arange(6), ids(8, 9, low=-1))
case("uniqueValues", lambda x: torch.unique(x), ids(5, 3, 7, low=-5))
case("uniqueInverse", lambda x: torch.unique(x, return_inverse=True)[1], ids(5, 3, 7, low=-5))
case("uniqueCounts", lambda x: torch.unique(x, return_counts=True)[1], ids(5, 3, 7, low=-5))
case("bincount", lambda i: torch.bincount(i, minlength=8), ids(7, 40))
case("bincountWeights", lambda i, w: torch.bincount(i, w.detach()), ids(7, 40), normal(40))
case("oneHot", lambda i: F.one_hot(i, 6), ids(6, 2, 5))
case("histogram", lambda x: torch.histogram(x.detach(), 7).hist.to(torch.int64), normal(50))

# Products.
for name, equation, shapes in [
    ("Matmul", "ij,jk->ik", [(3, 4), (4, 5)]),
    ("Implicit", "ba,ca", [(3, 4), (5, 4)]),
    ("Batched", "bij,bjk->bik", [(2, 3, 4), (2, 4, 5)]),
    ("Attention", "bthd,bshd->bhts", [(2, 3, 2, 4), (2, 5, 2, 4)]),
    ("Outer", "i,j->ij", [(3,), (4,)]),
    ("Dot", "i,i->", [(5,), (5,)]),
    ("Hadamard", "ij,ij->ji", [(3, 4), (3, 4)]),
    ("Trace", "ii", [(4, 4)]),
    ("Diagonal", "bii->ib", [(2, 4, 4)]),
    ("SumAll", "ij->", [(3, 4)]),
    ("SumOut", "ij,kl->i", [(3, 4), (2, 5)]),
    ("Three", "ij,jk,kl->il", [(2, 3), (3, 4), (4, 5)]),
    ("Bilinear", "bi,oij,bj->bo", [(3, 4), (2, 4, 5), (3, 5)]),
    ("Ellipsis", "...ij,...jk->...ik", [(2, 1, 3, 4), (5, 4, 2)]),
    ("EllipsisImplicit", "i...,i...", [(3, 2, 4), (3, 2, 4)]),
]:
    case(f"einsum{name}", lambda *xs, equation=equation: torch.einsum(equation, *xs), *[normal(*s) for s in shapes])
case("tensorDot", lambda a, b: torch.tensordot(a, b, 2), normal(2, 3, 4), normal(3, 4, 5))
case("tensorDotAxes", lambda a, b: torch.tensordot(a, b, ([2, 0], [1, 3])), normal(2, 3, 4), normal(5, 4, 3, 2))

save(__file__, SEED, tensors)
