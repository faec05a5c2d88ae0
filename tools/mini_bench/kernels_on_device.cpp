// mini_bench kernels: what a training step is made of, one kernel at a time, each beside the ceiling of
// the device that bounds it: bytes against a large copy, operations against a large matrix product,
// both measured in the same run. Bytes are the fewest that the kernel must move: every operand read
// once, every result written once.
#include <fmt/format.h>

#include "ops/conv.h"
#include "ops/correction.h"
#include "ops/coupling.h"
#include "ops/dense_block.h"
#include "ops/elementwise.h"
#include "ops/image.h"
#include "ops/jpeg.h"
#include "ops/matmul.h"
#include "ops/optimizer.h"
#include "ops/reduce.h"
#include "tensor/random.h"
#include "tensor/version.h"
#include "tensor/view.h"
#include "tools/mini_bench/commands.h"
#include "tools/mini_bench/measure.h"

namespace mini::bench {
namespace {

double gigabytes(std::initializer_list<const Tensor*> tensors) {
  double bytes = 0;
  for (const Tensor* tensor : tensors) bytes += static_cast<double>(tensor->bytes());
  return 1e-9 * bytes;
}

class Table {
 public:
  explicit Table(const CommonOptions& common) : common_(common) {}

  // Measures work that moves so many gigabytes or computes so many gigaflops; the other number is 0.
  double row(const std::string& name, double gbytes, double gflop,
             const std::function<void()>& work) {
    const double seconds = measure(name, gflop, 2, common_.runs, work, common_.device).seconds;
    rows_.push_back({name, seconds, gbytes, gflop});
    return seconds;
  }

  // The first row is the copy, the second the product.
  void report() const {
    const double copy = rows_[0].gbytes / rows_[0].seconds;
    const double product = rows_[1].gflop / rows_[1].seconds;
    nlohmann::json details{{"command", "kernels"},
                           {"mini", version()},
                           {"device", to_string(common_.device)},
                           {"copy_gbytes_per_second", copy},
                           {"product_gflops", product}};
    if (common_.json != "-")
      fmt::print("{:<36}{:>10}{:>10}{:>10}{:>12}\n", "", "ms", "GB/s", "TFLOP/s", "of ceiling");
    for (const Row& row : rows_) {
      const double bytes = row.gbytes / row.seconds, flops = row.gflop / row.seconds;
      const double share = row.gflop > 0 ? flops / product : bytes / copy;
      details["kernels"].push_back({{"name", row.name},
                                    {"seconds", row.seconds},
                                    {"gbytes", row.gbytes},
                                    {"gflop", row.gflop},
                                    {"share_of_ceiling", share}});
      if (common_.json == "-") continue;
      const auto rate = [](double value) {
        return value > 0 ? fmt::format("{:>10.2f}", value) : std::string(10, ' ');
      };
      fmt::print("{:<36}{:>10.3f}{}{}{:>11.0f}%\n", row.name, row.seconds * 1e3, rate(bytes),
                 rate(1e-3 * flops), 100 * share);
    }
    if (common_.json != "-")
      fmt::print("ceilings: copy {:.0f} GB/s, product {:.1f} TFLOP/s\n", copy, 1e-3 * product);
    write_json(details, common_.json);
  }

 private:
  struct Row {
    std::string name;
    double seconds, gbytes, gflop;
  };
  const CommonOptions& common_;
  std::vector<Row> rows_;
};

// Images at the sizes of SAIN x2: HR with 3 channels, and both halves of its Haar transform.
struct Images {
  Tensor hr, small, rest, other;
};

void moving_bytes(Table& table, const Images& images) {
  const Tensor &hr = images.hr, &small = images.small, &rest = images.rest, &other = images.other;
  const auto add = [&](const char* name, std::initializer_list<const Tensor*> moved,
                       const std::function<void()>& work) {
    table.row(name, gigabytes(moved), 0, work);
  };
  const Tensor* const r = &rest;
  add("coupling", {r, r, r, r}, [&] { ops::coupling(rest, other, rest); });
  add("coupling, inverse", {r, r, r, r}, [&] { ops::coupling_inverse(rest, other, rest); });
  add("coupling, gradient", {r, r, r, r, r}, [&] { ops::coupling_gradient(rest, other, other); });
  add("coupling, gradient of the inverse", {r, r, r, r, r},
      [&] { ops::coupling_inverse_gradient(rest, other, other); });
  add("haar", {&hr, &hr}, [&] { ops::haar(hr); });
  const Tensor levels = ops::haar(hr);
  add("haar, inverse", {&hr, &hr}, [&] { ops::haar_inverse(levels); });
  const std::vector<double> quality{75};
  const std::vector<double> scales = ops::jpeg_scales(quality, small.size(0));
  add("JPEG simulator", {&small, &small}, [&] { ops::diff_jpeg(small, scales); });
  add("JPEG simulator, gradient", {&small, &small, &small},
      [&] { ops::diff_jpeg_gradient(small, small, scales); });
  const LinearMap down = ops::bicubic_map(hr.size(2), 0.5),
                  across = ops::bicubic_map(hr.size(3), 0.5);
  add("bicubic to half the side", {&hr, &small},
      [&] { ops::linear_map(ops::linear_map(hr, down, 2), across, 3); });
  ops::Correction kept = ops::correction(rest, rest);
  add("correction, kept", {r, r, &kept.codes}, [&] { ops::correction(rest, rest); });
  add("correction, restored", {r, r, &kept.codes}, [&] { ops::corrected(rest, kept); });
  add("x + y", {r, r, r}, [&] { ops::add(rest, other); });
  add("sum of all elements", {r}, [&] { ops::sum(rest); });
  add("normal random numbers", {r}, [&] {
    Generator generator{1, 0};
    ops::normal(generator, rest.shape(), rest.dtype(), {}, rest.device());
  });
  const Tensor parameter = ops::clone(rest), mean = ops::clone(rest), square = ops::clone(rest);
  ops::fill(square, 1);
  const std::vector<AdamSlot> slots{{parameter, other, mean, square}};
  const Tensor step = ops::adam_steps(std::vector<AdamStep>(1), rest.device());
  add("Adam", {r, r, r, r, r, r, r}, [&] { ops::adam_(slots, {}, step); });
}

// `growth` channels are added by each of four convolutions.
void dense_blocks(Table& table, const Images& images, std::int64_t growth) {
  Generator generator{2, 0};
  const Device device = images.rest.device();
  for (const bool down : {true, false}) {  // from the details to the small image, and back
    const Tensor &x = down ? images.rest : images.small, &y = down ? images.small : images.rest;
    Tensors weights, biases;
    std::int64_t channels = x.size(1);
    double products = 0;  // per pixel
    for (int k = 0; k < 5; ++k) {
      const std::int64_t outputs = k < 4 ? growth : y.size(1);
      weights.push_back(ops::to_device(ops::normal(generator, {outputs, channels, 3, 3}), device));
      biases.push_back(ops::to_device(ops::normal(generator, {outputs}), device));
      products += 9.0 * static_cast<double>(channels * outputs);
      channels += outputs;
    }
    const std::int64_t pixels = x.numel() / x.size(1);
    const double gflop = 2e-9 * products * static_cast<double>(pixels);
    const std::string name = concat_text("dense block ", x.size(1), " to ", y.size(1));
    Tensor features;
    table.row(name, 0, gflop, [&] { ops::dense_block(x, weights, biases, 0.2); });
    table.row(name + ", features kept", 0, gflop,
              [&] { ops::dense_block(x, weights, biases, 0.2, &features); });
    table.row(name + ", gradients", 0, 2 * gflop,
              [&] { ops::dense_block_gradient(features, weights, y, 0.2); });
  }
}

void convolutions(Table& table, const Images& images) {
  constexpr std::int64_t channels = 64;
  const Device device = images.rest.device();
  Generator generator{3, 0};
  const Shape shape{images.rest.size(0), channels, images.rest.size(2), images.rest.size(3)};
  const Tensor x = ops::channels_last(ops::normal(generator, shape, DType::float32, {}, device));
  const Tensor w = ops::normal(generator, {channels, channels, 3, 3}, DType::float32, {}, device);
  const Conv2dParams same{.padding = {1, 1}};
  const double gflop = 2e-9 * 9 * channels * static_cast<double>(x.numel());
  table.row("convolution 3x3, 64 channels", 0, gflop, [&] { ops::conv2d(x, w, {}, same); });
  table.row("convolution, gradient of x", 0, gflop,
            [&] { ops::conv2d_input_gradient(x, w, x.shape(), same); });
  table.row("convolution, gradient of weights", 0, gflop,
            [&] { ops::conv2d_weight_gradient(x, x, w.shape(), same); });
}

}  // namespace

void run_kernels(const CommonOptions& common, const KernelsOptions& options) {
  check(options.size % 16 == 0, "kernels: --size must be a multiple of 16, got ", options.size);
  const Device device = common.device;
  Generator generator{1, 0};
  const auto random = [&](const Shape& shape) {
    return ops::uniform(generator, shape, DType::float32, {}, device);
  };
  const std::int64_t half = options.size / 2;
  const Images images{random({options.batch, 3, options.size, options.size}),
                      random({options.batch, 3, half, half}),
                      random({options.batch, 9, half, half}),
                      random({options.batch, 9, half, half})};
  Table table(common);
  {
    const Tensor from = random({options.copy << 18}),
                 to = Tensor::empty_like(from);  // MB of floats
    table.row("copy", gigabytes({&from, &to}), 0, [&] { ops::copy(from, to); });
    const std::int64_t side = options.product;
    const Tensor a = random({side, side}), b = random({side, side});
    const auto n = static_cast<double>(side);
    table.row("matrix product", 0, 2e-9 * n * n * n, [&] { ops::matmul(a, b); });
  }
  moving_bytes(table, images);
  dense_blocks(table, images, options.growth);
  convolutions(table, images);
  table.report();
}

}  // namespace mini::bench
