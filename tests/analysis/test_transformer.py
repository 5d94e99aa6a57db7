"""A firm's own transformer: a tiny real one, that knows three words, in the folder that exporters write."""

import json

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers

from analysis import reading, sentiment
from analysis.transformer import classes
from vigie.errors import SettingsError

WORDS = {"[UNK]": 0, "[PAD]": 1, "délicieux": 2, "froid": 3, "ouvert": 4}
LOGITS = [[0, 0, 0], [0, 0, 0], [0, 0, 4], [4, 0, 0], [0, 4, 0]]
LABELS = {"0": "NEGATIVE", "1": "NEUTRAL", "2": "POSITIVE"}


@pytest.fixture
def folder(tmp_path):
    """Each word has its logits; those that are no padding are summed."""
    tokenizer = Tokenizer(models.WordLevel(WORDS, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.enable_padding(pad_id=1, pad_token="[PAD]")
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    (tmp_path / "config.json").write_text(json.dumps({"id2label": LABELS}))
    floats = numpy_helper.from_array(np.array(LOGITS, "float32"), "logits_of")
    axis = numpy_helper.from_array(np.array([1], "int64"), "axis")
    last = numpy_helper.from_array(np.array([2], "int64"), "last")
    nodes = [
        helper.make_node("Gather", ["logits_of", "input_ids"], ["each"]),
        helper.make_node("Cast", ["attention_mask"], ["kept"], to=TensorProto.FLOAT),
        helper.make_node("Unsqueeze", ["kept", "last"], ["wide"]),
        helper.make_node("Mul", ["each", "wide"], ["counted"]),
        helper.make_node("ReduceSum", ["counted", "axis"], ["logits"], keepdims=0),
    ]
    shape = ["texts", "tokens"]
    inputs = [helper.make_tensor_value_info(one, TensorProto.INT64, shape) for one in ("input_ids", "attention_mask")]
    output = helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["texts", 3])
    graph = helper.make_graph(nodes, "tiny", inputs, [output], [floats, axis, last])
    onnx.save(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10), tmp_path / "model.onnx"
    )
    return tmp_path


def test_a_transformer_reads_texts_and_their_clauses(folder):
    text = "Le pain était délicieux, mais l'accueil froid froid."
    read = reading.read_all([reading.Asked(text), reading.Asked("Délicieux !")], f"onnx:{folder}")
    assert [one.label for one in read] == ["negative", "positive"]
    assert (read[0].mixed, read[0].because) == (True, ())
    assert {one.theme: one.label for one in read[0].themes}["service"] == "negative"
    assert read[1].score == pytest.approx(0.946, abs=0.002), "the softmax of 4, 0 and 0"
    alone = sentiment.judge(sentiment.engine_for("fr", f"onnx:{folder}"), [text])[0]
    assert alone.score == pytest.approx(read[0].score, abs=0.001)


@pytest.mark.parametrize("text", ["", "\x00\ud800", "délicieux " * 5_000, "😀" * 500])
def test_a_transformer_reads_hostile_texts(folder, text):
    assert -1 <= reading.read_all([reading.Asked(text)], f"onnx:{folder}")[0].score <= 1


def test_the_classes_of_usual_models_are_known():
    assert classes({"1": "POSITIVE", "0": "NEGATIVE"}) == [0, 2]
    assert classes({str(n): f"{n + 1} star{'s' * (n > 0)}" for n in range(5)}) == [0, 0, 1, 2, 2]
    with pytest.raises(ValueError, match="'joy'"):
        classes({"0": "joy"})


@pytest.mark.parametrize(("engine", "said"), [("onnx:/nowhere", "holds no transformer"), ("vader", "is no engine")])
def test_an_engine_that_is_none_is_told_as_such(engine, said):
    with pytest.raises(SettingsError, match=said):
        reading.read_all([reading.Asked("Bon")], engine)


def test_a_folder_of_other_files_is_told_as_such(folder):
    (folder / "model.onnx").write_bytes(b"not a model")
    with pytest.raises(SettingsError, match="holds no transformer"):
        sentiment.engine_for("fr", f"onnx:{folder}")
