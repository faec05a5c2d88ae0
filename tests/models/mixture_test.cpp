// SAIN's latent model: what it draws, and what it keeps until backward.
// tests/autograd/coupling_test.cpp tests the formula of a sample.
#include "models/sain/mixture.h"

#include "autograd/engine.h"
#include "autograd/functions.h"
#include "tests/support/support.h"

namespace mini {
namespace {

constexpr std::int64_t components = 5;
const Shape shape{2, 9, 32, 40};

// A sample and its gradient from stored noise, drawn in the same way as the mixture draws it.
TEST(Mixture, DrawsTheSameNoiseInBackward) {
  Generator weights{1};
  const models::GaussianMixture mixture(components, weights);
  const Tensor parameters = mixture.parameters()[0];
  Generator expected_generator{7, 3};
  const Shape noise{2, 9, 32, 40, components};
  const Tensor exponential = ops::exponential(expected_generator, noise);
  const Tensor normal = ops::normal(expected_generator, noise);
  const Tensor expected = mixture.sample(exponential, normal);
  const Tensor weight = ops::normal(weights, shape);

  Tensor z;
  {
    Generator generator{7, 3};
    z = mixture.sample(shape, generator);
    EXPECT_EQ(generator, expected_generator);
    {
      const NoGrad guard;
      generator = {7, 3};
      EXPECT_TRUE(test::equal_bits(mixture.sample(shape, generator), expected));
      EXPECT_EQ(generator, expected_generator);
    }
  }  // backward does not use the caller's generator
  EXPECT_TRUE(test::equal_bits(z, expected));
  const auto gradient = [&](const Tensor& sample) {
    return grad({sum(sample * weight)}, {parameters})[0];
  };
  EXPECT_TRUE(test::equal_bits(gradient(z), gradient(expected)));
}

TEST(Mixture, KeepsNoNoiseUntilBackward) {
  Generator generator{1};
  const models::GaussianMixture mixture(components, generator);
  const auto bytes = Tensor::empty(shape).bytes();
  const auto live = [] { return allocator({}).stats().live; };
  allocator({}).trim();  // a block from the cache may be larger than what it is used for
  const std::size_t start = live();
  allocator({}).reset_peak();
  const Tensor z = mixture.sample(shape, generator);
  EXPECT_EQ(live() - start, bytes);
  EXPECT_EQ(allocator({}).stats().peak - start, (1 + 2 * components) * bytes);
  allocator({}).reset_peak();
  backward(z, z.detach());
  // The noise and the sample again.
  EXPECT_LE(allocator({}).stats().peak - start, (2 + 2 * components) * bytes + 4096);
  EXPECT_LE(live() - start, bytes + 4096);
}

}  // namespace
}  // namespace mini
