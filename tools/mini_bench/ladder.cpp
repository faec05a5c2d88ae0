// mini_bench ladder: the rungs of docs/convolution.md. Every rung computes the same dense block: its five
// convolutions one by one, or all at once. Errors are those of its result against float64.
#include "ops/ladder.h"

#include <array>
#include <cmath>
#include <fmt/format.h>
#include <functional>

#include "autograd/functions.h"
#include "autograd/node.h"
#include "ops/dense_block.h"
#include "tensor/isa.h"
#include "tensor/parallel.h"
#include "tensor/random.h"
#include "tensor/view.h"
#include "tools/mini_bench/commands.h"
#include "tools/mini_bench/measure.h"

namespace mini::bench {
namespace {

constexpr double slope = 0.2;
constexpr std::size_t convolutions = 5;

struct DenseBlock {
  Tensor x;  // [1,C,H,W]
  Tensors weights, biases;
  double gflop = 0;  // of direct convolutions
};

// Random weights that keep the size of the features (K. He et al., "Delving Deep into Rectifiers", 2015).
DenseBlock random_block(const LadderOptions& options) {
  Generator generator{1, 0};
  DenseBlock block{.x = ops::normal(generator, {1, options.channels, options.size, options.size}),
                   .weights = {},
                   .biases = {}};
  std::int64_t channels = options.channels;
  for (std::size_t k = 0; k < convolutions; ++k) {
    const std::int64_t outputs = k + 1 < convolutions ? options.growth : options.outputs;
    const double deviation = std::sqrt(2.0 / static_cast<double>(9 * channels));
    block.weights.push_back(ops::normal(generator, {outputs, channels, 3, 3}) * deviation);
    block.biases.push_back(Tensor::zeros({outputs}));
    block.gflop += 2e-9 * static_cast<double>(9 * channels * outputs * options.size * options.size);
    channels += outputs;
  }
  return block;
}

// f_k = leaky_relu(convolve(x, f_1 .. f_{k-1}; w_k)) for one image; the last without activation.
template <class Convolve>
Tensor one_by_one(const Tensor& x, const Tensors& weights, const Convolve& convolve) {
  Tensor features = x;
  for (std::size_t k = 0; k + 1 < weights.size(); ++k)
    features = concat({features, leaky_relu(convolve(features, weights[k]), slope)}, 1);
  return convolve(features, weights.back());
}

// The root mean square of the error over that of the truth.
double error_of(const Tensor& found, const Tensor& truth) {
  const auto a = found.to_vector(), b = truth.to_vector();
  double errors = 0, squares = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    errors += (a[i] - b[i]) * (a[i] - b[i]);
    squares += b[i] * b[i];
  }
  return std::sqrt(errors / squares);
}

Tensor direct(const Tensor& x, const Tensor& w) { return conv2d(x, w, {}, {.padding = {1, 1}}); }

Tensor in_float64(const DenseBlock& block) {
  Tensors weights;
  for (const Tensor& w : block.weights) weights.push_back(ops::cast(w, DType::float64));
  return one_by_one(ops::cast(block.x, DType::float64), weights, direct);
}

}  // namespace

void run_ladder(const CommonOptions& common, const LadderOptions& options) {
  check(common.device.is_cpu(), "mini_bench ladder: its rungs are for the CPU");
  set_threads(1);
  const NoGrad no_grad;
  const DenseBlock block = random_block(options);
  const Tensor truth = in_float64(block);
  const auto on = [&](Rung rung) {
    return [&block, rung] {
      return one_by_one(block.x, block.weights, [rung](const Tensor& x, const Tensor& w) {
        const Tensor image = ops::reshape(x, {x.size(1), x.size(2), x.size(3)});
        const Tensor y = ops::convolve_on_rung(rung, image, w);
        return ops::reshape(y, {1, y.size(0), y.size(1), y.size(2)});
      });
    };
  };
  struct Way {
    const char* name;
    std::function<Tensor()> compute;
  };
  const std::array<Way, 6> ways{{
      {"naive", on(Rung::naive)},
      {"tiled", on(Rung::tiled)},
      {"in registers", on(Rung::in_registers)},
      {"F(2x2, 3x3)", on(Rung::winograd)},
      {"conv2d, direct", [&] { return one_by_one(block.x, block.weights, direct); }},
      {"dense_block, fused F(2x2, 3x3)",
       [&] { return ops::dense_block(block.x, block.weights, block.biases, slope); }},
  }};
  const double peak = peak_gflops(1);
  nlohmann::json details{
      {"command", "ladder"}, {"instruction_set", cpu::name_of(cpu::isa())}, {"peak_gflops", peak}};
  const bool table = common.json != "-";
  if (table)
    fmt::print("{:<34}{:>12}{:>10}{:>9}{:>12}\n", "", "wall ms", "GFLOP/s", "of peak", "error");
  for (const Way& way : ways) {
    const double error = error_of(way.compute(), truth);
    const Measurement row = measure(way.name, block.gflop, 1, common.runs, way.compute);
    const double rate = row.gflop / row.seconds;
    details["measurements"].push_back(
        {{"name", row.name}, {"seconds", row.seconds}, {"gflop", row.gflop}, {"error", error}});
    if (table)
      fmt::print("{:<34}{:>12.2f}{:>10.1f}{:>8.0f}%{:>12.1e}\n", row.name, row.seconds * 1e3, rate,
                 100 * rate / peak, error);
  }
  if (table)
    fmt::print("peak of multiply-adds: {:.1f} GFLOP/s on 1 thread, {}\n", peak,
               cpu::name_of(cpu::isa()));
  write_json(details, common.json);
}

}  // namespace mini::bench
