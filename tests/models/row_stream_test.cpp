// Upscalers on images that come row by row: the bits of the whole image, within the memory foretold.
#include "autograd/functions.h"
#include "models/car/car.h"
#include "models/registry.h"
#include "models/upscale/compact.h"
#include "models/upscale/edsr.h"
#include "models/upscale/rcan.h"
#include "models/upscale/rdn.h"
#include "models/upscale/rrdb_net.h"
#include "models/upscale/srcnn.h"
#include "tensor/allocator.h"
#include "tensor/parallel.h"
#include "tensor/view.h"
#include "tests/support/golden.h"
#include "tests/support/support.h"

namespace mini::models {
namespace {

struct Upscaling {
  const char* label;
  NetworkConfig network;
};

class UpscalerRows : public testing::TestWithParam<Upscaling> {
 protected:
  UpscalerRows() {
    network_ = GetParam().network.make(generator_);
    test::set_golden_weights(*network_);
    network_->set_requires_grad(false);
  }
  ~UpscalerRows() override { set_threads(threads_); }

  Tensor streamed(const Tensor& lr, std::int64_t rows) const {
    const auto stream = network_->stream(Rescaling::upscale, lr.shape(), lr.dtype());
    Tensors parts;
    for (std::int64_t first = 0; first < lr.size(2); first += rows) {
      Tensor part =
          stream->push(ops::clone(ops::narrow(lr, 2, first, std::min(rows, lr.size(2) - first))));
      if (part.defined()) parts.push_back(std::move(part));
    }
    return concat(parts, 2);
  }

  int threads_ = max_threads();
  Generator generator_{5};
  std::unique_ptr<Rescaler> network_;
};

TEST_P(UpscalerRows, HaveTheBitsOfTheWhole) {
  const NoGrad no_grad;
  for (const int threads : {1, 2}) {
    set_threads(threads);
    for (const DType dtype : {DType::float32, DType::float64}) {
      network_->to(dtype);
      for (const auto& [height, width] : {std::pair{2, 4}, {4, 34}, {14, 18}, {66, 4}, {38, 130}}) {
        const Tensor lr = ops::uniform(generator_, {1, 3, height, width}, dtype);
        const Tensor whole = network_->upscale(lr);
        for (const std::int64_t rows : {1, 2, 7, 64})
          EXPECT_TRUE(test::equal_bits(streamed(lr, rows), whole))
              << height << "x" << width << " by " << rows << ", " << name_of(dtype);
      }
    }
  }
}

TEST_P(UpscalerRows, TakeNoMoreMemoryThanForetold) {
  const std::int64_t height = 120, width = 32;
  Allocator& memory = allocator({});
  memory.set_cache_limit(0);
  set_threads(1);
  for (const std::int64_t rows : {2, 16, 50, 120}) {
    const Shape lr{1, 3, height, width};
    const std::size_t foretold =
        strip_memory(*network_, Rescaling::upscale, lr, DType::float32, rows);
    memory.reset_peak();
    const std::size_t before = memory.stats().live;
    {
      const auto stream = network_->stream(Rescaling::upscale, lr, DType::float32);
      for (std::int64_t first = 0; first < height; first += rows)
        stream->push(Tensor::zeros({1, 3, std::min(rows, height - first), width}));
    }
    const std::size_t taken = memory.stats().peak - before;
    EXPECT_LE(taken, foretold) << rows;
    EXPECT_GE(static_cast<double>(taken), 0.4 * static_cast<double>(foretold)) << rows;
    EXPECT_EQ(memory.stats().live, before);
  }
  memory.set_cache_limit(std::size_t{4} << 30);
}

TEST_P(UpscalerRows, NeedNoMoreForAHigherImage) {
  const auto needed = [&](std::int64_t height) {
    return strip_memory(*network_, Rescaling::upscale, {1, 3, height, 32}, DType::float32, 32);
  };
  EXPECT_EQ(needed(640), needed(6400));
}

INSTANTIATE_TEST_SUITE_P(
    Networks, UpscalerRows,
    testing::Values(
        Upscaling{"srcnn", NetworkConfig("srcnn", SrcnnOptions{.scale = 4, .features1 = 8})},
        Upscaling{"srcnn_zero",
                  NetworkConfig("srcnn", SrcnnOptions{.kernel2 = 1,
                                                      .channels = 3,
                                                      .border = SrcnnOptions::Border::zero})},
        Upscaling{"edsr", NetworkConfig("edsr", EdsrOptions{2, 3, 8, 0.1})},
        Upscaling{"edsr4", NetworkConfig("edsr", EdsrOptions{4, 1, 20, 1, 1})},
        Upscaling{"rdn", NetworkConfig("rdn", RdnOptions{3, 3, 2, 4, 6})},
        Upscaling{"rdn_mean", NetworkConfig("rdn", RdnOptions{.scale = 4,
                                                              .blocks = 1,
                                                              .layers = 3,
                                                              .growth = 4,
                                                              .features = 4,
                                                              .mean_shift = true})},
        Upscaling{"rrdb", NetworkConfig("rrdb", RrdbOptions{4, 2, 8, 4})},
        Upscaling{"rrdb2", NetworkConfig("rrdb", RrdbOptions{2, 1, 16, 16})},
        Upscaling{"compact", NetworkConfig("compact", CompactOptions{3, 2, 8})},
        Upscaling{"car", NetworkConfig("car", CarOptions{2, 4, 1, 2, 8, 1})}),
    [](const auto& info) { return std::string(info.param.label); });

// Its attention looks at the means of the whole image.
TEST(UpscalerRowsOf, RcanDoNotExist) {
  Generator generator{1};
  const auto rcan = NetworkConfig("rcan", RcanOptions{2, 1, 1, 4, 2}).make(generator);
  EXPECT_EQ(rcan->stream(Rescaling::upscale, {1, 3, 8, 8}, DType::float32), nullptr);
}

// Sides that its first step cannot halve.
TEST(UpscalerRowsOf, RrdbTakeImagesOfAnySide) {
  const NoGrad no_grad;
  Generator generator{1};
  for (const std::int64_t scale : {1, 2}) {
    const auto net = NetworkConfig("rrdb", RrdbOptions{scale, 1, 4, 2}).make(generator);
    EXPECT_EQ(net->stream(Rescaling::upscale, {1, 3, 5, 7}, DType::float32), nullptr);
    EXPECT_EQ(net->upscale(ops::uniform(generator, {1, 3, 5, 7})).shape(),
              (Shape{1, 3, 5 * scale, 7 * scale}));
  }
}

}  // namespace
}  // namespace mini::models
