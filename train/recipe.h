// What is trained, and how. A recipe owns the modules and says which updates a step consists of; each
// update makes losses from the batch and trains some of the parameters by them:
//
//   one network, one loss             one update without a name
//   a generator and its adversary     an update each, with an optimiser each
//   a penalty on the adversary,       a third update every 16th step, with the adversary's optimiser
//   by double backward
//
// How a step goes through the updates: train/step.h. Which recipes there are: train/recipes/registry.h.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "models/rescaler.h"
#include "train/collective.h"
#include "train/dataset.h"

namespace mini::train {

struct LossTerm {
  std::string name;
  Tensor value;  // one element, on the device: reading it waits for the whole pass
};

struct Losses {
  Tensor total;  // one element, to be differentiated
  std::vector<LossTerm> terms;
};

struct Update {
  std::string name{};  // stands before its terms in the log; a recipe of one update needs none
  std::vector<nn::NamedTensor> parameters;  // that it trains; all others are frozen meanwhile
  std::string optimizer{};                  // updates of one name share it
  std::int64_t every = 1;                   // due in every so-manieth step
};

class Recipe {
 public:
  virtual ~Recipe() = default;

  // All that is trained, and whatever else its checkpoints are to hold.
  virtual nn::Module& modules() = 0;
  // What validation sees and mini_infer will run: the part of modules() whose names begin with
  // network_prefix().
  virtual models::Rescaler& network() = 0;
  virtual std::string network_prefix() const { return {}; }

  // In the order in which a step goes through them. Asked once, when the modules have their dtype and
  // their device.
  virtual std::vector<Update> updates() const = 0;

  // What an update draws before anything else, and decides which ops it consists of: two of one
  // variant differ in values alone, so on a GPU one can be replayed for the other. None: it is
  // computed anew each time.
  virtual std::optional<int> variant([[maybe_unused]] std::size_t update,
                                     [[maybe_unused]] Generator& generator) const {
    return 0;
  }
  // hr in [0,1]; the batch may be one share of the whole one. Draws the update's noise from
  // `generator`, that of the whole batch, and takes its share. If the recipe is divisible, everything
  // in the result must be a mean over the samples: then the mean over the shares is that of the whole
  // batch.
  virtual Losses losses(std::size_t update, const Batch& batch, std::optional<int> variant,
                        Generator& generator, Share share) = 0;
  // No: its losses compare the samples of a batch with each other, so several processes are refused.
  virtual bool divisible() const { return true; }
};

// A recipe of one network and one update.
class OneNetworkRecipe : public Recipe {
 public:
  // Whoever made the network may go on using it.
  explicit OneNetworkRecipe(std::shared_ptr<models::Rescaler> network)
      : network_(std::move(network)) {}

  nn::Module& modules() final { return *network_; }
  models::Rescaler& network() final { return *network_; }
  std::vector<Update> updates() const final {
    return {{.parameters = network_->named_parameters()}};
  }

 private:
  std::shared_ptr<models::Rescaler> network_;
};

}  // namespace mini::train
