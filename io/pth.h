// Reads what PyTorch's torch.save wrote, without running anything of it.
//
// Both formats are pickles: programs for a small stack machine that builds Python objects. Here
// that machine (io/pickle.h) builds inert data only. The few functions and classes a weight file
// needs are known by name; any other name is an Error that says it.
//   since 1.6   a zip archive: data.pkl and one stored entry for each storage (io/zip.h)
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
// called "tensor". Numbers, truth values and texts on the way go to `metadata` under the same
// names. Tensors come out contiguous; bool becomes uint8, and int8, int16, int32 become int64.
TensorFile read_pth(const std::filesystem::path& path);
TensorFile parse_pth(std::span<const std::byte> bytes);

}  // namespace mini::io
