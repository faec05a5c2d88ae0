// safetensors, the weight format of mini's own checkpoints.
//
//   8 bytes  length of the header, little endian
//   header   JSON: {"name": {"dtype": "F32", "shape": [2,3], "data_offsets": [0,24]}, ...,
//                   "__metadata__": {"key": "text", ...}}, padded with spaces to a multiple of 8
//   data     the tensors one after the other, row-major, little endian, without gaps
//
// mini adds a text of its own to the metadata, "mini.crc32": the checksums of the tensors, eight
// hexadecimal digits each, in the order of the names. Every reader may ignore it.
//
// Source: https://github.com/huggingface/safetensors, "Format". Read next: io/tensor_file.h.
#pragma once

#include <cstddef>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "tensor/tensor.h"

namespace mini::io {

// What a file of weights holds, sorted by name.
struct TensorFile {
  std::map<std::string, Tensor> tensors;
  std::map<std::string, std::string> metadata;
  // What else the file holds, as "NAME (what it is)". Only readers fill it.
  std::vector<std::string> passed_over = {};
};

// F64, F32, F16, BF16, U8 and I64 are kept; BOOL becomes uint8, I32, I16, I8 and U16, U32 become
// int64; other dtypes are an Error that names the tensor. So is any header that does not describe
// its data exactly: overlaps, holes, wrong lengths, duplicate names. Where there are checksums, the
// tensors must match them.
TensorFile read_safetensors(const std::filesystem::path& path);
TensorFile parse_safetensors(std::span<const std::byte> bytes);

// With checksums. Replaces `path` atomically (io/file.h). Tensors of any strides; widest dtype
// first, so that each tensor is aligned to its elements.
void write_safetensors(const std::filesystem::path& path, const TensorFile& file);

}  // namespace mini::io
