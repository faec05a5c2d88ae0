// SRCNN: parameter counts, sizes, names of the weights, errors.
#include "models/upscale/srcnn.h"

#include "tests/models/upscaler.h"

namespace mini {
namespace {

using models::Srcnn, models::SrcnnOptions;

TEST(Srcnn, HasThePublishedNumbersOfParameters) {
  EXPECT_EQ(test::parameter_count<Srcnn>(SrcnnOptions{.kernel1 = 9, .kernel2 = 1, .kernel3 = 5}),
            8'129);
  EXPECT_EQ(test::parameter_count<Srcnn>(SrcnnOptions{.kernel1 = 9, .kernel2 = 3, .kernel3 = 5}),
            24'513);
  EXPECT_EQ(test::parameter_count<Srcnn>(SrcnnOptions{}), 57'281);
  EXPECT_EQ(test::parameter_count<Srcnn>(SrcnnOptions{.channels = 3}), 69'251);
}

TEST(Srcnn, KeepsTheSizeUnlessItHasNoBorder) {
  using Border = SrcnnOptions::Border;
  Generator generator{1};
  const Tensor x = ops::uniform(generator, {1, 1, 33, 20});
  for (const Border border : {Border::replicate, Border::zero})
    EXPECT_EQ(Srcnn({.border = border}, generator).restore(x).shape(), x.shape());
  EXPECT_EQ(Srcnn({.border = Border::none}, generator).restore(x).shape(), (Shape{1, 1, 17, 4}));
}

TEST(Srcnn, TrainsEveryParameterAndSaysWhichOptionIsWrong) {
  test::expect_all_gradients<Srcnn>(SrcnnOptions{.kernel1 = 3, .kernel2 = 1, .kernel3 = 3},
                                    {1, 3, 6, 6});
  Generator generator{1};
  EXPECT_EQ(test::error_of([&] { Srcnn({.kernel1 = 9, .kernel2 = 2, .kernel3 = 5}, generator); }),
            "srcnn: kernels must be odd, got 2");
}

}  // namespace
}  // namespace mini
