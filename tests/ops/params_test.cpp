#include "ops/params.h"

#include <gtest/gtest.h>

#include "tests/support/support.h"

namespace mini {
namespace {

TEST(Conv2dParams, KnowsTheShapeOfTheResult) {
  EXPECT_EQ((Conv2dParams{}.output_shape({2, 3, 8, 9}, {5, 3, 3, 2}, "conv2d")),
            (Shape{2, 5, 6, 8}));
  const Conv2dParams odd{.stride = {2, 3}, .padding = {1, 2}, .dilation = {2, 1}, .groups = 2};
  EXPECT_EQ((odd.output_shape({1, 4, 11, 10}, {6, 2, 3, 4}, "conv2d")), (Shape{1, 6, 5, 4}));
  // A kernel larger than the input, but not than the padded input.
  EXPECT_EQ((Conv2dParams{.padding = {2, 2}}.output_shape({1, 1, 1, 2}, {1, 1, 5, 5}, "conv2d")),
            (Shape{1, 1, 1, 2}));
}

TEST(Conv2dParams, SaysWhatDoesNotFit) {
  const auto error = [](const Shape& x, const Shape& w, const Conv2dParams& params = {}) {
    return test::error_of([&] { params.output_shape(x, w, "conv2d"); });
  };
  EXPECT_EQ(error({1, 5, 9, 9}, {8, 4, 3, 3}),
            "conv2d: input has 5 channels, weight expects 4 (x=[1,5,9,9], w=[8,4,3,3])");
  EXPECT_EQ(error({5, 9, 9}, {8, 4, 3, 3}), "conv2d: input must be [N,C,H,W], got [5,9,9]");
  EXPECT_EQ(error({1, 4, 9, 9}, {7, 2, 3, 3}, {.groups = 2}),
            "conv2d: 7 output channels do not split into 2 groups (w=[7,2,3,3])");
  EXPECT_EQ(error({1, 4, 2, 9}, {8, 4, 3, 3}),
            "conv2d: the kernel reaches over 3 pixels, the padded input has 2 (x=[1,4,2,9], "
            "w=[8,4,3,3], padding (0,0), dilation (1,1)); pad more");
  EXPECT_NE(error({1, 4, 9, 9}, {8, 4, 3, 3}, {.stride = {0, 1}}).find("stride (0,1)"),
            std::string::npos);
}

TEST(Pool2dParams, KnowsTheShapeOfTheResult) {
  EXPECT_EQ((Pool2dParams{}.output_shape({2, 3, 8, 9}, "max_pool2d")), (Shape{2, 3, 4, 4}));
  const Pool2dParams alexnet{.kernel = {3, 3}, .stride = {2, 2}, .padding = {1, 1}};
  EXPECT_EQ((alexnet.output_shape({1, 2, 7, 8}, "max_pool2d")), (Shape{1, 2, 4, 4}));
  EXPECT_EQ(test::error_of([] {
              Pool2dParams{.padding = {2, 0}}.output_shape({1, 1, 4, 4}, "avg_pool2d");
            }),
            "avg_pool2d: padding (2,0) must be between 0 and half the kernel (2,2)");
}

TEST(LinearMap, TransposeSwapsRowsAndColumns) {
  // Rows: 2·x0 + 3·x2, nothing, 5·x2 - x0.
  const LinearMap map{
      .input_size = 4, .first = {0, 2, 2, 4}, .source = {0, 2, 2, 0}, .weight = {2, 3, 5, -1}};
  const LinearMap back = map.transposed();
  EXPECT_EQ(back.input_size, 3);
  EXPECT_EQ(back.first, (std::vector<std::int64_t>{0, 2, 2, 4, 4}));
  EXPECT_EQ(back.source, (std::vector<std::int64_t>{0, 2, 0, 2}));
  EXPECT_EQ(back.weight, (std::vector<double>{2, -1, 3, 5}));
  EXPECT_EQ(back.transposed().first, map.first);
}

}  // namespace
}  // namespace mini
