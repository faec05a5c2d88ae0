#include "tensor/shape.h"

#include <cstdint>
#include <limits>
#include <sstream>

#include "tests/support/support.h"

namespace mini {
namespace {

constexpr std::int64_t huge = std::int64_t{1} << 40;

TEST(Shape, CountsElements) {
  EXPECT_EQ(Shape().numel(), 1);
  EXPECT_EQ((Shape{3, 4, 5}).numel(), 60);
  EXPECT_EQ((Shape{3, 0, huge, huge}).numel(), 0);
  EXPECT_EQ(test::error_of([] { (void)Shape{2, -1}.numel(); }), "shape: negative extent in [2,-1]");
  EXPECT_EQ(test::error_of([] { (void)Shape{0, -1}.numel(); }), "shape: negative extent in [0,-1]");
  EXPECT_EQ(test::error_of([] {
              (void)Shape{huge, huge}.numel();
            }),
            "shape: [1099511627776,1099511627776] has more elements than 63 bits can count");
}

TEST(Shape, HasAtMostEightDimensions) {
  Shape shape{1, 2, 3, 4, 5, 6, 7, 8};
  EXPECT_EQ(shape.rank(), 8);
  EXPECT_EQ(test::error_of([&] { shape.push_back(9); }), "shape: more than 8 dimensions");
}

TEST(Shape, ComparesRankAndExtents) {
  EXPECT_EQ((Shape{2, 3}), (Shape{2, 3}));
  EXPECT_NE((Shape{2, 3}), (Shape{2, 3, 1}));
  EXPECT_NE((Shape{2, 3}), (Shape{3, 2}));
}

TEST(Shape, ContiguousStrides) {
  EXPECT_EQ(contiguous_strides({2, 3, 4}), (Shape{12, 4, 1}));
  EXPECT_EQ(contiguous_strides({2, 0, 4}), (Shape{4, 4, 1}));
  EXPECT_EQ(contiguous_strides({}), Shape());
}

TEST(Shape, MemoryOrderIsInnermostFirst) {
  const auto order_of = [](const Shape& shape, const Shape& strides) {
    const DimOrder order = memory_order(shape, strides);
    return std::vector<int>(order.begin(), order.end());
  };
  EXPECT_EQ(order_of({2, 3, 4}, {12, 4, 1}), (std::vector<int>{2, 1, 0}));
  EXPECT_EQ(order_of({2, 3, 4, 5}, {60, 1, 15, 3}), (std::vector<int>{1, 3, 2, 0}));
  EXPECT_EQ(order_of({2, 1, 4}, {4, 77, 1}), (std::vector<int>{2, 0}));  // without extents of 1
  EXPECT_EQ(order_of({2, 3}, {0, 0}), (std::vector<int>{1, 0}));
}

TEST(Shape, Broadcasting) {
  EXPECT_EQ(broadcast_shapes({2, 3}, {3}, "add"), (Shape{2, 3}));
  EXPECT_EQ(broadcast_shapes({2, 1}, {1, 3}, "add"), (Shape{2, 3}));
  EXPECT_EQ(broadcast_shapes({}, {4, 1}, "add"), (Shape{4, 1}));
  EXPECT_EQ(broadcast_shapes({1}, {0}, "add"), (Shape{0}));
  EXPECT_EQ(test::error_of([] {
              broadcast_shapes({2, 3}, {2}, "add");
            }),
            "add: shapes [2,3] and [2] do not broadcast (extents must be equal or 1)");
  EXPECT_EQ(test::error_of([] { broadcast_shapes({0}, {2}, "mul"); }),
            "mul: shapes [0] and [2] do not broadcast (extents must be equal or 1)");
}

TEST(Shape, NormalizesDimensions) {
  EXPECT_EQ(normalize_dim(-1, 4, "sum"), 3);
  EXPECT_EQ(normalize_dim(0, 1, "sum"), 0);
  EXPECT_EQ(test::error_of([] { normalize_dim(4, 4, "sum"); }),
            "sum: dimension 4 is out of range for a tensor of rank 4");
  EXPECT_EQ(test::error_of([] { normalize_dim(-1, 0, "sum"); }),
            "sum: dimension -1 is out of range for a tensor of rank 0");
}

TEST(Shape, Prints) {
  std::ostringstream text;
  text << Shape{1, 5, 9, 9} << Shape();
  EXPECT_EQ(text.str(), "[1,5,9,9][]");
}

TEST(Tensor, RefusesShapesBeyondTheAddressSpace) {
  EXPECT_EQ(test::error_of([] {
              Tensor::empty({huge, huge});
            }),
            "shape: [1099511627776,1099511627776] has more elements than 63 bits can count");
  EXPECT_EQ(test::error_of([] {
              Tensor::empty({huge, 1 << 22}, DType::float64);
            }),
            "tensor: shape [1099511627776,4194304] of float64 exceeds the address space");
  EXPECT_EQ(test::error_of([] { Tensor::empty({-1}); }), "shape: negative extent in [-1]");
}

}  // namespace
}  // namespace mini
