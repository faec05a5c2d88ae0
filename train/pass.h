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

// What is to be done with a batch.
struct Work {
  std::size_t kind = 0;  // tells works from each other
  // Those of one kind and variant consist of the same ops. None: it is computed anew each time.
  std::optional<int> variant{};
  std::function<Losses(const Batch& batch, Generator& random)> losses{};
  Tensors parameters{};                                        // that get gradients
  std::function<void(const Tensor& loss)> backward = nullptr;  // null: mini::backward
};

class Pass {
 public:
  // `replay`: on a GPU; the CPU computes every pass anew.
  explicit Pass(bool replay = true) : replay_(replay) {}

  // Draws from `random`. The parameters hold no gradients, or zeros, before; their gradients after,
  // until the next pass of the kind. On a GPU, batches of another shape than before begin anew.
  PassResult run(const Work& work, const Batch& batch, Generator& random);

 private:
  // What a pass, queued or captured, will tell.
  struct Queued {
    std::vector<std::string> names{};
    HostCopy values{};  // of the names, then the square of the gradient's norm
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
  // For replays: where the batch lies, and a graph for each kind and variant.
  std::map<std::size_t, int> eager_passes_;  // of each kind
  Batch place_;
  std::shared_ptr<Allocator::Pool> pool_;
  std::map<std::pair<std::size_t, int>, Replay> replays_;
};

}  // namespace mini::train
