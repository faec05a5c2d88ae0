// mini_bench peak, mini_bench dense_block and mini_bench products.
#include <fmt/format.h>

#include "ops/conv.h"
#include "ops/dense_block.h"
#include "ops/matmul.h"
#include "tensor/parallel.h"
#include "tensor/random.h"
#include "tensor/view.h"
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

void run_products(const CommonOptions& common, const ProductsOptions& options) {
  Generator generator{1, 0};
  const auto random = [&](const Shape& shape) {
    return ops::normal(generator, shape, DType::float32, {}, common.device);
  };
  std::vector<Measurement> rows;
  const auto run = [&](const std::string& name, double products, const auto& work) {
    rows.push_back(measure(name, 2e-9 * products, 2, common.runs, work, common.device));
  };

  const Tensor x =
      ops::channels_last(random({options.batch, options.channels, options.size, options.size}));
  const auto convolution = [&](const std::string& name, std::int64_t kernel, std::int64_t stride) {
    const Tensor w = random({options.outputs, options.channels, kernel, kernel});
    const Conv2dParams params{.stride = {stride, stride}, .padding = {kernel / 2, kernel / 2}};
    const Tensor dy = ops::conv2d(x, w, {}, params);
    const double products = static_cast<double>(dy.numel() * options.channels * kernel * kernel);
    run(name, products, [&] { ops::conv2d(x, w, {}, params); });
    run(name + ", gradient of x", products,
        [&] { ops::conv2d_input_gradient(dy, w, x.shape(), params); });
    run(name + ", gradient of w", products,
        [&] { ops::conv2d_weight_gradient(x, dy, w.shape(), params); });
  };
  convolution("3x3", 3, 1);
  convolution("1x1", 1, 1);
  convolution("3x3, stride 2", 3, 2);
  for (const std::int64_t side : options.sides) {
    const Tensor a = random({side, side}), b = random({side, side});
    const auto n = static_cast<double>(side);
    run(fmt::format("matrix product of {}", side), n * n * n, [&] { ops::matmul(a, b); });
  }
  report(rows, {{"command", "products"}, {"x", fmt::format("{}", fmt::join(x.shape(), ","))}},
         common.json, common.device);
}

}  // namespace mini::bench
