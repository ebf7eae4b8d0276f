"""model.py: the network, its file and the checkpoint."""

import tempfile
import unittest
from pathlib import Path

import support

support.need("torch")

import numpy as np
import torch

import model as networks
import tensors
from model import Architecture, Network
from rows import Board
from tensors import TensorFileError

BOARD = Board("own", planes=3, rows=5, columns=4, globals=1, actions=21)
SMALL = Architecture(blocks=2, channels=8, policy_channels=3, value_channels=2, hidden=7)


def trained_model(board=BOARD, architecture=SMALL, seed=1):
    """A random model whose batch norms are far from doing nothing and whose answers are far from even."""
    torch.manual_seed(seed)
    model = Network(board, architecture)
    for part in model.modules():
        if isinstance(part, torch.nn.BatchNorm2d):
            part.eps = 0.01
            for tensor, low, high in [(part.weight, 0.5, 2), (part.bias, -0.5, 0.5),
                                      (part.running_mean, -0.5, 0.5), (part.running_var, 0.3, 3)]:
                torch.nn.init.uniform_(tensor, low, high)
    for part in model.dense_layers().values():
        part.weight.data *= 6
    return model.eval()


class Files(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = Path(folder.name) / "network.safetensors"

    def test_the_exported_network_computes_what_the_trained_one_does(self):
        inputs, legal = torch.rand(6, 4, 5, 4), torch.rand(6, 21) < 0.5
        legal[:, 0] = True
        for value in networks.OUTPUTS:
            with self.subTest(value):
                model = trained_model(architecture=Architecture(2, 8, 3, 2, 7, value))
                networks.export(model, self.path)
                loaded = networks.load(self.path)
                for mine, its in zip(model.evaluate(inputs, legal), loaded.evaluate(inputs, legal)):
                    torch.testing.assert_close(mine, its, atol=1e-5, rtol=0)
                self.assertGreater(float(model.evaluate(inputs, legal)[1].std()), 1e-3, "all values are alike")

    def test_a_network_file_holds_the_documented_tensors_and_metadata(self):
        networks.export(trained_model(), self.path)
        arrays, metadata = tensors.read(self.path)
        self.assertEqual(metadata, {"format": "batchmate-network-1", "game": "own", "planes": "3", "rows": "5",
                                    "columns": "4", "globals": "1", "actions": "21", "blocks": "2", "channels": "8",
                                    "value": "wdl"})
        shapes = {"stem": (8, 4, 3, 3), "policy_conv": (3, 8, 1, 1), "policy": (21, 60), "value_conv": (2, 8, 1, 1),
                  "value_hidden": (7, 40), "value": (3, 7)}
        shapes.update({f"blocks.{i}.{part}": (8, 8, 3, 3) for i in (0, 1) for part in ("first", "second")})
        expected = {f"{name}.weight": shape for name, shape in shapes.items()}
        expected.update({f"{name}.bias": shape[:1] for name, shape in shapes.items()})
        self.assertEqual({name: array.shape for name, array in arrays.items()}, expected)
        self.assertEqual({array.dtype for array in arrays.values()}, {np.dtype(np.float32)})

    def test_priors_are_chances_of_the_legal_actions_and_values_are_in_range(self):
        legal = torch.rand(50, 21) < 0.3
        legal[:, 3] = True
        priors, values = trained_model().evaluate(torch.rand(50, 4, 5, 4), legal)
        torch.testing.assert_close(priors.sum(1), torch.ones(50))
        self.assertTrue((priors[~legal] == 0).all() and (priors[legal] > 0).all())
        self.assertLessEqual(float(values.abs().max()), 1)

    def test_files_that_do_not_hold_what_they_say_are_refused_by_name(self):
        networks.export(trained_model(), self.path)
        arrays, metadata = tensors.read(self.path)
        for arrays_change, metadata_change in [({}, {"blocks": "3"}), ({}, {"value": "scalar"}), ({}, {"value": "odd"}),
                                               ({}, {"format": "other"}), ({}, {"planes": "none"}),
                                               ({"stem.bias": np.zeros(9, np.float32)}, {}),
                                               ({"more": np.zeros(1, np.float32)}, {})]:
            with self.subTest(metadata=metadata_change, arrays=list(arrays_change)):
                tensors.write(self.path, {**arrays, **arrays_change}, {**metadata, **metadata_change})
                self.assertRaisesRegex(TensorFileError, "network.safetensors", networks.load, self.path)

    def test_a_checkpoint_gives_back_model_optimizer_and_notes(self):
        model = trained_model()
        optimizer = torch.optim.AdamW(model.parameters())
        model(torch.rand(2, 4, 5, 4))[0].sum().backward()
        optimizer.step()
        networks.save_checkpoint(self.path, model, optimizer, generation=3)
        again, state = networks.load_checkpoint(self.path)
        self.assertEqual((again.board, again.architecture, state["generation"]), (BOARD, SMALL, 3))
        for name, tensor in model.state_dict().items():
            torch.testing.assert_close(again.state_dict()[name], tensor)
        optimizer = torch.optim.AdamW(again.parameters())
        optimizer.load_state_dict(state["optimizer"])
        self.assertGreater(len(optimizer.state), 0)

    def test_what_is_no_checkpoint_is_refused(self):
        networks.export(trained_model(), self.path)
        self.assertRaisesRegex(TensorFileError, "network.safetensors", networks.load_checkpoint, self.path)
        self.path.write_bytes(b"")
        self.assertRaisesRegex(TensorFileError, "network.safetensors", networks.load_checkpoint, self.path)


if __name__ == "__main__":
    unittest.main()
