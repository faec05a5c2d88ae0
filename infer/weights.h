// Weights from any file, for a model to load.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "infer/checkpoints.h"
#include "infer/stated.h"
#include "nn/module.h"

namespace mini::infer {

// The tensors in any file that mini reads (io/tensor_file.h); of a checkpoint, those of its network.
nn::StateDict read_weights(const std::filesystem::path& path, Weights weights = Weights::averaged);
// With what the file states of the network besides.
struct WeightFile {
  nn::StateDict state;
  Stated stated;
};
WeightFile read_weight_file(const std::filesystem::path& path, Weights weights = Weights::averaged);

// Files wrap weights in dictionaries ("params_ema", "state_dict") and modules in others ("module.",
// "net."), so they may stand below a key: part of every name, up to a dot.
struct FoundWeights {
  nn::StateDict state;
  std::string key;                  // "params_ema.module"; empty: they are all there is
  std::vector<std::string> others;  // keys below which there are such weights, too
  // `weights below "params_ema" (also there: "params"; choose with --weights-key)`; empty where
  // there is nothing to say.
  std::string note() const;
};
// The first set of weights below the usual keys that `fits`; averaged weights ("ema") come before the
// last ones. Returns everything where nothing fits. With a key, searches only below that.
// Errors name the file, `path`.
FoundWeights find_weights(const nn::StateDict& all, const std::string& key,
                          const std::function<bool(const nn::StateDict&)>& fits,
                          const std::filesystem::path& path);

// Loads all weights strictly into `module`. Also throws for NaN and infinity, which would only make black
// images. Errors name the file, `path`.
void load_weights(nn::Module& module, const nn::StateDict& weights,
                  const std::filesystem::path& path);
// The same from a file: the weights below `key`, or without a key the first that fit. Returns the note
// about where they were found.
std::string load_weights(nn::Module& module, const std::filesystem::path& path,
                         const std::string& key = {});

}  // namespace mini::infer
