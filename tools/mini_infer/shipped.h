// The weights that come with the program. They lie in share/mini/weights beside the program's folder: there
// `cmake --install` puts them, and in a build folder stands a link to models/weights. What each file is of
// is read off its tensors; its metadata says which codecs it was trained for.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "tools/mini_infer/model.h"

namespace mini::infer {

struct ShippedWeights {
  std::filesystem::path path;
  std::string network;
  std::int64_t scale = 0, parameters = 0;
  std::string codec, step;  // as the metadata says; empty: it does not
};

std::filesystem::path shipped_folder();
// By name. Files that are no weights of a network are left out, and told on stderr.
std::vector<ShippedWeights> shipped_weights(const std::filesystem::path& folder);

// The first file that fits the options: their model, their scale (2 unless given), and their codec where
// there is one trained for it. Throws where none fits.
std::filesystem::path choose_shipped(const ModelOptions& options);

}  // namespace mini::infer
