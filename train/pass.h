// One pass of training, forward and backward: from a batch to losses and gradients, by a function that
// makes the losses. On a GPU a pass is captured the third time it is run and replayed from then on
// (tensor/graph.h), since launching its thousands of kernels one by one would take the host longer than
// they take the GPU. Read next: train/recipe.h, train/step.h.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "tensor/graph.h"
#include "tensor/queue.h"
#include "train/recipe.h"

namespace mini::train {

using Named = std::pair<std::string, double>;

struct PassResult {
  std::vector<Named> terms;  // "loss", and what it consists of
  double gradient_norm = 0;  // of all gradients together
};

// A function of a batch, and how a pass runs it.
struct Work {
  std::size_t kind = 0;  // the number of this function among those that a recipe runs
  // Passes of one kind and variant consist of the same ops. Without a variant none is replayed.
  std::optional<int> variant{};
  std::function<Losses(const Batch& batch, Generator& random)> losses{};
  Tensors parameters{};                                        // get gradients
  std::function<void(const Tensor& loss)> backward = nullptr;  // null: mini::backward
};

class Pass {
 public:
  // `replay`: whether a GPU replays passes. The CPU computes every pass anew.
  explicit Pass(bool replay = true) : replay_(replay) {}

  // Runs the work on a batch and draws from `random`. Before, the parameters must hold no gradients or
  // zeros; afterwards they hold the gradients until the next pass of this kind. On a GPU, a batch of
  // another shape than the last starts the capture again.
  PassResult run(const Work& work, const Batch& batch, Generator& random);

 private:
  // The numbers that a queued or captured pass reports.
  struct Queued {
    std::vector<std::string> names{};
    HostCopy values{};  // one for each name, then the square of the gradient's norm
    PassResult wait() const;
  };
  struct Replay {
    std::unique_ptr<Graph> graph;
    Queued results;
    Tensors gradients;        // of the parameters
    std::uint64_t drawn = 0;  // blocks of random numbers
  };

  static Queued queue(const Work& work, const Batch& batch, Generator& random);
  Replay capture(const Work& work, const Generator& random);
  bool is_warm(const Work& work, const Batch& batch);

  bool replay_;
  // For replays: the batch's fixed place, and a graph for each kind and variant.
  std::map<std::size_t, int> eager_passes_;  // of each kind
  Batch place_;
  std::shared_ptr<Allocator::Pool> pool_;
  std::map<std::pair<std::size_t, int>, Replay> replays_;
};

}  // namespace mini::train
