"""A firm's own transformer behind the interface of the shipped engines; needs the extra `onnx`.

Its folder is what Hugging Face's exporters write: `model.onnx`, `tokenizer.json`, and `config.json` whose `id2label`
names the classes: negative, neutral and positive, or stars from one to five.
"""

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from analysis.columns import Floats
from analysis.learned.model import NEGATIVE, NEUTRAL, POSITIVE
from vigie.errors import SettingsError

_AT_ONCE = 32  # texts
_MOST_TOKENS = 512  # of one text, where the tokenizer says nothing of its own
_STARS = re.compile(r"([1-5])[ _-]?stars?")
_NAMES = {"neg": NEGATIVE, "negative": NEGATIVE, "neu": NEUTRAL, "neutral": NEUTRAL, "pos": POSITIVE}
_NAMES["positive"] = POSITIVE


class Transformer:
    """Judges texts of any language that its model knows. Raises `SettingsError` for a folder that it cannot use."""

    def __init__(self, folder: Path) -> None:
        try:
            from onnxruntime import InferenceSession
            from tokenizers import Tokenizer
        except ImportError as error:
            raise SettingsError(f"a transformer needs the extra: pip install 'vigie[onnx]' ({error.name})") from None
        try:
            self._classes = classes(json.loads((folder / "config.json").read_text(encoding="utf-8"))["id2label"])
            self._tokenizer: Any = Tokenizer.from_file(str(folder / "tokenizer.json"))
            self._session: Any = InferenceSession(folder / "model.onnx", providers=["CPUExecutionProvider"])
        except Exception as error:  # whatever two libraries make of files that are not theirs
            raise SettingsError(f"{folder} holds no transformer that can be used: {error}") from error
        if self._tokenizer.truncation is None:
            self._tokenizer.enable_truncation(_MOST_TOKENS)
        if self._tokenizer.padding is None:
            self._tokenizer.enable_padding()
        self._inputs = {one.name for one in self._session.get_inputs()}

    def judge(self, texts: Sequence[str]) -> Floats:
        """The probabilities of negative, neutral and positive; shape (texts, 3)."""
        chances = np.zeros((len(texts), 3))
        order = sorted(range(len(texts)), key=lambda at: len(texts[at]))  # so that little is padded
        for start in range(0, len(texts), _AT_ONCE):
            part = order[start : start + _AT_ONCE]
            chances[part] = self._judged([texts[at].encode("utf-8", "replace").decode() for at in part])
        return chances

    def _judged(self, texts: list[str]) -> Floats:
        encoded = self._tokenizer.encode_batch(texts)
        given = {
            "input_ids": np.array([one.ids for one in encoded], np.int64),
            "attention_mask": np.array([one.attention_mask for one in encoded], np.int64),
            "token_type_ids": np.array([one.type_ids for one in encoded], np.int64),
        }
        logits = self._session.run(None, {name: given[name] for name in given if name in self._inputs})[0]
        powers = np.exp(logits - logits.max(axis=1, keepdims=True)).astype(float)
        summed = np.zeros((len(texts), 3))
        np.add.at(summed.T, self._classes, powers.T)
        return np.asarray(summed / summed.sum(axis=1, keepdims=True))


def classes(labels: Mapping[str, str]) -> list[int]:
    """Which of negative, neutral and positive each of a model's classes is. Raises `ValueError`."""
    found = []
    for _, label in sorted(labels.items(), key=lambda pair: int(pair[0])):
        name = label.strip().lower()
        stars = _STARS.fullmatch(name)
        if not stars and name not in _NAMES:
            raise ValueError(
                f"config.json calls a class {label!r}; wanted negative, neutral, positive, or 1 to 5 stars"
            )
        found.append(_NAMES[name] if not stars else int(np.sign(int(stars[1]) - 3)) + NEUTRAL)
    return found
