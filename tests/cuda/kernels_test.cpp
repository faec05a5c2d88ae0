// Kernels on a GPU against the CPU, at sizes above one thread block. registry_test.cpp tests small
// and odd shapes.
#include <cmath>
#include <gtest/gtest.h>

#include "autograd/engine.h"
#include "autograd/functions.h"
#include "ops/correction.h"
#include "ops/coupling.h"
#include "ops/elementwise.h"
#include "ops/image.h"
#include "ops/jpeg.h"
#include "ops/mixture.h"
#include "ops/optimizer.h"
#include "ops/pool.h"
#include "ops/reduce.h"
#include "tensor/random.h"
#include "tensor/view.h"
#include "tests/cuda/device.h"
#include "tests/support/support.h"

namespace mini {
namespace {

class CudaKernels : public test::CudaTest {
 protected:
  Tensor normal(const Shape& shape, DType dtype = DType::float32) {
    return ops::normal(generator_, shape, dtype);
  }
  Tensor there(const Tensor& x) const { return ops::to_device(x, device); }

 private:
  Generator generator_{5, 0};
};

// The largest difference, relative to the largest value.
double distance(const Tensor& a, const Tensor& b) {
  EXPECT_EQ(a.shape(), b.shape());
  const auto x = a.to_vector(), y = b.to_vector();
  double difference = 0, largest = 1e-30;
  for (std::size_t i = 0; i < x.size(); ++i) {
    difference = std::max(difference, std::abs(x[i] - y[i]));
    largest = std::max(largest, std::abs(x[i]));
    if (std::isnan(x[i]) != std::isnan(y[i])) return INFINITY;
  }
  return difference / largest;
}

TEST_F(CudaKernels, ReduceAnyShape) {
  for (const Shape& shape : {Shape{1, 100'003, 1}, Shape{3, 40'001, 2}, Shape{2, 3'001, 37},
                             Shape{5, 77, 129}, Shape{700, 3, 65}, Shape{2'003, 45, 1}}) {
    const Tensor x = normal(shape);
    for (const Reduction op : {Reduction::sum, Reduction::max}) {
      const int dim = 1;
      const Tensor here = ops::reduce(op, x, {&dim, 1}, false);
      const Tensor far = ops::reduce(op, there(x), {&dim, 1}, false);
      EXPECT_LE(distance(here, far), op == Reduction::sum ? 1e-6 : 0) << shape;
    }
  }
}

TEST_F(CudaKernels, MaximumIsNaNWhereAnElementIs) {
  Tensor x = normal({2, 5'000});
  x.data<float>()[7'777] = NAN;
  EXPECT_FALSE(std::isnan(ops::amax(there(x), 1).to_vector()[0]));
  EXPECT_TRUE(std::isnan(ops::amax(there(x), 1).to_vector()[1]));
}

TEST_F(CudaKernels, OneHotNamesALabelThatIsOutside) {
  Tensor labels = Tensor::full({1'000}, 3, DType::int64);
  EXPECT_EQ(ops::one_hot(there(labels), 5, DType::float32).to_vector(),
            ops::one_hot(labels, 5, DType::float32).to_vector());
  labels.data<std::int64_t>()[999] = 5;
  EXPECT_EQ(test::error_of([&] { ops::one_hot(there(labels), 5, DType::float32); }),
            "one_hot: label 5 is not in 0..4");
}

TEST_F(CudaKernels, CorrectionReturnsEveryBit) {
  const std::int64_t count = 100'003;
  for (const DType dtype : {DType::float32, DType::float64}) {
    const Tensor x = normal({count}, dtype);
    Tensor estimate = ops::unary(Unary::affine, x, 1 + 1e-7, 0);
    // Most blocks store nothing in `aside`, a few store much.
    for (std::int64_t i = 50'000; i < 60'000; i += i % 7 + 1)
      ops::fill(ops::narrow(estimate, 0, i, 1), i % 2 == 0 ? NAN : 1e30);
    const ops::Correction here = ops::correction(x, estimate);
    EXPECT_GT(here.aside.numel(), 1'000);
    // On the device also with unaligned elements, which are not read as vectors.
    const auto displaced = [&](const Tensor& values) {
      const Tensor longer = Tensor::zeros({count + 1}, dtype);
      ops::copy(values, ops::narrow(longer, 0, 1, count));
      return ops::narrow(there(longer), 0, 1, count);
    };
    const auto aligned = [&](const Tensor& values) { return there(values); };
    const auto check_device = [&](const auto& place) {
      const ops::Correction far = ops::correction(place(x), place(estimate));
      EXPECT_EQ(far.codes.to_vector(), here.codes.to_vector());
      EXPECT_EQ(far.starts.to_vector(), here.starts.to_vector());
      EXPECT_EQ(far.aside.to_vector(), here.aside.to_vector());
      EXPECT_TRUE(
          test::equal_bits(ops::to_device(ops::corrected(place(estimate), far), Device{}), x));
    };
    test::in_both_orders(device, [&] {
      check_device(aligned);
      check_device(displaced);
    });
  }
}

TEST_F(CudaKernels, CorrectionOfNothing) {
  const Tensor x = there(Tensor::zeros({0}));
  const ops::Correction correction = ops::correction(x, x);
  EXPECT_EQ(correction.starts.to_vector(), std::vector<double>{0});
  EXPECT_EQ(ops::corrected(x, correction).numel(), 0);
}

TEST_F(CudaKernels, CouplingAndItsGradients) {
  const Tensor x = normal({2, 5, 33, 31}), h = normal(x.shape()), g = normal(x.shape());
  const Tensor fx = there(x), fh = there(h), fg = there(g);
  EXPECT_LE(distance(ops::coupling(x, h, g), ops::coupling(fx, fh, fg)), 1e-6);
  EXPECT_LE(distance(ops::coupling_inverse(x, h, g), ops::coupling_inverse(fx, fh, fg)), 1e-6);
  EXPECT_LE(distance(ops::coupling_gradient(g, x, h).dh, ops::coupling_gradient(fg, fx, fh).dh),
            1e-6);
  EXPECT_LE(distance(ops::coupling_inverse_gradient(g, x, h).dh,
                     ops::coupling_inverse_gradient(fg, fx, fh).dh),
            1e-6);
}

TEST_F(CudaKernels, ImagesHaveTheBitsOfTheCpu) {
  const Tensor x = normal({2, 3, 62, 94});
  const auto expect_same = [&](const auto& f) {
    EXPECT_TRUE(test::equal_bits(ops::to_device(f(there(x)), Device{}), f(x)));
  };
  for (const PadMode mode : {PadMode::zero, PadMode::reflect, PadMode::replicate}) {
    const Padding2d padding{.left = 5, .right = 61, .top = 7, .bottom = 2};
    expect_same([&](const Tensor& t) { return ops::pad2d(t, padding, mode); });
    const Padding2d inside{.left = 5, .right = 20, .top = 30, .bottom = 1};
    expect_same([&](const Tensor& t) { return ops::pad2d_adjoint(t, inside, mode); });
  }
  expect_same([](const Tensor& t) { return ops::haar(t); });
  expect_same([](const Tensor& t) { return ops::haar_inverse(ops::haar(t)); });
  for (const int dim : {2, 3}) {
    const LinearMap map = ops::bicubic_map(x.size(dim), 0.37);
    expect_same([&](const Tensor& t) { return ops::linear_map(t, map, dim); });
    const Tensor y = ops::linear_map(x, map, dim);
    EXPECT_TRUE(
        test::equal_bits(ops::to_device(ops::linear_map(there(y), map.transposed(), dim), Device{}),
                         ops::linear_map(y, map.transposed(), dim)));
  }
}

TEST_F(CudaKernels, PoolingHasTheBitsOfTheCpu) {
  const Tensor x = normal({2, 3, 41, 37});
  const Pool2dParams params{.kernel = {3, 4}, .stride = {2, 1}, .padding = {1, 2}};
  const ops::MaxPool here = ops::max_pool2d(x, params), far = ops::max_pool2d(there(x), params);
  EXPECT_EQ(far.y.to_vector(), here.y.to_vector());
  EXPECT_EQ(far.indices.to_vector(), here.indices.to_vector());
  const Tensor dy = normal(here.y.shape());
  EXPECT_EQ(ops::scatter_planes(there(dy), far.indices, x.shape()).to_vector(),
            ops::scatter_planes(dy, here.indices, x.shape()).to_vector());
  EXPECT_EQ(ops::gather_planes(there(x), far.indices).to_vector(),
            ops::gather_planes(x, here.indices).to_vector());
  EXPECT_EQ(ops::avg_pool2d(there(x), params).to_vector(), ops::avg_pool2d(x, params).to_vector());
  EXPECT_EQ(ops::avg_pool2d_gradient(there(dy), x.shape(), params).to_vector(),
            ops::avg_pool2d_gradient(dy, x.shape(), params).to_vector());
}

TEST_F(CudaKernels, MixtureAndItsGradient) {
  Generator generator{3, 0};
  for (const std::int64_t count : {5, 40}) {
    const Tensor parameters = normal({3, count});
    const Tensor exponential = ops::exponential(generator, {10'007, count});
    const Tensor noise = normal(exponential.shape()), dz = normal({10'007});
    const Tensor e = there(exponential), n = there(noise);
    EXPECT_LE(distance(ops::sample_mixture(parameters, exponential, noise),
                       ops::sample_mixture(there(parameters), e, n)),
              1e-6);
    EXPECT_LE(distance(ops::sample_mixture_gradient(dz, parameters, exponential, noise),
                       ops::sample_mixture_gradient(there(dz), there(parameters), e, n)),
              1e-5);
  }
}

TEST_F(CudaKernels, JpegHasTheBitsOfTheCpu) {
  Generator generator{3, 0};
  const Tensor x = ops::uniform(generator, {2, 3, 51, 70}), dy = normal(x.shape());
  const std::vector<double> scales = ops::jpeg_scales(std::vector<double>{35, 100}, 2);
  EXPECT_TRUE(test::equal_bits(ops::to_device(ops::diff_jpeg(there(x), scales), Device{}),
                               ops::diff_jpeg(x, scales)));
  EXPECT_TRUE(test::equal_bits(
      ops::to_device(ops::diff_jpeg_gradient(there(dy), there(x), scales), Device{}),
      ops::diff_jpeg_gradient(dy, x, scales)));
}

TEST_F(CudaKernels, OperandsOnTwoDevicesAreNamed) {
  const Tensor here = normal({1, 1, 2, 2}), far = there(here);
  const auto indices = Tensor::zeros(here.shape(), DType::int64);
  EXPECT_EQ(test::error_of([&] { ops::add(here, far); }), "add: operands are on cpu and cuda:0");
  EXPECT_EQ(test::error_of([&] { ops::where(far, here, here); }),
            "where: operands are on cuda:0 and cpu");
  EXPECT_EQ(test::error_of([&] { ops::coupling(here, here, far); }),
            "coupling: operands are on cpu, cpu and cuda:0");
  EXPECT_EQ(test::error_of([&] { ops::correction(far, here); }),
            "correction: a tensor and its estimate are on cuda:0 and cpu");
  EXPECT_EQ(test::error_of([&] { ops::gather_planes(far, indices); }),
            "gather_planes: values and indices are on cuda:0 and cpu");
  EXPECT_EQ(test::error_of([&] {
              ops::sum_of_squares(Tensors{here, far});
            }),
            "sum_of_squares: tensors are on cpu and cuda:0");
  const Tensor leaf = ops::clone(far).set_requires_grad();
  EXPECT_EQ(test::error_of([&] { grad({leaf * 2.0}, {leaf}, {here}); }),
            "grad: a gradient on cpu for an output on cuda:0");
}

// More tensors than one launch takes, of many sizes, two dtypes and several memory orders.
TEST_F(CudaKernels, AdamAndTheNormTakeAllParametersAtOnce) {
  const AdamParams params{.weight_decay = 0.01};
  std::vector<AdamSlot> here, far;
  std::vector<AdamStep> steps;
  Tensors gradients, far_gradients;
  for (std::int64_t k = 0; k < 200; ++k) {
    const DType dtype = k % 50 == 7 ? DType::float64 : DType::float32;
    const Shape shape = k == 100 ? Shape{3, 5, 31, 33} : Shape{k % 3 + 1, 2, k % 5, 1};
    AdamSlot slot{normal(shape, dtype), normal(shape, dtype), normal(shape, dtype),
                  ops::unary(Unary::square, normal(shape, dtype))};
    far.push_back(
        {there(slot.parameter), there(slot.gradient), there(slot.mean), there(slot.square)});
    if (k % 4 == 1) {
      slot.gradient = ops::channels_last(slot.gradient);
      far.back().gradient = ops::channels_last(far.back().gradient);
    }
    here.push_back(slot);
    gradients.push_back(here.back().gradient);
    far_gradients.push_back(far.back().gradient);
    steps.push_back({.gradient_scale = 0.5,
                     .shrink = 0.999,
                     .step_size = 0.1 / static_cast<double>(k + 1),
                     .root_correction = 0.7});
  }
  EXPECT_NEAR(ops::sum_of_squares(far_gradients).item() / ops::sum_of_squares(gradients).item(), 1,
              1e-12);
  ops::adam_(here, params, ops::adam_steps(steps, Device{}));
  ops::adam_(far, params, ops::adam_steps(steps, device));
  for (std::size_t k = 0; k < here.size(); ++k) {
    EXPECT_EQ(far[k].parameter.to_vector(), here[k].parameter.to_vector()) << k;
    EXPECT_EQ(far[k].mean.to_vector(), here[k].mean.to_vector()) << k;
    EXPECT_EQ(far[k].square.to_vector(), here[k].square.to_vector()) << k;
  }
}

TEST_F(CudaKernels, AddsToManyTensorsAtOnce) {
  std::vector<Addition> here;
  for (std::int64_t k = 0; k < 300; ++k) {
    const DType dtype = k % 100 < 7 ? DType::float64 : DType::float32;
    const Shape shape = k == 100 ? Shape{3, 5, 31, 33} : Shape{k % 3 + 1, 2, k % 5, 1};
    const Tensor term = normal(shape, dtype);
    here.push_back({normal(shape, dtype), k % 4 == 1 ? ops::channels_last(term) : term});
  }
  std::vector<std::vector<Addition>> runs;
  test::in_both_orders(device, [&] {
    std::vector<Addition>& far = runs.emplace_back();
    for (const Addition& pair : here) {
      const Tensor term = there(pair.term);
      far.push_back({there(pair.sum),
                     term.strides() == pair.term.strides() ? term : ops::channels_last(term)});
    }
    ops::add_(far);
  });
  ops::add_(here);
  for (const std::vector<Addition>& far : runs)
    for (std::size_t k = 0; k < here.size(); ++k)
      EXPECT_EQ(far[k].sum.to_vector(), here[k].sum.to_vector()) << k;
  const Tensor on_cpu = normal({2}), on_device = there(on_cpu);
  EXPECT_EQ(test::error_of([&] {
              ops::add_(std::vector<Addition>{{on_device, on_device}, {on_cpu, on_cpu}});
            }),
            "add_: sums are on cuda:0 and cpu");
}

#ifdef MINI_CUDA_EMULATED
// The first backward stores its gradients in the leaves, the second adds to them.
TEST_F(CudaKernels, GradientsOfANodeAreAddedInOneLaunch) {
  Tensors weights, biases;
  for (std::int64_t k = 0; k < 5; ++k) {
    weights.push_back(there(normal({k < 4 ? 4 : 3, 3 + 4 * k, 3, 3})).set_requires_grad());
    biases.push_back(there(normal({k < 4 ? 4 : 3})).set_requires_grad());
  }
  const Tensor y = dense_block(there(normal({1, 3, 8, 8})), weights, biases, 0.2);
  const Tensor dy = there(normal(y.shape()));
  const auto launches_of_backward = [&] {
    const std::uint64_t before = emulator::launches();
    backward(y, dy, {.retain_graph = true});
    return emulator::launches() - before;
  };
  const std::uint64_t first = launches_of_backward();
  EXPECT_EQ(launches_of_backward(), first + 1);
}
#endif

TEST_F(CudaKernels, TheNormIsNotFiniteWhereAGradientIsNot) {
  const Tensor x = there(normal({50'000})), bad = there(Tensor::full({3}, INFINITY));
  EXPECT_TRUE(std::isinf(ops::sum_of_squares(Tensors{x, bad}).item()));
  EXPECT_EQ(ops::sum_of_squares(Tensors{there(Tensor::zeros({0}))}).item(), 0);
}

}  // namespace
}  // namespace mini
