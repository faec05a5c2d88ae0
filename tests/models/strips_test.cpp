// Strips of rows that stream through a network give the bits of the whole image, in the predicted
// memory.
#include "models/invertible/strips.h"

#include "autograd/functions.h"
#include "autograd/node.h"
#include "tensor/allocator.h"
#include "tensor/parallel.h"
#include "tensor/view.h"
#include "tests/support/golden.h"
#include "tests/support/networks.h"
#include "tests/support/support.h"

namespace mini::models {
namespace {

// Pushes x in strips of `rows` rows and concatenates the results.
Tensor stream(const Flow& flow, Rescaling way, const Tensor& x, const Tensor& latent,
              std::int64_t rows) {
  FlowStream network(flow, way, x.shape(), x.dtype());
  Tensors out;
  for (std::int64_t first = 0; first < x.size(2); first += rows) {
    const std::int64_t count = std::min(rows, x.size(2) - first);
    Tensor z = latent.defined() ? ops::clone(ops::narrow(latent, 2, first, count)) : Tensor();
    Tensor part = network.push(ops::clone(ops::narrow(x, 2, first, count)), std::move(z));
    if (part.defined()) out.push_back(std::move(part));
  }
  return concat(out, 2);
}

struct Network {
  const char* name;
  std::int64_t scale, growth;
};

class Strips : public testing::TestWithParam<Network> {
 protected:
  Strips() {
    network_ = test::make_network(GetParam().name, {GetParam().scale, 2, 1, GetParam().growth},
                                  generator_);
    test::set_golden_weights(*network_);
    network_->set_requires_grad(false);
  }
  ~Strips() override { set_threads(threads_); }

  void expect_the_bits_of_the_whole(DType dtype, std::int64_t height, std::int64_t width) {
    const NoGrad no_grad;
    const std::int64_t s = GetParam().scale;
    const Flow flow = network_->flow();
    const Tensor lr = ops::uniform(generator_, {1, 3, height, width}, dtype);
    const Tensor z = ops::normal(generator_, {1, 3 * (s * s - 1), height, width}, dtype);
    const Tensor hr = ops::uniform(generator_, {1, 3, s * height, s * width}, dtype);
    const Tensor large = network_->inverse(concat({lr, z}, 1)).out;
    const Tensor small = network_->forward(hr).lr;
    for (const std::int64_t rows : {1, 2, 3, 7, 64}) {
      EXPECT_TRUE(test::equal_bits(stream(flow, Rescaling::upscale, lr, z, rows), large))
          << height << "x" << width << " by " << rows;
      EXPECT_TRUE(test::equal_bits(stream(flow, Rescaling::downscale, hr, {}, rows), small))
          << height << "x" << width << " by " << rows;
    }
  }

  int threads_ = max_threads();
  Generator generator_{5};
  std::unique_ptr<FlowRescaler> network_;
};

TEST_P(Strips, HaveTheBitsOfTheWhole) {
  for (const int threads : {1, 2}) {
    set_threads(threads);
    for (const auto& [height, width] :
         {std::pair{1, 1}, {1, 9}, {2, 33}, {5, 4}, {13, 17}, {67, 3}, {150, 5}})
      expect_the_bits_of_the_whole(DType::float32, height, width);
  }
}

TEST_P(Strips, HaveTheBitsOfTheWholeInDouble) {
  network_->to(DType::float64);
  for (const auto& [height, width] : {std::pair{1, 3}, {13, 17}, {40, 2}})
    expect_the_bits_of_the_whole(DType::float64, height, width);
}

// The allocator's counters are exact here: nothing is cached, and rows fill whole cache lines. The
// prediction is too high by the first strip, which layers share until they drop its upper rows, and
// by the workspaces of threads that were not busy at the same time. The worst here, 0.938, is the
// share of SAIN x4's 26 rows of 40, whose halo is a quarter of the strip.
TEST_P(Strips, TakeTheMemoryThatIsForetold) {
  const std::int64_t s = GetParam().scale, height = 40, width = 32;
  const Flow flow = network_->flow();
  Allocator& memory = allocator({});
  memory.set_cache_limit(0);
  for (const int threads : {1, 2})
    for (const Rescaling way : {Rescaling::downscale, Rescaling::upscale}) {
      set_threads(threads);
      const bool up = way == Rescaling::upscale;
      const std::int64_t unit = up ? 1 : s;
      const Shape input{1, 3, height * unit, width * unit};
      for (const std::int64_t rows : {1, 2, 3, 16, 25, 26, 40}) {
        const std::size_t foretold =
            strip_memory(*network_, way, input, DType::float32, rows * unit);
        memory.reset_peak();
        const std::size_t before = memory.stats().live;
        FlowStream network(flow, way, input, DType::float32);
        for (std::int64_t first = 0; first < height; first += rows) {
          const std::int64_t count = std::min(rows, height - first);
          network.push(Tensor::zeros({1, 3, count * unit, width * unit}),
                       up ? Tensor::zeros({1, 3 * (s * s - 1), count, width}) : Tensor());
        }
        const std::size_t taken = memory.stats().peak - before;
        EXPECT_EQ(memory.stats().live, before) << "nothing is kept when the image is done";
        EXPECT_LE(taken, foretold) << rows;
        // Rows that do not fill the subnets' grid of two wait in one layer, then in the next.
        if (threads > 1 || rows % 2 != 0) continue;
        EXPECT_GE(static_cast<double>(taken), 0.93 * static_cast<double>(foretold)) << rows;
        EXPECT_TRUE(rows < height || taken == foretold);
      }
    }
  memory.set_cache_limit(std::size_t{4} << 30);
}

// Without strips, memory grows with the height of the image; in strips of a fixed height it does
// not.
TEST_P(Strips, NeedNoMoreForAHigherImage) {
  const std::int64_t s = GetParam().scale;
  const auto needed = [&](std::int64_t height) {
    return strip_memory(*network_, Rescaling::downscale, {1, 3, height * s, 32 * s}, DType::float32,
                        64 * s);
  };
  EXPECT_EQ(needed(6400), needed(64000));
}

TEST_P(Strips, AreAsHighAsTheMemoryAllows) {
  const std::int64_t s = GetParam().scale, height = 1000;
  const Shape input{1, 3, height * s, 32 * s};
  const auto memory = [&](std::int64_t rows) {
    return strip_memory(*network_, Rescaling::downscale, input, DType::float32, rows);
  };
  const auto rows = [&](std::size_t bytes) {
    return strip_rows(*network_, Rescaling::downscale, input, DType::float32, s, bytes);
  };
  EXPECT_EQ(rows(memory(height * s)), height * s);
  EXPECT_EQ(rows(memory(8 * s)), 8 * s);
  EXPECT_EQ(rows(memory(2 * s)), 2 * s) << "the subnets' grid is two rows";
  EXPECT_EQ(rows(memory(2 * s) - 1), 0);
  const std::size_t half = memory(height * s) / 2;
  EXPECT_LE(memory(rows(half)), half);
  EXPECT_GT(memory(rows(half) + 2 * s), half);
  EXPECT_EQ(rows(half) % (2 * s), 0);
}

TEST_P(Strips, RefuseWhatDoesNotFit) {
  const std::int64_t s = GetParam().scale;
  const Flow flow = network_->flow();
  FlowStream network(flow, Rescaling::upscale, {1, 3, 4, 4}, DType::float32);
  EXPECT_EQ(test::error_of([&] {
              network.push(Tensor::zeros({1, 3, 2, 4}));
            }),
            "strips: needs rows of the image and, when upscaling alone, as many of the latent");
  EXPECT_EQ(test::error_of([&] {
              network.push(Tensor::zeros({1, 3, 5, 4}), Tensor::zeros({1, 3 * (s * s - 1), 5, 4}));
            }),
            "strips: 5 rows were pushed into an image of 4");
  EXPECT_NE(test::error_of([&] {
              FlowStream(flow, Rescaling::downscale, {1, 3, 4 * s, 4 * s + 1}, DType::float32);
            }).find("must be multiples of"),
            std::string::npos);
}

INSTANTIATE_TEST_SUITE_P(Networks, Strips,
                         testing::Values(Network{"sain", 2, 18}, Network{"sain", 4, 4},
                                         Network{"irn", 2, 18}, Network{"irn", 4, 4}),
                         [](const auto& info) {
                           return std::string(info.param.name) + std::to_string(info.param.scale);
                         });

}  // namespace
}  // namespace mini::models
