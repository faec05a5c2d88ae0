// CAR against the official implementation: the resampler alone, and the kernel network with it.
#include <cmath>

#include "autograd/engine.h"
#include "models/car/kernel_network.h"
#include "tensor/view.h"
#include "tests/golden/group.h"

namespace mini {
namespace {

using test::GoldenGroup;
using GoldenCar = test::GoldenTest;

struct Compare {
  const GoldenGroup& golden;
  double tolerance;

  void value(const Tensor& x, const std::string& key) const {
    const Tensor flat = x.rank() == 0 ? reshape(x, {1}) : x;
    EXPECT_LT(test::relative_error(ops::cast(flat, DType::float64), golden.expected(key)),
              tolerance)
        << key;
  }
  void gradient_stat(const Tensor& x, const std::string& name) const {
    const auto reference = golden.expected("grad_stat." + name).to_vector();
    const auto [norm, projection] = test::probe(x.grad(), name, golden.salt());
    const double off = std::max(std::abs(norm - reference[0]), std::abs(projection - reference[1]));
    EXPECT_LE(off, tolerance * reference[0]) << name;
  }
};

TEST_P(GoldenCar, ResamplesLikeTheOfficialImplementation) {
  for (const std::int64_t scale : {2, 4}) {
    const std::string name = concat_text("r", scale);
    const GoldenGroup golden("car", name, GetParam());
    const Compare compare{golden, GetParam() == DType::float64 ? 1e-9 : 1e-4};
    const Shape lr = golden.expected(name + ".lr").shape();
    const std::int64_t k = 3 * scale + 1, margin = k / 2;
    const Shape taps{lr[0], k * k, lr[2], lr[3]};
    const auto hashed = [&](const char* key, const Shape& shape) {
      return test::hash_uniform(concat_text("input.", name, '.', key), shape, golden.salt());
    };
    const auto leaf = [&](const Tensor& x) {
      Tensor result = test::on_device(ops::cast(x, GetParam()));
      return result.set_requires_grad();
    };
    const Tensor positive = abs(hashed("kernels", taps));
    const Tensor image =
        leaf(hashed("img", {lr[0], lr[1], lr[2] * scale, lr[3] * scale}) * 0.5 + 0.5);
    const Tensor kernels = leaf(positive / sum(positive, std::vector<int>{1}, true));
    const Tensor h = leaf(hashed("offsets_h", taps)), v = leaf(hashed("offsets_v", taps));
    const Tensor padded = pad2d(image, {margin, margin, margin, margin}, PadMode::reflect);
    const Tensor y = adaptive_resample(padded, kernels, h, v, scale);
    compare.value(y, name + ".lr");
    backward(test::probe_loss(y, "probe." + name + ".lr", golden.salt()));
    compare.value(image.grad(), name + ".img_grad");
    compare.gradient_stat(kernels, name + ".kernels");
    compare.gradient_stat(h, name + ".offsets_h");
    compare.gradient_stat(v, name + ".offsets_v");
  }
}

TEST_P(GoldenCar, PredictsKernelsLikeTheOfficialImplementation) {
  for (const std::int64_t scale : {2, 4}) {
    const std::string name = concat_text("x", scale);
    const GoldenGroup golden("car", name, GetParam());
    const Compare compare{golden, GetParam() == DType::float64 ? 1e-9 : 1e-4};
    Generator generator{1};
    models::KernelNetwork net({.scale = scale}, generator);
    net.to(DType::float64);
    test::set_exact_means(net, 1);
    golden.prepare(net);
    Tensor image = test::on_device(ops::cast(golden.expected(name + ".img"), GetParam()));
    image.set_requires_grad();
    const models::ResamplingKernels kernels = net(image);
    compare.value(kernels.weights, name + ".kernels");
    compare.value(kernels.offsets_h, name + ".offsets_h");
    compare.value(kernels.offsets_v, name + ".offsets_v");
    compare.value(models::offset_loss(kernels), name + ".offset_loss");
    compare.value(models::offset_variation(kernels), name + ".tv_loss");
    const Tensor lr = net.resample(image, kernels);
    compare.value(lr, name + ".lr");
    const Tensor loss = test::probe_loss(lr, "probe." + name + ".lr", golden.salt());
    compare.value(loss, name + ".loss");
    backward(loss);
    compare.value(image.grad(), name + ".img_grad");
    for (const auto& [key, parameter] : net.named_parameters()) {
      const auto reference = golden.expected(concat_text("grad_stat.", name, '.', key)).to_vector();
      const auto [norm, projection] =
          test::probe(parameter.grad(), concat_text(name, '.', key), golden.salt());
      const double off =
          std::max(std::abs(norm - reference[0]), std::abs(projection - reference[1]));
      EXPECT_LE(off, compare.tolerance * reference[0]) << name << ' ' << key;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Types, GoldenCar, test::golden_types(), test::golden_type_name);

}  // namespace
}  // namespace mini
