// Reads what PyTorch's torch.save wrote, without running anything of it.
//
// Both formats are pickles: programs for a small stack machine that builds Python objects. Here
// that machine (io/pickle.h) builds inert data only. The functions and classes that stand in weight
// files are known by name; any other name is an Error that says it.
//   since 1.6   a zip archive: data.pkl and one entry for each storage (io/zip.h)
//   before      five pickles in a row (magic number, version, system, the object, the order of the
//               storages), then the storages
//
// Read next: io/pickle.h.
#pragma once

#include <cstddef>
#include <filesystem>
#include <span>

#include "io/safetensors.h"

namespace mini::io {

// Tensors get the dotted path to them as name: dictionary keys, indices of lists, and for a whole
// pickled module the names of its parameters and buffers, as in its state_dict(); a tensor alone is
// called "tensor". Numbers, truth values and texts beside them go to `metadata` under such names.
// Everything else, NumPy's arrays and sparse tensors too, is named in `passed_over`.
// Tensors come out contiguous; bool becomes uint8, and int8 to int32, uint16 and uint32 become
// int64.
TensorFile read_pth(const std::filesystem::path& path);
TensorFile parse_pth(std::span<const std::byte> bytes);

}  // namespace mini::io
