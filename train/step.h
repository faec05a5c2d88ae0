// A step of training: goes through the updates of a recipe that are due, on one batch.
//
//   update:  freeze the others ─ pass ─ all finite? ─ clip ─ optimise
//
// A step depends on its number, the weights, the optimisers' state and the position of the noise, and
// so does each update in it: an update whose losses or gradients are not finite leaves everything as
// it was before it.
//
// Several processes that train together each work on their share of the batch; their gradients are
// added up while backward runs (train/gradient_sync.h), so all take the same step. Read next:
// train/pass.h, train/trainer.h.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "nn/optimizer.h"
#include "train/gradient_sync.h"
#include "train/pass.h"
#include "train/position.h"
#include "train/recipe.h"

namespace mini::train {

struct StepOptions {
  std::function<double(std::int64_t step)> learning_rate;
  double clip_norm = 0;  // 0: no clipping
  nn::OptimizerOptions optimizer{};
  bool replay = true;                // on a GPU: passes are captured and replayed
  Collective* collective = nullptr;  // the processes that train together; null: this one alone
};

struct StepResult {
  std::vector<Named> values;  // losses and norms of gradients; of a named update "NAME.TERM"
  double lr = 0;
  std::optional<Named> not_finite{};  // then the update at the position was not made
};

class StepTaker {
 public:
  // The recipe's modules must have their dtype and device.
  StepTaker(Recipe& recipe, StepOptions options);
  ~StepTaker();

  // From `position` to the next step; `noise` is what the updates draw from. The batch is brought to
  // the dtype and the device of the parameters.
  StepResult take(Batch&& batch, Position& position, Generator& noise);

  // That any update trains.
  const Tensors& parameters() const { return parameters_; }
  // Of all optimisers; the names of a named one begin with "NAME.".
  std::map<std::string, Tensor> optimizer_state() const;
  void load_optimizer_state(const std::map<std::string, Tensor>& state);

 private:
  struct Planned;

  PassResult run_pass(Planned& update, const Batch& batch, Generator& noise);
  void backward_all(GradientSync& sync, const Tensor& loss);

  Recipe& recipe_;
  StepOptions options_;
  Collective& collective_;
  Tensors parameters_;
  std::map<std::string, std::unique_ptr<nn::Optimizer>> optimizers_;
  std::vector<Planned> updates_;
  Pass pass_;
};

}  // namespace mini::train
