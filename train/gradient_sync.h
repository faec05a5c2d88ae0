// Adds up the gradients of all processes while backward still runs.
//
//   backward      ... leaf done ... leaf done ... leaf done ...      finish()
//   bucket 0      ├─ filling ─┤├── on its way ──────────┤                │
//   bucket 1                   ├─── filling ───┤├── on its way ──┤       │
//   bucket 2                                    ├─── filling ───┤├─ wait ┤
//
// Each message costs time of its own, so gradients travel in buckets of a few megabytes, in the order in
// which backward finishes them. Rank 0 records that order in the first step, so from the second step on
// sums overlap with backward. All processes send the buckets in that order, even where a process
// finishes another first: so processes whose graphs differ never wait for each other's buckets in vain.
// Read next: autograd/engine.h (leaf_complete), train/trainer.cpp.
#pragma once

#include <cstddef>
#include <unordered_map>
#include <vector>

#include "autograd/node.h"
#include "train/collective.h"

namespace mini::train {

class GradientSync {
 public:
  // The parameters must all be of one dtype, and on every process the same.
  GradientSync(Tensors parameters, Collective& collective,
               std::size_t bucket_bytes = std::size_t{4} << 20);

  // For BackwardOptions::leaf_complete; one backward between two calls of finish().
  void complete(const AutogradMeta& leaf);
  // Returns when each parameter's gradient is the sum over all processes. A process without
  // a gradient counts as zeros; where no process has one, the parameter keeps none.
  void finish();

  std::size_t bucket_count() const { return buckets_.size(); }

 private:
  struct Bucket {
    std::vector<std::size_t> parameters;
    // The parameters' gradients side by side, then for each how many processes had one.
    Tensor values;
    std::size_t incomplete = 0;
  };
  struct Place {
    std::size_t parameter = 0, bucket = 0;
  };

  void plan();
  void start_next();

  Tensors parameters_;
  Collective& collective_;
  std::size_t bucket_bytes_;
  std::unordered_map<const AutogradMeta*, Place> places_;
  std::vector<std::size_t> order_;  // parameters as they were completed, before there are buckets
  std::vector<Bucket> buckets_;
  std::size_t started_ = 0;  // buckets
};

}  // namespace mini::train
