// Gradients of several ranks: what is sent, when, and the result.
#include "train/gradient_sync.h"

#include "autograd/engine.h"
#include "autograd/functions.h"
#include "tests/support/support.h"
#include "tests/train/threads.h"

namespace mini::train {
namespace {

using Values = std::vector<double>;

Tensor parameter(const Values& values) {
  return Tensor::from(values, {static_cast<std::int64_t>(values.size())}).set_requires_grad();
}

// The collective of one of two ranks; the other always sends zeros.
class Recorder : public Collective {
 public:
  int rank() const override { return 0; }
  int size() const override { return 2; }
  void start_all_reduce(const Tensor& values) override { sent.push_back(values.to_vector()); }
  void poll() override { ++polls; }
  void wait() override { sent_before_waiting = sent.size(); }
  void broadcast(const Tensor&) override {}
  std::vector<double> all_gather(std::span<const double> values) override {
    return {values.begin(), values.end()};
  }
  void barrier() override {}

  std::vector<Values> sent;  // since the last step
  std::size_t sent_before_waiting = 0;
  int polls = 0;
};

TEST(GradientSync, SendsBucketsWhileBackwardRuns) {
  const Tensors p{parameter({1, 2}), parameter({3, 4}), parameter({5, 6}), parameter({7, 8})};
  Recorder recorder;
  GradientSync sync(p, recorder, 4 * sizeof(double));
  std::vector<std::size_t> sent_at;  // buckets sent when each leaf was complete
  const auto step = [&](const std::vector<std::size_t>& uses) {
    recorder.sent.clear();
    sent_at.clear();
    Tensor y = p[uses[0]];
    for (std::size_t i = 1; i < uses.size(); ++i) y = y * p[uses[i]];
    backward(sum(y), {}, {.leaf_complete = [&](const AutogradMeta& leaf) {
               sync.complete(leaf);
               sent_at.push_back(recorder.sent.size());
             }});
    sync.finish();
  };

  step({0, 1, 2, 3});                                          // backward completes 3, 2, 1 and 0
  EXPECT_EQ(sent_at, (std::vector<std::size_t>{0, 0, 0, 0}));  // the order is not known before
  EXPECT_EQ(sync.bucket_count(), 2u);
  ASSERT_EQ(recorder.sent.size(), 2u);
  EXPECT_EQ(recorder.sent[0], (Values{15, 48, 21, 64, 1, 1}));    // of 3 and 2; both have gradients
  EXPECT_EQ(recorder.sent[1], (Values{105, 192, 35, 96, 1, 1}));  // of 0 and 1, from one product
  EXPECT_EQ(p[2].grad().to_vector(), (Values{21, 64}));
  EXPECT_EQ(p[0].grad().to_vector(), (Values{105, 192}));
  EXPECT_GT(recorder.polls, 0);

  for (Tensor x : p) x.set_grad({});
  step({0, 1, 2, 3});
  EXPECT_EQ(sent_at, (std::vector<std::size_t>{0, 1, 1, 2}));
  EXPECT_EQ(recorder.sent_before_waiting, 2u);
  EXPECT_EQ(p[3].grad().to_vector(), (Values{15, 48}));

  // In the opposite order the second bucket is full first, but must wait.
  for (Tensor x : p) x.set_grad({});
  step({3, 2, 1, 0});
  EXPECT_EQ(sent_at, (std::vector<std::size_t>{0, 0, 0, 2}));
  EXPECT_EQ(recorder.sent[0], (Values{15, 48, 21, 64, 1, 1}));

  // Without p[3] nothing is sent before the end. Then all is sent, with zeros for its gradient.
  for (Tensor x : p) x.set_grad({});
  step({0, 1, 2});
  EXPECT_EQ(sent_at.back(), 0u);
  ASSERT_EQ(recorder.sent.size(), 2u);
  EXPECT_EQ(recorder.sent[0], (Values{0, 0, 3, 8, 0, 1}));
  EXPECT_FALSE(p[3].grad().defined());
  EXPECT_TRUE(p[2].grad().defined());
}

TEST(GradientSync, AddsWhatSomeRanksLack) {
  // The gradients of rank r are r+1. Only rank 1 has one for b; no rank has one for c.
  const auto errors = run_ranks(3, [](ThreadCollective& collective) {
    const Tensor a = parameter({1, 1}), b = parameter({1, 1, 1}), c = parameter({1});
    GradientSync sync({a, b, c}, collective, 1);
    for (int step = 0; step < 3; ++step) {
      for (Tensor x : {a, b, c}) x.set_grad({});
      Tensor loss = sum(a) * (collective.rank() + 1.0);
      if (collective.rank() == 1) loss = loss + sum(b) * 5.0;
      backward(loss, {}, {.leaf_complete = [&](const AutogradMeta& leaf) { sync.complete(leaf); }});
      sync.finish();
      check(sync.bucket_count() == 3, "buckets");
      check(a.grad().to_vector() == Values{6, 6}, "a: ", a.grad());
      check(b.grad().to_vector() == Values{5, 5, 5}, "b: ", b.grad());
      check(!c.grad().defined(), "c has a gradient");
    }
  });
  EXPECT_EQ(errors, (std::vector<std::string>(3)));
}

TEST(GradientSync, RefusesWhatItCannotSend) {
  const Tensor a = parameter({1}), fixed = Tensor::ones({1}, DType::float64);
  const Tensor b = Tensor::ones({1}, DType::float32).set_requires_grad();
  EXPECT_NE(test::error_of([&] {
              GradientSync({a, b}, single_process());
            }).find("one dtype"),
            std::string::npos);
  EXPECT_NE(test::error_of([&] {
              GradientSync({a, fixed}, single_process());
            }).find("no gradient"),
            std::string::npos);
}

TEST(Collective, SaysTheSameToAll) {
  const auto errors = run_ranks(3, [](ThreadCollective& collective) {
    const int rank = collective.rank();
    const std::vector<double> own{rank + 1.0, -rank * 1.0};
    check(collective.all_gather(own) == Values{1, 0, 2, -1, 3, -2}, "all_gather");
    check(collective.all_reduce(own) == Values{6, -3}, "all_reduce");
    check(collective.any(rank == 2) && !collective.any(false), "any");
    check(collective.broadcast_text(rank == 0 ? "from the first" : "") == "from the first", "text");
    check(collective.broadcast_text(rank == 0 ? "" : "from another").empty(), "empty text");
  });
  EXPECT_EQ(errors, (std::vector<std::string>(3)));
  EXPECT_EQ(single_process().all_reduce(Values{2, 3}), (Values{2, 3}));
  EXPECT_EQ(single_process().broadcast_text("alone"), "alone");
  EXPECT_TRUE(single_process().any(true));
}

}  // namespace
}  // namespace mini::train
