// The configuration of a training run. Every key, its default, range and meaning stand in one table,
// made of the rows of train/config.cpp, of the network (models/registry.h) and of the recipe
// (train/recipes/registry.h); `mini_train --help-config` prints it. How it is read: train/fields.h.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "models/registry.h"
#include "nn/optimizer.h"
#include "train/dataset.h"
#include "train/recipes/registry.h"
#include "train/reporter.h"
#include "train/schedule.h"
#include "train/validation.h"

namespace mini::train {

struct CheckpointOptions {
  std::int64_t every = 5000;   // steps
  std::int64_t keep_last = 3;  // older ones are removed
  bool keep_best = true;       // best.safetensors: the best mean PSNR-Y in validation
};

// Of the arithmetic. tf32 and bfloat16: float32, but for the products in matmul, conv2d and dense
// blocks (ops/precision.h); on a GPU only.
enum class Precision { float32, float64, tf32, bfloat16 };
DType dtype_of(Precision precision);

struct TrainConfig {
  models::NetworkConfig model;
  RecipeConfig recipe{model.recipe()};
  DataOptions data;
  std::int64_t steps = 500'000;
  double lr = 2e-4;
  double clip_norm = 10;  // 0: no clipping
  std::int64_t seed = 10;
  nn::OptimizerOptions optimizer{.weight_decay = 1e-5};
  double ema = 0;  // decay of the average of the weights; 0: none
  ScheduleOptions schedule{.milestones = {100'000, 200'000, 300'000, 400'000}};
  ValidationOptions validation;
  CheckpointOptions checkpoint;
  LogOptions log;
  std::filesystem::path out = "out/train";
  Precision precision = Precision::float32;
  std::int64_t threads = 0;  // 0: as many as the machine has
  // What a file or an assignment set of other networks or recipes, to no effect.
  std::vector<std::string> unused{};
};

// Reads the file, then applies the assignments "train.lr=1e-4" in order, then checks that the
// values fit together. Relative paths are relative to the file's folder, in assignments to the
// current one.
TrainConfig load_config(const std::filesystem::path& path,
                        std::span<const std::string> assignments = {});
// The same for a text; `source` is its name in errors.
TrainConfig parse_config(const std::string& text, const std::string& source,
                         const std::filesystem::path& folder,
                         std::span<const std::string> assignments = {});

// The whole configuration as JSON that load_config reads.
std::string config_text(const TrainConfig& config);
// All keys with their defaults, each below its meaning; those of the network and the recipe that the
// assignments choose.
std::string config_help(std::span<const std::string> assignments = {});
// The paths of the keys whose values differ, "train.lr", but for where the run writes and how it
// logs: what a run resumed under `b` would do unlike one under `a`.
std::vector<std::string> config_differences(const TrainConfig& a, const TrainConfig& b);

}  // namespace mini::train
