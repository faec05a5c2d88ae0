// Views against a model: the list of a tensor's elements in row-major order.
#include "tensor/view.h"

#include <algorithm>
#include <numeric>
#include <set>

#include "tensor/random.h"
#include "tests/support/support.h"

namespace mini {
namespace {

using Values = std::vector<double>;

// Calls visit(index) for every index of `shape`, in row-major order.
template <class F>
void for_each_index(const Shape& shape, const F& visit) {
  const std::int64_t count = shape.numel();
  for (std::int64_t flat = 0; flat < count; ++flat) {
    Shape index = shape;
    std::int64_t rest = flat;
    for (int d = shape.rank() - 1; d >= 0; --d) {
      index[d] = rest % shape[d];
      rest /= shape[d];
    }
    visit(index);
  }
}

std::size_t flat_index(const Shape& shape, const Shape& index) {
  std::int64_t flat = 0;
  for (int d = 0; d < shape.rank(); ++d) flat = flat * shape[d] + index[d];
  return static_cast<std::size_t>(flat);
}

// A tensor and the elements it should have.
struct Modelled {
  Tensor tensor;
  Values values;

  const Shape& shape() const { return tensor.shape(); }
  // The model of a view: source(index in the result) is the index in this tensor.
  template <class F>
  Modelled derive(Tensor result, const F& source) const {
    Values expected;
    for_each_index(result.shape(), [&](const Shape& index) {
      expected.push_back(values[flat_index(shape(), source(index))]);
    });
    return {std::move(result), std::move(expected)};
  }
};

// The offset of every element, by the definition of strides.
std::vector<std::int64_t> positions(const Tensor& x) {
  std::vector<std::int64_t> result;
  for_each_index(x.shape(), [&](const Shape& index) {
    std::int64_t position = x.offset();
    for (int d = 0; d < x.rank(); ++d) position += index[d] * x.strides()[d];
    result.push_back(position);
  });
  return result;
}

// Whether elements at these offsets, in row-major order, can be a strided view of `shape`.
bool is_strided(const std::vector<std::int64_t>& places, const Shape& shape) {
  Shape strides = shape;
  for (int d = 0; d < shape.rank(); ++d) {
    Shape unit = shape;
    for (int k = 0; k < shape.rank(); ++k) unit[k] = k == d ? 1 : 0;
    strides[d] = shape[d] > 1 ? places[flat_index(shape, unit)] - places[0] : 0;
  }
  std::size_t i = 0;
  bool fits = true;
  for_each_index(shape, [&](const Shape& index) {
    std::int64_t place = places[0];
    for (int d = 0; d < shape.rank(); ++d) place += index[d] * strides[d];
    fits = fits && place == places[i++];
  });
  return fits;
}

class Views {
 public:
  explicit Views(std::uint64_t seed) : random_{seed, 0} {}

  Modelled start() {
    const Shape shape = random_shape();
    const Tensor x = ops::reshape(Tensor::arange(shape.numel()), shape);
    Values values(static_cast<std::size_t>(shape.numel()));
    std::iota(values.begin(), values.end(), 0.0);
    return {x, values};
  }

  // Applies a random view to x and returns the name of the op, too.
  Modelled step(const Modelled& x, std::string& trace) {
    const Tensor& t = x.tensor;
    const int rank = t.rank();
    const int dim = rank > 0 ? below(rank) : 0;
    const int choice = below(7);
    if (choice == 0 && rank > 0) {
      trace += " narrow";
      const std::int64_t start = below(t.size(dim)), length = 1 + below(t.size(dim) - start);
      return x.derive(ops::narrow(t, dim, start, length), [&](Shape index) {
        index[dim] += start;
        return index;
      });
    }
    if (choice == 1) {
      trace += " permute";
      std::vector<int> order(static_cast<std::size_t>(rank));
      std::iota(order.begin(), order.end(), 0);
      for (std::size_t i = order.size(); i > 1; --i)
        std::swap(order[i - 1], order[static_cast<std::size_t>(below(static_cast<int>(i)))]);
      return x.derive(ops::permute(t, order), [&](const Shape& index) {
        Shape source = index;
        for (int d = 0; d < rank; ++d) source[order[static_cast<std::size_t>(d)]] = index[d];
        return source;
      });
    }
    if (choice == 2 && rank > 0) {
      trace += " select";
      const std::int64_t at = below(t.size(dim));
      return x.derive(ops::select(t, dim, at), [&](const Shape& index) {
        Shape source;
        for (int d = 0; d < rank; ++d) source.push_back(d == dim ? at : index[d < dim ? d : d - 1]);
        return source;
      });
    }
    if (choice == 3 && rank < max_rank) {
      trace += " expand";
      Shape shape{1 + below(3)};
      for (const std::int64_t extent : t.shape())
        shape.push_back(extent == 1 ? 1 + below(3) : extent);
      if (shape.numel() > 200) return x;
      return x.derive(ops::expand(t, shape), [&](const Shape& index) {
        Shape source = t.shape();
        for (int d = 0; d < rank; ++d) source[d] = t.shape()[d] == 1 ? 0 : index[d + 1];
        return source;
      });
    }
    if (choice == 4 && rank < max_rank) {
      trace += " unsqueeze";
      return {ops::unsqueeze(t, below(rank + 1)), x.values};
    }
    if (choice == 5 && rank > 1) {
      trace += " transpose";
      const int other = below(rank);
      return x.derive(ops::transpose(t, dim - rank, other), [&](Shape index) {
        std::swap(index[dim], index[other]);
        return index;
      });
    }
    trace += " reshape";
    const Shape shape = factorize(t.numel());
    const Tensor y = ops::reshape(t, shape);
    const bool viewed = y.storage() == t.storage();
    EXPECT_EQ(viewed, is_strided(positions(t), shape))
        << trace << ": " << t.shape() << " strides " << t.strides() << " to " << shape;
    (viewed ? views_ : copies_) += 1;
    return {y, x.values};
  }

  int views() const { return views_; }
  int copies() const { return copies_; }

 private:
  template <class T>
  T below(T limit) {
    return static_cast<T>(random_.next_below(limit));
  }
  Shape random_shape() {
    Shape shape;
    for (int rank = below(5); shape.rank() < rank;) shape.push_back(1 + below(4));
    return shape;
  }
  // A random shape of `count` elements, with some extents of 1.
  Shape factorize(std::int64_t count) {
    Shape shape;
    while (shape.rank() < 6 && (count > 1 || below(2) == 0)) {
      std::vector<std::int64_t> divisors{1};
      for (std::int64_t d = 2; d <= count; ++d)
        if (count % d == 0) divisors.push_back(d);
      const auto pick = divisors[static_cast<std::size_t>(below(std::ssize(divisors)))];
      shape.push_back(pick);
      count /= pick;
    }
    if (count > 1) shape.push_back(count);
    return shape;
  }

  Generator random_;
  int views_ = 0;
  int copies_ = 0;
};

TEST(View, ChainsOfViewsShowWhatTheModelSays) {
  Views views(2024);
  for (int chain = 0; chain < 5000; ++chain) {
    Modelled x = views.start();
    std::string trace;
    for (int step = 0; step < 6; ++step) {
      x = views.step(x, trace);
      ASSERT_EQ(x.tensor.to_vector(), x.values) << trace << " -> " << x.shape();
      const Tensor packed = ops::contiguous(x.tensor);
      ASSERT_TRUE(packed.is_contiguous());
      ASSERT_EQ(packed.to_vector(), x.values) << trace;
    }
  }
  // Both outcomes must have occurred often.
  EXPECT_GT(views.views(), 1000);
  EXPECT_GT(views.copies(), 600);
}

TEST(View, DenseMeansEveryElementOnceWithoutGaps) {
  Views views(7);
  int dense = 0;
  for (int chain = 0; chain < 500; ++chain) {
    Modelled x = views.start();
    std::string trace;
    for (int step = 0; step < 4; ++step) {
      x = views.step(x, trace);
      auto places = positions(x.tensor);
      std::sort(places.begin(), places.end());
      bool gapless = true;
      for (std::size_t i = 1; i < places.size(); ++i) gapless &= places[i] == places[i - 1] + 1;
      ASSERT_EQ(x.tensor.is_dense(), gapless) << trace << x.shape() << x.tensor.strides();
      const bool row_major = is_strided(positions(x.tensor), {x.tensor.numel()}) && gapless;
      ASSERT_EQ(x.tensor.is_contiguous(), row_major) << trace;
      dense += gapless && !row_major;
    }
  }
  EXPECT_GT(dense, 50);
}

TEST(View, SharesMemory) {
  const Tensor x = Tensor::zeros({2, 3});
  ops::fill(ops::narrow(x, 1, 1, 2), 5);
  ops::fill(ops::select(x, 0, 1), 7);
  EXPECT_EQ(x.to_vector(), (Values{0, 5, 5, 7, 7, 7}));
}

TEST(View, ReshapeInfersOneExtent) {
  const Tensor x = Tensor::zeros({4, 6});
  EXPECT_EQ(ops::reshape(x, {-1, 8}).shape(), (Shape{3, 8}));
  EXPECT_EQ(ops::reshape(x, {2, -1, 1}).shape(), (Shape{2, 12, 1}));
  EXPECT_EQ(ops::reshape(Tensor::zeros({0, 3}), {3, -1}).shape(), (Shape{3, 0}));
  EXPECT_EQ(test::error_of([&] {
              ops::reshape(x, {-1, -1});
            }),
            "reshape: more than one extent of [-1,-1] is -1");
  EXPECT_EQ(test::error_of([&] {
              ops::reshape(x, {5, -1});
            }),
            "reshape: 24 elements do not fit shape [5,-1]");
  EXPECT_EQ(test::error_of([&] {
              ops::reshape(x, {5, 5});
            }),
            "reshape: 24 elements do not fit shape [5,5]");
  EXPECT_THROW(ops::reshape(x, {std::int64_t{1} << 32, std::int64_t{1} << 32, -1}), Error);
}

TEST(View, AsStridedStaysInsideTheTensorsMemory) {
  const Tensor x = Tensor::arange(10);
  EXPECT_EQ(x.as_strided({3, 2}, {3, 1}, 2).to_vector(), (Values{2, 3, 5, 6, 8, 9}));
  EXPECT_EQ(x.as_strided({3}, {-4}, 9).to_vector(), (Values{9, 5, 1}));
  EXPECT_EQ(x.as_strided({10}, {1}, 0).numel(), 10);
  EXPECT_EQ(x.as_strided({0}, {1}, 100).numel(), 0);
  // The block may contain element 10, but the tensor does not.
  EXPECT_EQ(test::error_of([&] { x.as_strided({11}, {1}, 0); }),
            "as_strided: shape [11] with strides [1] at offset 0 leaves a storage of 10 elements");
  EXPECT_THROW(x.as_strided({2}, {1}, -1), Error);
  EXPECT_THROW(x.as_strided({3}, {-4}, 7), Error);
  EXPECT_THROW(x.as_strided({2, 2}, {1}, 0), Error);
  EXPECT_THROW(x.as_strided({5}, {std::int64_t{1} << 62}, 0), Error);  // 2^64 overflows to 0
  EXPECT_THROW(x.as_strided({3}, {std::int64_t{1} << 62}, 0), Error);
}

TEST(View, ErrorsNameTheOpAndTheShape) {
  const Tensor x = Tensor::zeros({2, 3});
  const std::vector<int> twice{0, 0}, too_many{0, 1, 2};
  EXPECT_EQ(test::error_of([&] { ops::narrow(x, 1, 2, 2); }),
            "narrow: [2, 4) is outside dimension 1 of [2,3]");
  EXPECT_EQ(test::error_of([&] { ops::permute(x, twice); }), "permute: dimension 0 appears twice");
  EXPECT_EQ(test::error_of([&] { ops::permute(x, too_many); }),
            "permute: an order of 3 dimensions for a tensor of shape [2,3]");
  EXPECT_EQ(test::error_of([&] {
              ops::expand(x, {2, 4});
            }),
            "expand: [2,3] does not expand to [2,4]");
  EXPECT_EQ(test::error_of([&] { ops::expand(x, {3}); }),
            "expand: [2,3] has more dimensions than [3]");
  EXPECT_EQ(test::error_of([&] { ops::squeeze(x, 0); }), "squeeze: dimension 0 of [2,3] is not 1");
  EXPECT_EQ(test::error_of([&] { (void)Tensor().shape(); }),
            "tensor: used before it was given a value");
  EXPECT_EQ(test::error_of([&] { (void)x.data<double>(); }),
            "tensor: holds float32, accessed as float64");
  EXPECT_EQ(test::error_of([&] { (void)x.item(); }),
            "item: the tensor has 6 elements, not one (shape [2,3])");
  EXPECT_THROW(ops::narrow(x, 0, std::int64_t{1} << 62, 1), Error);
  EXPECT_THROW(ops::select(x, 0, -1), Error);
  EXPECT_THROW(ops::narrow(x, 2, 0, 1), Error);
}

TEST(View, ChannelsLast) {
  const Tensor x = ops::reshape(Tensor::arange(2 * 3 * 4 * 5, DType::float32), {2, 3, 4, 5});
  EXPECT_FALSE(x.is_channels_last());
  const Tensor y = ops::channels_last(x);
  EXPECT_TRUE(y.is_channels_last());
  EXPECT_TRUE(y.is_dense());
  EXPECT_FALSE(y.is_contiguous());
  EXPECT_EQ(y.strides(), (Shape{60, 1, 15, 3}));
  EXPECT_EQ(y.to_vector(), x.to_vector());
  EXPECT_TRUE(ops::channels_last(y).is_same(y));
  EXPECT_TRUE(ops::clone(y).is_channels_last());
  EXPECT_TRUE(ops::cast(y, DType::float64).is_channels_last());
  EXPECT_TRUE(ops::contiguous(y).is_contiguous());
}

}  // namespace
}  // namespace mini
