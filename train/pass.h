// One pass of training, forward and backward: from a batch to losses and gradients. On a GPU the pass
// is captured the third time it is run and replayed from then on (tensor/graph.h), since launching
// its thousands of kernels one by one would take the host longer than they take the GPU.
// Read next: train/objective.h, train/trainer.cpp.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "tensor/graph.h"
#include "tensor/queue.h"
#include "train/objective.h"

namespace mini::train {

using Named = std::pair<std::string, double>;

struct PassOptions {
  bool replay = true;  // on a GPU; the CPU computes every pass anew
  Share share{};       // of the batch that this process works on
  // How to go back from the loss.
  std::function<void(const Tensor& loss)> backward = nullptr;
};

class TrainingPass {
 public:
  TrainingPass(const models::InvertibleRescaler& network, const Objective& objective,
               PassOptions options = {});

  // hr, lr_reference: as for the objective, of one shape in all passes. Draws from `random`. The
  // parameters hold no gradients, or zeros, before; their gradients after, until the next pass. The
  // loss, its terms and "gradient_norm", the norm of all gradients together.
  std::vector<Named> run(const Tensor& hr, const Tensor& lr_reference, Generator& random);

 private:
  // What a pass, queued or captured, will tell.
  struct Queued {
    std::vector<std::string> names{};
    HostCopy values{};
    std::vector<Named> wait() const;
  };
  struct Replay {
    std::unique_ptr<Graph> graph;
    Queued results;
    Tensors gradients;        // of the parameters
    std::uint64_t drawn = 0;  // blocks of random numbers
  };

  Queued queue(const Tensor& hr, const Tensor& lr_reference, int variant, Generator& random);
  Replay capture(int variant, const Generator& random);
  bool is_warm(const Tensor& hr, const Tensor& lr_reference);

  const models::InvertibleRescaler& network_;
  const Objective& objective_;
  PassOptions options_;
  Tensors parameters_;

  // For replays: where the batch lies, and a graph for each variant of the objective.
  int eager_passes_ = 0;
  Tensor hr_, lr_reference_;
  std::shared_ptr<Allocator::Pool> pool_;
  std::map<int, Replay> replays_;
};

}  // namespace mini::train
