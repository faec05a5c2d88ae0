// From the command line to something that scales images.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "infer/scaler.h"
#include "models/rescaler.h"

namespace mini::infer {

struct ModelOptions {
  // A file, or a folder of checkpoints; empty: the weights that come with mini.
  std::filesystem::path weights;
  std::string weights_key = {};  // below which they stand in the file; empty: found
  bool raw_weights = false;      // of a checkpoint, also where it has an average of them
  std::string model;             // a network or bicubic; empty: what the weights are
  std::int64_t scale = 0;  // 0: that of the weights, 2 for bicubic and those that come with mini
  std::vector<std::string> set{};  // "range=255": what the weights do not tell of the network
  std::optional<io::ImageFormat> codec{};  // that the small images go through, if it is known
  bool sample_latent = false;
  std::uint64_t seed = 0;
  std::size_t memory_limit = 0;  // bytes, of the device's memory; 0: the default
  std::int64_t max_pixels = io::default_max_pixels;  // of an image that is read
  std::int64_t max_bytes = io::any_size;             // of memory for that, below the limit above
  Device device{};
};

struct Model {
  std::unique_ptr<models::Rescaler> network;  // null: bicubic
  std::unique_ptr<Scaler> scaler;
};

// Whether they are of a network that mini_infer runs.
bool is_network(const nn::StateDict& state);

// The process's memory limit, whatever the device.
std::size_t host_limit(const ModelOptions& options);
// The limits on an image that is read now.
io::ReadOptions read_options(const ModelOptions& options);
// What --model list prints: the networks there are, one a line.
std::string network_table();

// Throws where the options, the file and the network do not fit together, naming the first names
// that are missing and unexpected.
Model load_model(const ModelOptions& options);

}  // namespace mini::infer
