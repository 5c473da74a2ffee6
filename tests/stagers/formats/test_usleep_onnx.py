"""U-Sleep as an ONNX file: the axes, windows and probabilities of Keras, as its published files have them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

import eegflex
from eegflex import cli
from eegflex.errors import EegflexError, ModelError, ParameterError
from eegflex.spec import load_spec
from eegflex.stagers.formats.recognise import published_like
from eegflex.stagers.formats.shapes import Shapes

for package in ("onnx", "onnxruntime"):
    pytest.importorskip(package)
models = pytest.importorskip("braindecode.models", exc_type=ImportError)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning"),
]


class AsPublished(nn.Module):
    """Windows (batch, 35, 3840, channel) -> probabilities (batch, 35, 5)."""

    def __init__(self, n_channels):
        super().__init__()
        torch.manual_seed(5)
        self.net = models.USleep(n_chans=n_channels, sfreq=128, n_outputs=5, n_times=3840, depth=4, n_time_filters=3)
        for layer in self.net.modules():
            if isinstance(layer, nn.BatchNorm1d):
                layer.running_var.fill_(0.3)

    def forward(self, windows):
        scores = self.net(windows.permute(0, 1, 3, 2))
        return torch.softmax(3 * scores, 1).permute(0, 2, 1)


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """Files with both eyes and EEG, and of EEG alone, and what they were exported from."""
    folder, made = tmp_path_factory.mktemp("usleep"), {}
    for name, n_channels in (("u-sleep-nsrr-2024", 2), ("u-sleep-nsrr-2024_eeg", 1)):
        network = AsPublished(n_channels).eval()
        example = torch.randn(2, 35, 3840, n_channels)
        torch.onnx.export(
            network,
            (example,),
            folder / f"{name}.onnx",
            dynamic_axes={"windows": {0: "batch"}, "stages": {0: "batch"}},
            input_names=["windows"],
            output_names=["stages"],
            dynamo=False,
        )
        made[name] = folder / f"{name}.onnx", network
    return made


@pytest.fixture(scope="module")
def epochs():
    """Forty epochs, all channels."""
    raw = eegflex.simulate_psg(hours=1 / 3, seed=7, verbose="error").raw
    return eegflex.make_epochs(raw, verbose="error")


SPECS = {"u-sleep-nsrr-2024": "usleep-onnx", "u-sleep-nsrr-2024_eeg": "usleep-onnx-eeg"}


@pytest.mark.parametrize("file", SPECS)
def test_it_scores_what_torch_does(published, file):
    path, network = published[file]
    stager = eegflex.load_model(path, spec=SPECS[file])
    windows = torch.randn(3, 35, len(stager.spec.channels), 3840)
    with torch.no_grad():
        expected = network(windows.transpose(2, 3))[:, 17]
        torch.testing.assert_close(stager.score(windows), expected, atol=1e-5, rtol=0)
    assert expected.std() > 0.01
    again = eegflex.load_model(SPECS[file], weights=path)
    assert again.digest == stager.digest
    assert again.spec == stager.spec == load_spec(SPECS[file])


@pytest.mark.parametrize("file", SPECS)
def test_without_a_spec_it_is_known_by_its_axes_and_that_is_said(published, file, capsys):
    stager = eegflex.load_model(published[file][0])
    assert stager.spec.sfreq == 128
    assert stager.spec.replace(assumed=()) == load_spec(SPECS[file])
    assert any(f"'{SPECS[file]}'" in note for note in stager.spec.assumed)
    assert f"'{SPECS[file]}'" in capsys.readouterr().out


def test_a_night_is_staged_by_the_mean_over_all_derivations(published, epochs):
    path, network = published["u-sleep-nsrr-2024"]
    picks = ["C3-M2", "C4-M1", "O1-M2", "E1-M2"]
    night = eegflex.stage_epochs(epochs, path, spec="usleep-onnx", picks=picks, verbose="error")
    signals = epochs.get_data(picks=picks)
    # MNE's own resampling would differ at the ends; what is compared is what the network makes of the same numbers
    from eegflex.preprocessing.segments import prepare

    segments = prepare(epochs, load_spec("usleep-onnx"), picks=picks)
    scaled = torch.from_numpy(segments.signals)
    assert scaled.shape == (len(signals), 4, 3840)
    with torch.no_grad():
        expected = torch.stack([network(scaled[None, 3:38, [eeg, 3]].transpose(2, 3))[0, 17] for eeg in range(3)]).mean(
            0
        )
    found = night.probabilities[20]
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_its_gradient_is_that_of_torch_and_it_is_explained(published, epochs):
    result = eegflex.attribute_epochs(
        epochs,
        eegflex.load_model(published["u-sleep-nsrr-2024_eeg"][0], spec="usleep-onnx-eeg"),
        picks=["C3-M2"],
        sample_per_stage=1,
        n_steps=8,
        quadrature="gauss-legendre",
        on_check="ignore",
        verbose="error",
    )
    assert result.relative_gap().max() < 0.05
    bands = eegflex.attribute_epochs(
        epochs,
        eegflex.load_model(published["u-sleep-nsrr-2024_eeg"][0], spec="usleep-onnx-eeg"),
        picks=["C3-M2"],
        sample_per_stage=1,
        method="shapley",
        on_check="ignore",
        verbose="error",
    )
    assert bands.relative_gap().max() < 1e-3, "Shapley values add up, without a gradient"


def test_a_night_without_eyes_is_sent_to_the_other_file(published, epochs):
    with pytest.raises(EegflexError, match="usleep-onnx-eeg"):
        eegflex.stage_epochs(
            epochs.copy().load_data().pick(["C3-M2"]), published["u-sleep-nsrr-2024"][0], spec="usleep-onnx"
        )


def test_the_shell_takes_the_name_of_a_contract(published, tmp_path, epochs, capsys):
    path = published["u-sleep-nsrr-2024"][0]
    epochs.save(tmp_path / "night-epo.fif", verbose="error")
    assert cli.main(["specs", "usleep-onnx"]) == 0
    assert 'format = "ONNX"' in capsys.readouterr().out
    raw = eegflex.simulate_psg(hours=1 / 3, seed=7, verbose="error").raw
    raw.save(tmp_path / "night_raw.fif", verbose="error")
    command = ["stage", str(tmp_path / "night_raw.fif"), "--model", str(path), "--spec", "usleep-onnx"]
    assert cli.main([*command, "-o", str(tmp_path / "stages.csv")]) == 0
    assert (tmp_path / "stages.csv").is_file()


def test_a_contract_that_is_misspelt_is_told_with_the_nearest(published):
    with pytest.raises(ParameterError, match=r"no spec of this name.*Nearest: usleep-onnx"):
        eegflex.load_model(published["u-sleep-nsrr-2024"][0], spec="usleep-onxx")


def test_the_wrong_file_for_a_contract_is_refused(published, epochs):
    with pytest.raises(ModelError):
        eegflex.stage_epochs(epochs, published["u-sleep-nsrr-2024_eeg"][0], spec="usleep-onnx", verbose="error")


@pytest.mark.parametrize(
    ("inputs", "outputs", "name"),
    [
        ((None, 35, 3840, 2), (None, 35, 5), "usleep-onnx"),
        ((1, 35, 3840, 1), (1, 35, 5), "usleep-onnx-eeg"),
        ((None, 35, 3840, 3), (None, 35, 5), None),  # another montage
        ((None, 35, 3840, 2), (None, 35, 4), None),  # other stages
        ((None, None, 3840, 2), (None, None, 5), None),  # windows of any length: it does not say that it is this one
        ((None, 21, 3840, 2), (None, 21, 5), None),
        ((None, 2, 3840), (None, 5), None),  # an epoch by itself could be anyone's
        (None, (None, 35, 5), None),
    ],
)
def test_what_is_known_by_its_axes(inputs, outputs, name):
    assert published_like(Shapes((inputs,), (outputs,))) == name
    assert published_like(Shapes((inputs, inputs), (outputs,))) is None


def in_the_words_of_keras(path, onnx, how="SAME_UPPER", strides=(1, 1)):
    """Windows (batch, 35, 64, 2) -> (batch, 35, 5), with paddings that are to be worked out, as tf2onnx writes them."""
    rng = np.random.default_rng(0)
    helper, to = onnx.helper, onnx.numpy_helper.from_array

    def weights(*shape):
        return (rng.normal(size=shape) / np.sqrt(np.prod(shape[1:]))).astype(np.float32)

    tensors = {
        "flat": np.array([0, 2240, 1, 2], dtype=np.int64),
        "w1": weights(6, 2, 9, 1),
        "w2": weights(6, 6, 2, 1),
        "w3": weights(5, 6, 1, 1),
        "twice": np.array([1, 1, 2 * strides[0], 1], dtype=np.float32),
        "starts": np.array([0], dtype=np.int64),
        "ends": np.array([2240], dtype=np.int64),
        "axes": np.array([2], dtype=np.int64),
        "epochs": np.array([0, 35, 5], dtype=np.int64),
    }
    same = {"auto_pad": how}
    nodes = [
        helper.make_node("Reshape", ["windows", "flat"], ["a"]),
        helper.make_node("Transpose", ["a"], ["b"], perm=[0, 3, 1, 2]),
        helper.make_node("Conv", ["b", "w1"], ["c"], kernel_shape=[9, 1], strides=list(strides), **same),
        helper.make_node("Elu", ["c"], ["d"]),
        helper.make_node("MaxPool", ["d"], ["e"], kernel_shape=[2, 1], strides=[2, 1], **same),
        helper.make_node(
            "Resize",
            ["e", "", "twice"],
            ["f"],
            mode="nearest",
            coordinate_transformation_mode="asymmetric",
            nearest_mode="floor",
        ),
        helper.make_node("Slice", ["f", "starts", "ends", "axes"], ["g"]),
        helper.make_node("Conv", ["g", "w2"], ["h"], kernel_shape=[2, 1], **same),
        helper.make_node("Tanh", ["h"], ["i"]),
        helper.make_node("AveragePool", ["i"], ["j"], kernel_shape=[64, 1], strides=[64, 1]),
        helper.make_node("Conv", ["j", "w3"], ["k"], kernel_shape=[1, 1], **same),
        helper.make_node("Transpose", ["k"], ["l"], perm=[0, 2, 3, 1]),
        helper.make_node("Reshape", ["l", "epochs"], ["m"]),
        helper.make_node("Softmax", ["m"], ["stages"], axis=-1),
    ]
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        nodes,
        "usleep",
        [value("windows", 1, ["batch", 35, 64, 2])],
        [value("stages", 1, ["batch", 35, 5])],
        [to(array, name) for name, array in tensors.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.checker.check_model(model)
    onnx.save_model(model, path)


@pytest.mark.parametrize("how", ["SAME_UPPER", "SAME_LOWER"])
@pytest.mark.parametrize("strides", [(1, 1), (2, 1), (3, 1)])
def test_paddings_that_are_to_be_worked_out_have_a_gradient(tmp_path, how, strides, capsys):
    """What Keras calls "same"; the converter to torch refuses the word. The oracle is onnxruntime."""
    onnx, runtime = pytest.importorskip("onnx"), pytest.importorskip("onnxruntime")
    in_the_words_of_keras(tmp_path / "mine.onnx", onnx, how, strides)
    spec = load_spec("usleep-onnx").replace(sfreq=64 / 30, n_times=64)
    stager = eegflex.load_model(tmp_path / "mine.onnx", spec=spec)
    assert "no gradient" not in capsys.readouterr().out
    windows = torch.randn(2, 35, 2, 64, requires_grad=True)
    scores = stager.score(windows)
    session = runtime.InferenceSession(str(tmp_path / "mine.onnx"), providers=["CPUExecutionProvider"])
    (own,) = session.run(None, {"windows": windows.detach().transpose(2, 3).numpy()})
    np.testing.assert_allclose(scores.detach().numpy(), own[:, 17], atol=1e-5)
    (slope,) = torch.autograd.grad(scores[:, 2].sum(), windows)
    assert slope[:, 17].abs().sum() > 0
    step = torch.zeros_like(windows)
    step[:, 17, 1, 30] = 1e-2
    with torch.no_grad():
        difference = (stager.score(windows + step) - stager.score(windows - step))[:, 2] / 2e-2
    torch.testing.assert_close(slope[:, 17, 1, 30], difference, atol=2e-4, rtol=0.05)
