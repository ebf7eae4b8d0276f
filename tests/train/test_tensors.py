"""tensors.py: safetensors files, with the stock package and without it."""

import os
import tempfile
import unittest
from pathlib import Path
from unittest import mock

import support  # noqa: F401  skips where NumPy is missing

import numpy as np

import tensors
from tensors import TensorFileError

ARRAYS = {
    "bytes": np.arange(7, dtype=np.uint8),
    "matrix": np.linspace(-1, 1, 15, dtype=np.float32).reshape(3, 5),
    "empty": np.zeros((0, 4), np.float32),
    "scalar": np.array(3, np.int32),
    "long": np.array([[2**40, -1]], np.int64),
    "turned": np.arange(6, dtype=np.float64).reshape(2, 3).T,
}
METADATA = {"format": "test", "umlaut": "ü"}


class TensorFiles(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = Path(folder.name) / "file.safetensors"

    def assert_same(self, found):
        arrays, metadata = found
        self.assertEqual(metadata, METADATA)
        self.assertEqual(set(arrays), set(ARRAYS))
        for name, array in ARRAYS.items():
            self.assertEqual(arrays[name].dtype, array.dtype)
            np.testing.assert_array_equal(arrays[name], array)

    def test_what_is_written_is_read_back(self):
        tensors.write(self.path, ARRAYS, METADATA)
        self.assert_same(tensors.read(self.path))
        self.assert_same(tensors.read_plain(self.path))

    def test_arrays_begin_at_multiples_of_their_elements(self):
        tensors.write(self.path, ARRAYS, METADATA)
        with tensors.TensorFile(self.path) as file:
            for name, array in ARRAYS.items():
                self.assertEqual(file.entries[name][2] % array.itemsize, 0, name)

    def test_rows_of_an_array_are_read_alone_even_when_the_files_name_is_gone(self):
        tensors.write(self.path, ARRAYS, METADATA)
        with tensors.TensorFile(self.path) as file:
            self.path.unlink()
            for first, last in [(0, 3), (1, 2), (2, 3), (1, 1)]:
                np.testing.assert_array_equal(file.read("matrix", first, last), ARRAYS["matrix"][first:last])
            np.testing.assert_array_equal(file.read("long", 0, 1), ARRAYS["long"])
            self.assertEqual(file.read("empty", 0, 0).shape, (0, 4))

    def test_a_file_that_gets_shorter_while_it_is_open_is_refused(self):
        tensors.write(self.path, {"long": np.arange(100_000)}, {})
        with tensors.TensorFile(self.path) as file:
            os.truncate(self.path, 400_000)
            np.testing.assert_array_equal(file.read("long", 0, 10), np.arange(10))
            self.assertRaisesRegex(TensorFileError, "file.safetensors: long: .*shorter", file.read, "long")

    @unittest.skipIf(tensors.stock is None, "needs the safetensors package")
    def test_the_stock_package_reads_what_is_written_here_and_the_other_way_round(self):
        from safetensors import numpy as stock
        tensors.write(self.path, ARRAYS, METADATA)
        self.assertEqual(set(stock.load_file(self.path)), set(ARRAYS))
        stock.save_file({name: np.ascontiguousarray(array) for name, array in ARRAYS.items()}, self.path, METADATA)
        self.assert_same(tensors.read_plain(self.path))

    def test_a_file_cut_anywhere_is_refused_by_name(self):
        tensors.write(self.path, ARRAYS, METADATA)
        content = self.path.read_bytes()
        for length in [0, 4, 8, 40, len(content) // 2, len(content) - 1]:
            self.path.write_bytes(content[:length])
            for read in (tensors.read, tensors.read_plain):
                with self.subTest(length=length, read=read.__name__):
                    self.assertRaisesRegex(TensorFileError, "file.safetensors", read, self.path)

    def test_bytes_that_belong_to_no_array_are_refused(self):
        tensors.write(self.path, ARRAYS, METADATA)
        self.path.write_bytes(self.path.read_bytes() + b"\0")
        for read in (tensors.read, tensors.read_plain):
            self.assertRaises(TensorFileError, read, self.path)

    def test_bad_headers_are_refused(self):
        good = {"dtype": "U8", "shape": [2], "data_offsets": [0, 2]}
        bad = [{"dtype": "U9"}, {"shape": [3]}, {"shape": [-2]}, {"shape": 2}, {"data_offsets": [0, 3]},
               {"data_offsets": [1, 3]}, {"data_offsets": [0]}, {"data_offsets": ["0", 2]}]
        for change in bad:
            text = tensors.json.dumps({"a": {**good, **change}}).encode()
            self.path.write_bytes(len(text).to_bytes(8, "little") + text + b"ab")
            for read in (tensors.read, tensors.read_plain):
                with self.subTest(change=change, read=read.__name__):
                    self.assertRaises(TensorFileError, read, self.path)
        for text in (b"[]", b"{", b"[" * 100_000, b"\xff\xff", b'{"a": 1}', b'{"__metadata__": {"a": 1}}'):
            self.path.write_bytes(len(text).to_bytes(8, "little") + text)
            self.assertRaises(TensorFileError, tensors.read_plain, self.path)

    def test_a_missing_file_is_refused_by_name(self):
        for read in (tensors.read, tensors.read_plain):
            self.assertRaisesRegex(TensorFileError, "file.safetensors", read, self.path)

    def test_a_write_that_fails_leaves_the_old_file_and_no_other(self):
        tensors.write(self.path, ARRAYS, METADATA)
        with mock.patch.object(tensors, "fill", side_effect=OSError("disk full")):
            self.assertRaises(OSError, tensors.write, self.path, {}, {})
        self.assert_same(tensors.read(self.path))
        self.assertEqual([file.name for file in self.path.parent.iterdir()], [self.path.name])


if __name__ == "__main__":
    unittest.main()
