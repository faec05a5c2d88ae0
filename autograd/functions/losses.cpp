// Losses, composed of functions of the catalogue. "Batch mean" divides by the first extent, as in
// SAIN: the sum over an image's elements, averaged over the images.
#include "autograd/functions.h"
#include "autograd/node.h"

namespace mini {
namespace {

// a - b, after checking that the shapes are equal: a loss must not broadcast by accident.
Tensor difference(const Tensor& a, const Tensor& b, const char* op) {
  check(a.shape() == b.shape(), op, ": shapes ", a.shape(), " and ", b.shape(), " differ");
  return a - b;
}

Tensor batch_mean(const Tensor& x, const char* op) {
  check(x.rank() >= 1 && x.size(0) > 0, op, ": needs a batch, got ", x.shape());
  return sum(x) / static_cast<double>(x.size(0));
}

}  // namespace

Tensor l1_loss(const Tensor& a, const Tensor& b, double epsilon) {
  return batch_mean(sqrt(square(difference(a, b, "l1_loss")) + epsilon), "l1_loss");
}

Tensor l2_loss(const Tensor& a, const Tensor& b) {
  return batch_mean(square(difference(a, b, "l2_loss")), "l2_loss");
}

Tensor mse_loss(const Tensor& a, const Tensor& b) {
  return mean(square(difference(a, b, "mse_loss")));
}

Tensor cross_entropy(const Tensor& logits, const Tensor& labels) {
  check(logits.rank() >= 2, "cross_entropy: logits must be [N,C,..], got ", logits.shape());
  Shape expected{logits.size(0)};
  for (int d = 2; d < logits.rank(); ++d) expected.push_back(logits.size(d));
  check(labels.shape() == expected, "cross_entropy: labels have shape ", labels.shape(),
        ", expected ", expected, " (logits=", logits.shape(), ")");
  check(labels.numel() > 0, "cross_entropy: no labels (logits=", logits.shape(), ")");
  // A product with one-hot labels [N,..,C] selects the label's log-probability.
  std::vector<int> order{0};
  for (int d = 2; d < logits.rank(); ++d) order.push_back(d);
  order.push_back(1);
  const Tensor picked =
      permute(log_softmax(logits, 1), order) * one_hot(labels, logits.size(1), logits.dtype());
  return sum(picked) / -static_cast<double>(labels.numel());
}

Tensor bce_with_logits(const Tensor& logits, const Tensor& targets) {
  check(logits.shape() == targets.shape(), "bce_with_logits: shapes ", logits.shape(), " and ",
        targets.shape(), " differ");
  // -t·log σ(x) - (1-t)·log(1-σ(x)) = softplus(x) - t·x.
  return mean(softplus(logits) - targets * logits);
}

}  // namespace mini
