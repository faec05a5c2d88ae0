// NumPy's files of arrays.
//
//   .npy   "\x93NUMPY", version, length of the header, header, elements
//          header: a Python dictionary as text, {'descr': '<f4', 'fortran_order': False,
//          'shape': (3, 4), }, here read by its letters and never evaluated
//   .npz   a zip archive of NAME.npy, stored or deflated
//
// Arrays of Python objects are pickles and refused, and so are big-endian ones; the rest is as for
// safetensors. Source: numpy/lib/format.py, which describes the format.
#pragma once

#include <span>

#include "io/file.h"
#include "io/safetensors.h"

namespace mini::io {

// Contiguous, whatever the order in the file.
Tensor parse_npy(std::span<const std::byte> bytes);
TensorFile parse_npz(std::span<const std::byte> bytes);

// bfloat16 has no name in NumPy: cast it before.
Bytes npy_bytes(const Tensor& tensor);
// Replaces `path` atomically. The format has no place for metadata: a file with some is an Error.
void write_npy(const std::filesystem::path& path, const Tensor& tensor);
void write_npz(const std::filesystem::path& path, const TensorFile& file);

}  // namespace mini::io
