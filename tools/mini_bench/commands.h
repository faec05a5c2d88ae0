// What mini_bench can measure; each command prints its report (tools/mini_bench/measure.h).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "models/invertible/chain.h"
#include "models/registry.h"
#include "ops/precision.h"
#include "tensor/device.h"

namespace mini::bench {

struct CommonOptions {
  int runs = 5;
  std::string json;  // see report()
  Device device{};
  ops::Products products = ops::Products::full;  // tf32 and bfloat16 on a GPU only
};

// Measures the peak of fused multiply-adds of one core and of all cores.
void run_peak(const CommonOptions& common);

struct DenseBlockOptions {
  std::int64_t channels = 9, outputs = 3, growth = 32;
  std::int64_t batch = 4, size = 64;
};
void run_dense_block(const CommonOptions& common, const DenseBlockOptions& options);

// The dense block of one image in every way of docs/convolution.md, on one thread, with the error of
// each.
struct LadderOptions {
  std::int64_t channels = 9, outputs = 3, growth = 32;
  std::int64_t size = 128;
};
void run_ladder(const CommonOptions& common, const LadderOptions& options);

// Convolutions of a channels-last image, forward and both gradients, and square matrix products.
struct ProductsOptions {
  std::int64_t channels = 64, outputs = 64;
  std::int64_t batch = 4, size = 128;  // of the image
  std::vector<std::int64_t> sides{1024, 2048, 4096};
};
void run_products(const CommonOptions& common, const ProductsOptions& options);

// A network with random weights and images, or with those of a file: weights by name, and "bench.hr"
// [N,3,H,W], for a step also "bench.lr_reference" and "bench.z". What the network made of them goes
// to `results` (safetensors), for comparison with another implementation.
struct NetworkOptions {
  std::string network = models::NetworkConfig().name();
  std::int64_t scale = 2, batch = 4, size = 128;
  std::int64_t enhanced = 0, vanilla = 0;  // blocks; 0: the paper's number
  int quality = 75;
  models::MemoryMode memory = models::MemoryMode::exact;
  bool replay = true;  // whether a GPU replays the captured passes of training (train/pass.h)
  std::string from{}, results{};
  // Makes one run for each line of standard input and answers with a line of JSON, so that another
  // program can run its own measurements in between.
  bool on_request = false;
};
// A training step: forward, inverse, losses with codec, backward, clipping, Adam.
void run_step(const CommonOptions& common, const NetworkOptions& options);
// Downscaling, JPEG and upscaling, without gradients.
void run_roundtrip(const CommonOptions& common, const NetworkOptions& options);

// An ordinary upscaler with random weights and images, or with those of a file: weights by name,
// "bench.lr" [N,3,h,w], and for a step "bench.hr". The result, or loss and gradients, go to `results`.
struct UpscalerOptions {
  std::string network{};
  std::vector<std::string> set{};      // "blocks=16": options of the network
  std::int64_t batch = 1, size = 256;  // of LR
  std::string from{}, results{};
  bool on_request = false;
};
void run_upscale(const CommonOptions& common, const UpscalerOptions& options);
// Forward, loss, backward, Adam.
void run_upscale_step(const CommonOptions& common, const UpscalerOptions& options);

struct KernelsOptions {
  std::int64_t batch = 16, size = 1024;  // of the HR images
  std::int64_t growth = 32;
  // What the two ceilings are measured with: a copy of so many MB, a product of matrices of this side.
  std::int64_t copy = 1024, product = 4096;
};
// Each kernel of a training step beside the ceiling of the device that bounds it.
void run_kernels(const CommonOptions& common, const KernelsOptions& options);

// What plain inversion of a network of one chain loses on a photograph, and what exact mode keeps.
struct DriftOptions {
  std::string network = models::NetworkConfig().name();
  std::int64_t enhanced = 0, vanilla = 0;  // blocks; 0: the paper's number
  // Draws every convolution's weights uniformly from ±gain/√(inputs of an output). With 0 they are
  // as at the start of a training.
  double gain = 0;
  std::string from{};  // a file or a run's folder, whose weights are taken instead
  std::string image = "data/photos/train/astronaut.png";
  std::int64_t size = 128;  // side of the part of it to use
};
void run_drift(const CommonOptions& common, const DriftOptions& options);

}  // namespace mini::bench
