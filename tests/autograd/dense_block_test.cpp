// The composition of the dense block against central differences in float64, and its fused kernels
// against the composition in float32.
#include <cmath>

#include "autograd/engine.h"
#include "autograd/functions.h"
#include "tensor/parallel.h"
#include "tensor/view.h"
#include "tests/autograd/numeric_gradient.h"

namespace mini {
namespace {

Tensors make(std::int64_t n, std::int64_t c, std::int64_t h, std::int64_t w,
             const std::vector<std::int64_t>& outputs, DType dtype) {
  Tensors weights, biases;
  const Tensor x = test::random({n, c, h, w}, 3, dtype);
  for (const std::int64_t o : outputs) {
    weights.push_back(test::random({o, c, 3, 3}, 5 + weights.size(), dtype));
    biases.push_back(test::random({o}, 25 + weights.size(), dtype));
    c += o;
  }
  Tensors all{x};
  all.insert(all.end(), weights.begin(), weights.end());
  all.insert(all.end(), biases.begin(), biases.end());
  return all;
}

Tensor block(const Tensors& all) {
  const auto half = static_cast<std::ptrdiff_t>(all.size() / 2);
  return dense_block(all[0], Tensors(all.begin() + 1, all.begin() + 1 + half),
                     Tensors(all.begin() + 1 + half, all.end()), 0.2);
}

TEST(DenseBlockFunction, DerivativesInDouble) {
  const int before = max_threads();
  set_threads(1);  // thousands of evaluations, each too small for several threads
  test::expect_gradients(block, make(2, 1, 2, 3, {1, 2, 1}, DType::float64), true, 1e-6);
  test::expect_gradients(block, make(1, 1, 2, 2, {1}, DType::float64), true, 1e-6);
  set_threads(before);
}

TEST(DenseBlockFunction, FusedGradientEqualsComposition) {
  const Tensors inputs = make(2, 9, 7, 10, {32, 32, 32, 32, 3}, DType::float32);
  Tensors doubles;
  for (Tensor input : inputs) {
    doubles.push_back(ops::cast(input, DType::float64).set_requires_grad());
    input.set_requires_grad();
  }
  const Tensor probe = test::random({2, 3, 7, 10}, 9, DType::float32);
  const Tensors fused = grad({block(inputs)}, inputs, {probe});
  const Tensors composed = grad({block(inputs)}, inputs, {probe}, {.create_graph = true});
  const Tensors exact = grad({block(doubles)}, doubles, {ops::cast(probe, DType::float64)});
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    SCOPED_TRACE(concat_text("input ", i));
    EXPECT_LT(test::relative_error(ops::cast(fused[i], DType::float64), exact[i]), 1e-5);
    EXPECT_LT(test::relative_error(ops::cast(composed[i], DType::float64), exact[i]), 1e-5);
    // The gradient of the last bias is a sum of the probe; it depends on no input.
    EXPECT_EQ(composed[i].requires_grad(), i + 1 < inputs.size());
    EXPECT_FALSE(fused[i].requires_grad());
  }
}

// The fused block multiplies less than the direct sum (ops/cpu/winograd.h) and must not pay for it
// with exactness. The errors of all gradients against float64, as root mean squares, are compared
// with those of the composition of direct convolutions.
TEST(DenseBlockFunction, IsAsExactAsTheDirectSum) {
  for (const auto& [channels, outputs] : {std::pair{9, 3}, {3, 9}}) {
    Tensors inputs = make(2, channels, 24, 34, {32, 32, 32, 32, outputs}, DType::float32);
    std::int64_t fan_in = channels;
    for (std::size_t k = 1; k <= 5; ++k, fan_in += 32)  // He's scale
      inputs[k] = inputs[k] * std::sqrt(6.0 / (9.0 * static_cast<double>(fan_in)));
    Tensors doubles;
    for (Tensor& input : inputs) {
      doubles.push_back(ops::cast(input, DType::float64).set_requires_grad());
      input.set_requires_grad();
    }
    const Tensor probe = test::random({2, outputs, 24, 34}, 9, DType::float32);
    const Tensors fused = grad({block(inputs)}, inputs, {probe});
    const Tensors direct = grad({block(inputs)}, inputs, {probe}, {.create_graph = true});
    const Tensors exact = grad({block(doubles)}, doubles, {ops::cast(probe, DType::float64)});
    double log_ratios = 0;
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      const auto rms_error = [&](const Tensor& x) {
        const Tensor error = ops::cast(x.detach(), DType::float64) - exact[i].detach();
        return std::sqrt(mean(square(error)).item());
      };
      const double ratio = rms_error(fused[i]) / rms_error(direct[i]);
      log_ratios += std::log(ratio);
      EXPECT_LT(ratio, 1.5) << "input " << i;
    }
    EXPECT_LT(log_ratios, 0) << "in the geometric mean";
  }
}

TEST(DenseBlockFunction, SecondDerivativeOfTheFusedBlock) {
  // The derivative of |dx|² by w in float32, which records the first backward, against float64.
  const auto second = [](DType dtype) {
    Tensors inputs = make(1, 3, 5, 6, {4, 4, 2}, DType::float32);
    for (Tensor& input : inputs) input = ops::cast(input, dtype).set_requires_grad();
    const Tensor dx = grad({sum(block(inputs))}, {inputs[0]}, {}, {.create_graph = true})[0];
    return ops::cast(grad({sum(square(dx))}, {inputs[1]})[0], DType::float64);
  };
  EXPECT_LT(test::relative_error(second(DType::float32), second(DType::float64)), 1e-4);
}

TEST(DenseBlockFunction, FeaturesLiveAsLongAsTheGraph) {
  const Tensors inputs = make(1, 3, 32, 32, {32, 32, 3}, DType::float32);
  allocator({}).trim();  // so that blocks have the size requested
  const std::size_t before = allocator({}).stats().live;
  const std::size_t result = 3 * 32 * 32 * sizeof(float);
  {
    const Tensor y = block(inputs);  // no input requires a gradient
    EXPECT_EQ(allocator({}).stats().live, before + result);
  }
  for (Tensor input : inputs) input.set_requires_grad();
  {
    const NoGrad guard;
    const Tensor y = block(inputs);
    EXPECT_EQ(allocator({}).stats().live, before + result);
  }
  {
    const Tensor y = block(inputs);
    EXPECT_GT(allocator({}).stats().live, before + result + 64 * 32 * 32 * sizeof(float));
  }
  EXPECT_EQ(allocator({}).stats().live, before);
}

}  // namespace
}  // namespace mini
