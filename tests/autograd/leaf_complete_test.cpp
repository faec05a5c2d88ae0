// The engine reports when the gradient of a leaf is complete: once per leaf, as early as possible.
#include <algorithm>
#include <map>

#include "autograd/checkpoint.h"
#include "autograd/engine.h"
#include "autograd/functions.h"
#include "models/invertible/chain.h"
#include "ops/elementwise.h"
#include "tensor/random.h"
#include "tensor/view.h"
#include "tests/support/support.h"

namespace mini {
namespace {

Tensor leaf(double value) {
  return Tensor::from(std::vector<double>{value}, {1}).set_requires_grad();
}

// What one backward reported: each leaf, with its gradient at that moment.
class Told {
 public:
  explicit Told(Tensors leaves) : leaves_(std::move(leaves)) {}

  void listen(const Tensor& loss) {
    backward(loss, {}, {.leaf_complete = [this](const AutogradMeta& meta) {
               for (std::size_t i = 0; i < leaves_.size(); ++i)
                 if (leaves_[i].autograd().get() == &meta) {
                   order.push_back(i);
                   seen.push_back(meta.grad.defined() ? ops::clone(meta.grad) : Tensor());
                 }
             }});
  }
  // Every leaf is reported once, with its final gradient.
  void expect_whole() const {
    std::vector<std::size_t> sorted = order;
    std::sort(sorted.begin(), sorted.end());
    ASSERT_EQ(sorted.size(), leaves_.size());
    for (std::size_t i = 0; i < sorted.size(); ++i) EXPECT_EQ(sorted[i], i);
    for (std::size_t k = 0; k < order.size(); ++k) {
      const Tensor gradient = leaves_[order[k]].grad();
      ASSERT_EQ(gradient.defined(), seen[k].defined()) << "leaf " << order[k];
      if (gradient.defined()) {
        EXPECT_TRUE(test::equal_bits(gradient, seen[k])) << "leaf " << order[k];
      }
    }
  }

  std::vector<std::size_t> order;
  Tensors seen;

 private:
  Tensors leaves_;
};

TEST(LeafComplete, LastUsedFirst) {
  const Tensor a = leaf(2), b = leaf(3), c = leaf(5);
  Told told({a, b, c});
  told.listen(sum(((a * a) * b) * c));
  EXPECT_EQ(told.order, (std::vector<std::size_t>{2, 1, 0}));
  told.expect_whole();
  EXPECT_EQ(a.grad().item(), 60);
}

TEST(LeafComplete, WaitsForEveryUse) {
  // c is used first and last. Backward meets the first use last, and this completes the gradient.
  const Tensor a = leaf(2), b = leaf(3), c = leaf(5);
  Told told({a, b, c});
  told.listen(sum(((c * a) * b) * c));
  EXPECT_EQ(told.order.front(), 1u);
  told.expect_whole();
  EXPECT_EQ(c.grad().item(), 60);
}

TEST(LeafComplete, OfOneNodeThatUsesALeafSeveralTimes) {
  const Tensor a = leaf(2), b = leaf(3);
  for (int times = 1; times <= 3; ++times) {
    Told told({a, b});
    told.listen(sum(concat({a, b, a, a}, 0)));
    EXPECT_EQ(told.order, (std::vector<std::size_t>{1, 0}));
    told.expect_whole();
    EXPECT_EQ(a.grad().item(), 3 * times);
    EXPECT_EQ(b.grad().item(), times);
  }
}

TEST(LeafComplete, WhileTheWalkGoesOn) {
  const Tensor a = leaf(2), b = leaf(3);
  bool walked = false, told_before = false;
  const Tensor first = record("probe", {a}, ops::clone(a), [&](const Backward&, const Tensor& dy) {
    walked = true;
    return Tensors{dy};
  });
  backward(sum(first * b), {}, {.leaf_complete = [&](const AutogradMeta& meta) {
             if (&meta == b.autograd().get()) told_before = !walked;
           }});
  EXPECT_TRUE(told_before);
}

TEST(LeafComplete, LeavesWithoutAGradientComeLast) {
  const Tensor a = leaf(2), b = leaf(3);
  const Tensor blocked = record("block", {a}, ops::clone(a),
                                [](const Backward&, const Tensor&) { return Tensors(1); });
  Told told({a, b});
  told.listen(sum(square(blocked) * b));
  EXPECT_EQ(told.order, (std::vector<std::size_t>{1, 0}));
  told.expect_whole();

  // A node that receives no gradient is not walked, but its leaf is reported.
  const Tensor d = leaf(7);
  const Tensor behind = record("block", {square(d)}, ops::clone(d),
                               [](const Backward&, const Tensor&) { return Tensors(1); });
  Told again({a, d});
  a.autograd()->grad = {};
  again.listen(sum(behind * a));
  EXPECT_EQ(again.order, (std::vector<std::size_t>{0, 1}));
  EXPECT_FALSE(d.grad().defined());
  again.expect_whole();
}

TEST(LeafComplete, OfALeafItself) {
  const Tensor a = leaf(2);
  Told told({a});
  told.listen(a);
  told.expect_whole();
}

TEST(LeafComplete, ReplayedGraphsCount) {
  const Tensor a = leaf(2), b = leaf(3);
  Told told({a, b});
  const auto product = [](const Tensors& x) { return Tensors{x[0] * x[1] * x[0]}; };
  told.listen(sum(checkpoint(product, {checkpoint(product, {a, b})[0], b})[0]));
  told.expect_whole();
  EXPECT_EQ(told.order.size(), 2u);
}

// A chain that alternates between two layers with one parameter each.
TEST(LeafComplete, ReversibleChainsTellLayerByLayer) {
  Generator random{1};
  Tensors weights;
  std::vector<models::Coupling> chain;
  for (int k = 0; k < 6; ++k) {
    Tensor w = ops::normal(random, {1}, DType::float64).set_requires_grad();
    weights.push_back(w);
    chain.push_back(
        {models::Coupling::Kind::add, k % 2, {{[w](const Tensor& x) { return x * w; }, {w}}}});
  }
  const Tensor x = ops::normal(random, {1, 1, 2, 2}, DType::float64);
  for (const models::MemoryMode memory :
       {models::MemoryMode::exact, models::MemoryMode::reversible, models::MemoryMode::checkpoint,
        models::MemoryMode::stored}) {
    for (Tensor& w : weights) w.set_grad({});
    const models::ChainResult result = models::run_chain(chain, x, x, {.memory = memory});
    Told told(weights);
    told.listen(sum(square(result.x1)) + sum(square(result.x2)));
    EXPECT_EQ(told.order, (std::vector<std::size_t>{5, 4, 3, 2, 1, 0}));
    told.expect_whole();
  }
}

TEST(LeafComplete, HandingInTwiceIsAnError) {
  const Tensor a = leaf(2);
  const Tensor y =
      record("greedy", {a}, ops::clone(a), [](const Backward& context, const Tensor& dy) {
        context.deliver(0, dy);
        return Tensors{dy};
      });
  EXPECT_EQ(test::error_of([&] { backward(y); }),
            "greedy: backward delivered the gradient of input 0 twice");
  EXPECT_EQ(test::error_of(
                [&] { grad({square(a)}, {a}, {}, {.leaf_complete = [](const AutogradMeta&) {}}); }),
            "grad: leaf_complete is an option of backward() only");
}

}  // namespace
}  // namespace mini
