// mini_bench peak and mini_bench dense_block.
#include <fmt/format.h>

#include "ops/dense_block.h"
#include "tensor/parallel.h"
#include "tensor/random.h"
#include "tools/mini_bench/commands.h"
#include "tools/mini_bench/measure.h"

namespace mini::bench {

void run_peak(const CommonOptions& common) {
  nlohmann::json details{{"command", "peak"}, {"peak_gflops_one_thread", peak_gflops(1)}};
  if (common.json != "-")
    fmt::print("one thread: {:.1f} GFLOP/s\n", details["peak_gflops_one_thread"].get<double>());
  report({}, details, common.json);
}

void run_dense_block(const CommonOptions& common, const DenseBlockOptions& options) {
  Generator generator{1, 0};
  const Shape image{options.batch, options.channels, options.size, options.size};
  const Tensor x = ops::normal(generator, image);
  Tensors weights, biases;
  std::int64_t channels = options.channels;
  double products = 0;  // per pixel
  for (int k = 0; k < 5; ++k) {
    const std::int64_t outputs = k < 4 ? options.growth : options.outputs;
    weights.push_back(ops::normal(generator, {outputs, channels, 3, 3}));
    biases.push_back(ops::normal(generator, {outputs}));
    products += 9.0 * static_cast<double>(channels * outputs);
    channels += outputs;
  }
  const Tensor dy =
      ops::normal(generator, {options.batch, options.outputs, options.size, options.size});
  const double gflop =
      2e-9 * products * static_cast<double>(options.batch * options.size * options.size);

  Tensor features;
  std::vector<Measurement> rows;
  const auto run = [&](const char* name, double passes, const auto& work) {
    rows.push_back(measure(name, passes * gflop, 2, common.runs, work));
  };
  run("forward", 1, [&] { ops::dense_block(x, weights, biases, 0.2); });
  run("forward, features kept", 1, [&] { ops::dense_block(x, weights, biases, 0.2, &features); });
  run("gradient of x", 1, [&] {
    ops::dense_block_gradient(features, weights, dy, 0.2, {.dx = true, .parameters = false});
  });
  run("gradient of x and parameters", 2,
      [&] { ops::dense_block_gradient(features, weights, dy, 0.2); });
  report(rows, {{"command", "dense_block"}, {"x", fmt::format("{}", fmt::join(image, ","))}},
         common.json);
}

}  // namespace mini::bench
