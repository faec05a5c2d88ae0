// The rungs of docs/convolution.md against the convolution that networks use.
#include "ops/ladder.h"

#include <gtest/gtest.h>

#include "ops/conv.h"
#include "tensor/random.h"
#include "tensor/view.h"
#include "tests/support/support.h"

namespace mini {
namespace {

TEST(Ladder, EveryRungIsTheSameConvolution) {
  struct Case {
    std::int64_t channels, outputs, height, width;
  };
  Generator generator{5, 0};
  for (const auto& [channels, outputs, height, width] :
       {Case{1, 1, 1, 1}, Case{3, 5, 2, 9}, Case{7, 33, 13, 4}, Case{41, 16, 17, 31}}) {
    const Tensor x = ops::normal(generator, {channels, height, width});
    const Tensor w = ops::normal(generator, {outputs, channels, 3, 3});
    const Tensor expected =
        ops::conv2d(ops::cast(ops::reshape(x, {1, channels, height, width}), DType::float64),
                    ops::cast(w, DType::float64), {}, {.padding = {1, 1}});
    for (const Rung rung : {Rung::naive, Rung::tiled, Rung::in_registers, Rung::winograd}) {
      const auto found = ops::convolve_on_rung(rung, x, w).to_vector();
      const auto values = expected.to_vector();
      ASSERT_EQ(found.size(), values.size());
      for (std::size_t i = 0; i < found.size(); ++i)
        ASSERT_NEAR(found[i], values[i], 2e-5 * static_cast<double>(9 * channels))
            << static_cast<int>(rung) << " at " << i;
    }
  }
}

TEST(Ladder, NamesWhatDoesNotFit) {
  const Tensor x = Tensor::zeros({3, 4, 4});
  EXPECT_EQ(test::error_of([&] {
              ops::convolve_on_rung(Rung::naive, x, Tensor::zeros({2, 4, 3, 3}));
            }),
            "convolve_on_rung: needs x [C,H,W] and w [O,C,3,3], got [3,4,4] and [2,4,3,3]");
}

}  // namespace
}  // namespace mini
